"""Models and watchlist through the commands, on real nets and real pictures, with the daemon down."""

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.trust import shown_fingerprint
from edge_lfr.terms import ResponseCode
from edge_lfr.watchlist.records.receipt import LoadReceipt
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate
from simulators.appliance import eventually
from simulators.command import Command, Finished
from simulators.issuer import bundle_of, trainer_of
from simulators.watchlists import CSV_HEADER, EXPIRES_AT, csv_row

pytestmark = pytest.mark.shared

PEOPLE = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def edge_lfr(folder: Path, shared_models: Path) -> Command:
    """With the pack installed."""
    command = Command(folder)
    done = command("models", "install", str(shared_models), "--json")
    assert (0, "yunet-0095") == (done.status, done.json["id"])
    return command


@pytest.fixture(scope="module")
def source(folder: Path, shared_data: Path) -> Path:
    """A few people, two pictures that cannot be enrolled, and somebody whose time ended after the issuer looked."""
    source = folder / "list"
    source.mkdir()
    rows = [CSV_HEADER]
    for number, picture in enumerate(portraits(shared_data)[:PEOPLE]):
        shutil.copy(picture, source / f"{number}.jpg")
        rows.append(csv_row(f"S-{number}", f"{number}.jpg", label=f"Hush {number}"))
    cv2.imwrite(str(source / "wall.png"), np.full((300, 300, 3), 128, np.uint8))
    whole = (source / "0.jpg").read_bytes()
    (source / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    rows += [csv_row("S-90", "wall.png", label="Hush"), csv_row("S-91", "cut.jpg", label="Hush")]
    rows += [csv_row("S-92", "0.jpg", label="Hush", expires_at=datetime.now(UTC) - timedelta(minutes=1))]
    (source / "watchlist.csv").write_text("\n".join(rows))
    return source


@pytest.fixture(scope="module")
def bundle(edge_lfr: Command, source: Path) -> Path:
    return bundle_of(source, edge_lfr.folder, judged_at=datetime.now(UTC) - timedelta(hours=1))


@pytest.fixture(scope="module")
def loaded(edge_lfr: Command, bundle: Path) -> Finished:
    return edge_lfr("watchlist", "load", str(bundle), "--accept-partial", "--json")


def portraits(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "london" / "neutral").iterdir())


def test_an_installed_pack_proves_itself(edge_lfr: Command) -> None:
    """Listed, and computing what it computed where its golden values were recorded."""
    packs = {pack["id"]: pack["state"] for pack in edge_lfr("models", "list", "--json").json["packs"]}
    assert "installed" == packs["yunet-0095"]
    assert edge_lfr("models", "selftest", "--json").json["cosine"] > 0.999


def test_a_load_reports_every_entry(edge_lfr: Command, loaded: Finished) -> None:
    """Some refused: exit status 0 with --accept-partial, a reason for each, and a warning; no label anywhere."""
    assert (0, "lfr.enrolment/1", PEOPLE) == (loaded.status, loaded.json["schema"], loaded.json["enrolled_references"])
    reasons = {entry["reference_id"]: entry["reasons"] for entry in loaded.json["entries"]}
    expected = {"S-0": [], "S-90": ["no-face"], "S-91": ["picture-broken"], "S-92": ["expired"]}
    assert expected == {reference: reasons[reference] for reference in expected}
    assert [entry["reference_id"] for entry in loaded.json["entries"] if entry["is_unlawful"]] == ["S-92"]
    assert "S-90" in loaded.err
    told = loaded.json
    assert (PEOPLE + 3, "list-1") == (told["bundle"]["entries"], told["bundle"]["list_id"])
    assert shown_fingerprint(trainer_of(edge_lfr.folder).fingerprint) in told["bundle"]["issuer"]
    assert (None, None) == (told["references_before"], told["growth_percent"])
    assert {"suspect": PEOPLE} == {name: count for name, count in told["composition"]["categories"].items() if count}
    assert told["expected_false_alerts"]["evidence"] in {"measured", "extrapolated"}
    shown = edge_lfr("watchlist", "show", "--references")
    assert "S-3" in shown.out
    assert "Hush" not in loaded.out + loaded.err + shown.out + shown.err


def test_a_list_for_training_ends_within_a_day(loaded: Finished) -> None:
    """Nobody has to think of it."""
    left = datetime.fromisoformat(loaded.json["wipe_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)


def test_what_is_shown_says_where_it_came_from_and_when_it_ends(edge_lfr: Command, loaded: Finished) -> None:
    """The bundle by its digest, the age since the extract, the end, and when the next entry expires."""
    shown = edge_lfr("watchlist", "show", "--json").json
    assert loaded.json["bundle"]["manifest_digest"] == shown["bundle"]["manifest_digest"]
    assert loaded.json["bundle"]["extracted_at"] == shown["bundle"]["extracted_at"]
    assert shown_fingerprint(trainer_of(edge_lfr.folder).fingerprint) == shown["bundle"]["issuer"]
    assert 1.0 <= shown["age_hours"] < 2.0
    assert loaded.json["wipe_at"] == datetime.fromisoformat(shown["wipe_at"]).isoformat(timespec="seconds")
    assert (EXPIRES_AT, 0) == (datetime.fromisoformat(shown["next_expiry"]), shown["expired"])


@pytest.mark.usefixtures("loaded")
def test_a_difference_is_told_before_a_load(edge_lfr: Command, shared_data: Path) -> None:
    """Who would come, go or change: in numbers, by id only when asked for, fields by name; and nothing is loaded."""
    source = edge_lfr.folder / "next"
    source.mkdir()
    for number, picture in enumerate(portraits(shared_data)[:4]):
        shutil.copy(picture, source / f"{number}.jpg")
    rows = [
        csv_row("S-0", "0.jpg", label="Hush 0"),
        csv_row("S-1", "1.jpg", label="Hush Hush", response_code=ResponseCode.ARREST),
        csv_row("S-7", "2.jpg", label="Hush 7"),
    ]
    (source / "watchlist.csv").write_text("\n".join([CSV_HEADER, *rows]))
    bundle = bundle_of(source, edge_lfr.folder)
    before = edge_lfr("watchlist", "show", "--json").json["list_id"]

    done = edge_lfr("watchlist", "diff", str(bundle), "--json")

    counts = {name: done.json[name] for name in ("added", "removed", "changed", "unchanged")}
    assert (0, "lfr.watchlist-diff/1") == (done.status, done.json["schema"])
    assert {"added": 1, "removed": 2, "changed": 1, "unchanged": 1} == counts
    assert {"label": 1, "response_code": 1} == done.json["changed_fields"]
    assert "listed" not in done.json
    named = edge_lfr("watchlist", "diff", str(bundle), "--references")
    lines = [line.strip().split(maxsplit=2) for line in named.out.splitlines() if line.startswith("S-")]
    changed = ["S-1", "changed", "label, response_code"]
    assert [["S-7", "added", "-"], ["S-2", "removed", "-"], ["S-3", "removed", "-"], changed] == lines
    assert {"what": "references", "found": 4} == noted(edge_lfr, "consulted")[-1]
    assert "Hush" not in done.out + done.err + named.out + named.err
    assert before == edge_lfr("watchlist", "show", "--json").json["list_id"]


@pytest.mark.usefixtures("loaded")
def test_a_difference_is_told_of_a_genuine_bundle_alone(edge_lfr: Command, bundle: Path) -> None:
    """One byte less at its end: exit status 65, and nothing is said of it."""
    cut = edge_lfr.folder / "cut-diff.lfrw"
    cut.write_bytes(bundle.read_bytes()[:-1])
    done = edge_lfr("watchlist", "diff", str(cut))
    assert (os.EX_DATAERR, "") == (done.status, done.out)


def test_a_load_gives_a_signed_receipt(edge_lfr: Command, loaded: Finished) -> None:
    """Signed by the box: what was offered, what became of it, and until when; nobody is named in it."""
    path = edge_lfr.folder / loaded.json["receipt"]
    document = read_document(path.read_bytes(), Kind.LOAD_RECEIPT, LoadReceipt)
    document.verify_with(DeviceKeys.load(edge_lfr.folder / "state" / "device").signing.public)
    receipt = document.content
    assert path.parent == edge_lfr.folder / "state" / "training" / "receipts"
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert (PEOPLE + 3, PEOPLE, 1) == (receipt.entries, receipt.references, receipt.unlawful)
    assert {"enrolled": PEOPLE, "no-face": 1, "picture-broken": 1, "unlawful": 1} == receipt.outcomes
    assert ({"expired": 1}, True) == (receipt.reasons, receipt.is_partial)
    assert trainer_of(edge_lfr.folder).fingerprint == receipt.issuer
    assert loaded.json["bundle"]["manifest_digest"] == receipt.manifest_digest
    assert edge_lfr("watchlist", "show", "--json").json["digest"] == receipt.list_digest
    assert b"S-9" not in path.read_bytes()
    assert b"Hush" not in path.read_bytes()


@pytest.mark.usefixtures("loaded")
def test_one_refused_entry_keeps_the_list_before(edge_lfr: Command, bundle: Path) -> None:
    """Exit status 65, everything reported, the same list as before, and no receipt."""
    before = edge_lfr("watchlist", "show", "--json").json["list_id"]
    done = edge_lfr("watchlist", "load", str(bundle), "--json", "--receipt", "receipt.json")
    assert (os.EX_DATAERR, None, None) == (done.status, done.json["list_id"], done.json["receipt"])
    assert (PEOPLE, 3) == (done.json["enrolled_references"], done.json["rejected"])
    assert (PEOPLE, 0.0) == (done.json["references_before"], done.json["growth_percent"])
    assert "--accept-partial" in done.err
    assert before == edge_lfr("watchlist", "show", "--json").json["list_id"]
    assert not (edge_lfr.folder / "receipt.json").exists()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"device": "anytown/van-2"}, "device"),
        ({"extracted_at": datetime.now(UTC) - timedelta(hours=25)}, "extract-old"),
        ({"extracted_at": datetime.now(UTC) + timedelta(hours=1)}, "extract-future"),
        ({"extracted_at": datetime.now(UTC) - timedelta(hours=20)}, "extract-superseded"),
    ],
)
def test_a_bundle_that_is_not_for_this_box_now_is_refused(
    edge_lfr: Command, shared_data: Path, changes: dict[str, Any], refusal: str
) -> None:
    """Exit status 65 with the code, before any picture, by a load and by a comparison; the list before stays."""
    source = one_person(edge_lfr.folder / f"refused-{refusal}", portraits(shared_data)[0])
    before = edge_lfr("watchlist", "show", "--json").json["digest"]
    bundle = bundle_of(source, edge_lfr.folder, **changes)
    for verb in ("load", "diff"):
        done = edge_lfr("watchlist", verb, str(bundle))
        assert (os.EX_DATAERR, "") == (done.status, done.out)
        assert f"edge-lfr: {refusal}:" in done.err
        assert "what to do:" in done.err
    assert before == edge_lfr("watchlist", "show", "--json").json["digest"]


def test_a_bundle_of_a_stranger_is_refused(edge_lfr: Command, shared_data: Path) -> None:
    """A key that nobody has put into the trust folder: exit status 65."""
    source = one_person(edge_lfr.folder / "strange", portraits(shared_data)[0])
    bundle = bundle_of(source, edge_lfr.folder)
    trust = edge_lfr.folder / "trust.d" / "trainer.toml"
    text = trust.read_text()
    trust.unlink()
    done = edge_lfr("watchlist", "load", str(bundle))
    trust.write_text(text)
    assert os.EX_DATAERR == done.status
    assert "issuer-unknown" in done.err


def test_a_cut_bundle_leaves_the_list_before(edge_lfr: Command, bundle: Path) -> None:
    """Most of its pictures came: nothing of them is loaded, nothing is left behind, and no receipt is given."""
    receipts = edge_lfr.folder / "state" / "training" / "receipts"
    lists = edge_lfr.folder / "state" / "training" / "watchlist" / "lists"
    before = [sorted(receipts.iterdir()), sorted(lists.iterdir())]
    cut = edge_lfr.folder / "cut.lfrw"
    cut.write_bytes(bundle.read_bytes()[:-1])
    done = edge_lfr("watchlist", "load", str(cut), "--accept-partial")
    assert os.EX_DATAERR == done.status
    assert before == [sorted(receipts.iterdir()), sorted(lists.iterdir())]


def noted(edge_lfr: Command, event: str) -> list[dict[str, Any]]:
    """The facts of the ledger's lines of that event."""
    lines = edge_lfr("ledger", "show", "--event", event, "--json").json["lines"]
    return [line["facts"] for line in lines]


@pytest.mark.usefixtures("loaded")
def test_who_removes_the_last_ones_wipes_and_proves_it(edge_lfr: Command, bundle: Path) -> None:
    """Without a daemon, too: a certificate that says why, and lines in the ledger; the list can be loaded again."""
    ids = [f"S-{number}" for number in range(PEOPLE)]
    done = edge_lfr("watchlist", "remove", *ids, "--yes", "--json")
    assert (0, "lfr.watchlist-remove/1", ids, 0) == (
        done.status,
        done.json["schema"],
        done.json["removed"],
        done.json["remaining"],
    ), done.err
    certificate = done.json["certificate"]
    assert ("removed-last", 1, 1, PEOPLE) == tuple(
        certificate[name] for name in ("cause", "lists", "keys", "references")
    )
    assert certificate["is_process_replaced"]
    assert certificate["is_clean"] is True
    kept = max((edge_lfr.folder / "state/training/certificates").glob("wipe-*.json"))
    document = read_document(kept.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate)
    document.verify_with(DeviceKeys.load(edge_lfr.folder / "state" / "device").signing.public)
    assert WipeCause.REMOVED_LAST == document.content.cause
    assert "removed-last" == noted(edge_lfr, "watchlist-wiped")[-1]["code"]
    assert [0] == [facts["found"] for facts in noted(edge_lfr, "wipe-proved")][-1:]
    assert os.EX_CONFIG == edge_lfr("watchlist", "show").status
    assert os.EX_CONFIG == edge_lfr("watchlist", "remove", "S-0", "--yes").status
    assert 0 == edge_lfr("watchlist", "load", str(bundle), "--accept-partial").status


def one_person(source: Path, picture: Path) -> Path:
    """A folder with one lawful row."""
    source.mkdir()
    shutil.copy(picture, source / "1.jpg")
    (source / "watchlist.csv").write_text("\n".join([CSV_HEADER, csv_row("S-1", "1.jpg", label="Hush")]))
    return source


def test_nobody_enrolled_is_a_failure(edge_lfr: Command) -> None:
    """Exit status 65, also when a part would do; the list before, if any, stays."""
    empty = edge_lfr.folder / "empty"
    empty.mkdir()
    cv2.imwrite(str(empty / "wall.png"), np.full((300, 300, 3), 128, np.uint8))
    (empty / "watchlist.csv").write_text("\n".join([CSV_HEADER, csv_row("S-1", "wall.png")]))
    bundle = bundle_of(empty, edge_lfr.folder)
    assert os.EX_DATAERR == edge_lfr("watchlist", "load", str(bundle), "--accept-partial").status


@pytest.mark.usefixtures("loaded")
def test_the_doctor_knows_the_watchlist(edge_lfr: Command) -> None:
    """Its size, its threshold with the evidence, and what a stolen disk gives away."""
    found = {check["name"]: check for check in edge_lfr("doctor", "--json").json["checks"]}
    assert f"{PEOPLE} references" in found["watchlist"]["found"]
    assert f"for {PEOPLE} templates" in found["threshold"]["found"]
    assert "a stolen disk then opens" in found["key"]["found"]
    assert "CPUExecutionProvider" in found["provider"]["found"]
    assert "px wide" in found["camera north"]["found"]


@pytest.mark.usefixtures("loaded")
def test_a_longer_list_is_said_and_its_receipt_copied(edge_lfr: Command, shared_data: Path) -> None:
    """How much longer, as a warning; the copy is the same document, and replaces nothing."""
    source = edge_lfr.folder / "longer"
    source.mkdir()
    rows = [CSV_HEADER]
    for number, picture in enumerate(portraits(shared_data)[: 2 * PEOPLE]):
        shutil.copy(picture, source / picture.name)
        rows.append(csv_row(f"S-{number}", picture.name))
    (source / "watchlist.csv").write_text("\n".join(rows))
    bundle = str(bundle_of(source, edge_lfr.folder))

    done = edge_lfr("watchlist", "load", bundle, "--receipt", "receipt.json", "--json")

    assert (0, PEOPLE, 100.0) == (done.status, done.json["references_before"], done.json["growth_percent"])
    assert "100 % more people" in done.err
    copy = edge_lfr.folder / "receipt.json"
    assert (edge_lfr.folder / done.json["receipt"]).read_bytes() == copy.read_bytes()
    again = edge_lfr("watchlist", "load", bundle, "--receipt", "receipt.json")
    assert os.EX_USAGE == again.status
    assert "exists already" in again.err


def test_references_are_removed_and_the_rest_destroyed(edge_lfr: Command, bundle: Path) -> None:
    """
    An id cannot be removed twice: exit status 65. A changed store is refused: 78.

    Who was removed comes back with the same bundle, which is said. Destroying needs nothing that opens, not even the
    key.
    """
    edge_lfr("watchlist", "wipe", "--yes")
    assert 0 == edge_lfr("watchlist", "load", str(bundle), "--accept-partial").status
    removed = edge_lfr("watchlist", "remove", "S-0", "S-1", "--yes", "--json").json
    assert (["S-0", "S-1"], PEOPLE - 2, None) == (removed["removed"], removed["remaining"], removed["certificate"])
    assert {"references": 2} == noted(edge_lfr, "watchlist-removed")[-1]
    assert os.EX_DATAERR == edge_lfr("watchlist", "remove", "S-0", "--yes").status
    assert {"code": "watchlist.reference", "verb": "remove"} == noted(edge_lfr, "refused")[-1]
    again = edge_lfr("watchlist", "load", str(bundle), "--json")
    assert (os.EX_DATAERR, 4) == (again.status, again.json["returning"])
    assert "4 people of it are not on the list any more" in again.err
    (database,) = edge_lfr.folder.glob("state/training/watchlist/lists/*/store.db")
    content = bytearray(database.read_bytes())
    content[4096::64] = bytes(byte ^ 1 for byte in content[4096::64])
    database.write_bytes(content)
    changed = edge_lfr("watchlist", "show")
    assert (os.EX_CONFIG, "") == (changed.status, changed.out)
    (edge_lfr.folder / "state/training/kek.key").unlink()
    wiped = edge_lfr("watchlist", "wipe", "--yes", "--json").json
    assert ("lfr.watchlist-wipe/1", 1, 1, None) == tuple(wiped[name] for name in ("schema", "keys", "lists", "proof"))
    assert os.EX_CONFIG == edge_lfr("watchlist", "show").status


def test_a_wipe_does_not_wait_for_a_load(edge_lfr: Command, shared_data: Path) -> None:
    """Exit status 0 while a load is under way, which then ends with 75, and nothing is left of either list."""
    source = edge_lfr.folder / "long"
    source.mkdir()
    picture = next((shared_data / "london" / "neutral").iterdir())
    shutil.copy(picture, source / "one.jpg")
    rows = [csv_row(f"L-{number}", "one.jpg", label="Hush") for number in range(2_000)]
    (source / "watchlist.csv").write_text("\n".join([CSV_HEADER, *rows]))
    bundle = bundle_of(source, edge_lfr.folder)
    lists = edge_lfr.folder / "state/training/watchlist/lists"
    with ThreadPoolExecutor(1) as threads:
        load = threads.submit(edge_lfr, "watchlist", "load", str(bundle))
        assert eventually(lambda: any(lists.glob("*/store.db")))
        wiped = edge_lfr("watchlist", "wipe", "--yes", "--json")
        assert (0, 1) == (wiped.status, wiped.json["keys"])
        ended = load.result()
    assert os.EX_TEMPFAIL == ended.status
    assert "wiped meanwhile" in ended.err
    assert [] == list(lists.iterdir())


def test_the_cameras_are_told_in_numbers(edge_lfr: Command, shared_data: Path) -> None:
    """Rate, light, faces and their width; exit status 69 for a camera without a picture."""
    source = shared_data / "video" / "face-demographics-walking.gif"
    two = edge_lfr.config.read_text().replace(
        'source = "clip.mp4"', f'source = "{source}"\n[[cameras]]\nid = "south"\nsource = "absent.mp4"'
    )
    config = edge_lfr.folder / "two.toml"
    config.write_text(two)
    done = edge_lfr("cameras", "check", "--seconds", "4", "--json", "--config", str(config))
    north, south = done.json["cameras"]
    assert (os.EX_UNAVAILABLE, "north", "480x270") == (done.status, north["id"], north["size"])
    assert north["faces"] > 0
    assert (0, None) == (south["frames_decoded"], south["face_width_px"])
    assert "south" in done.err


def test_an_earlier_extract_after_a_wipe_is_said(edge_lfr: Command, shared_data: Path) -> None:
    """It may be what somebody wants; that a later one was here, whose changes it undoes, is told beforehand."""
    source = one_person(edge_lfr.folder / "earlier", portraits(shared_data)[0])
    said = "was loaded here before"
    for hours_ago, is_earlier in ((1, False), (1, False), (3, True)):
        extracted_at = SystemClock().utc_now() - timedelta(hours=hours_ago)
        bundle = bundle_of(source, edge_lfr.folder, list_id="earlier", extracted_at=extracted_at)
        edge_lfr("watchlist", "wipe", "--yes")
        done = edge_lfr("watchlist", "load", str(bundle))
        assert (0, is_earlier) == (done.status, said in done.err), done.err
