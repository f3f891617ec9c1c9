"""Models and watchlist through the commands, on real nets and real pictures, with the daemon down."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulators.appliance import eventually
from simulators.command import Command, Finished
from simulators.watchlists import CSV_HEADER, csv_row

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
    """A few people, and two rows that cannot be enrolled."""
    source = folder / "list"
    source.mkdir()
    rows = [CSV_HEADER]
    for number, picture in enumerate(sorted((shared_data / "london" / "neutral").iterdir())[:PEOPLE]):
        shutil.copy(picture, source / f"{number}.jpg")
        rows.append(csv_row(f"S-{number}", f"{number}.jpg", label=f"Hush {number}"))
    (source / "text.jpg").write_text("no picture")
    rows += [csv_row("S-90", "absent.jpg", label="Hush"), csv_row("S-91", "text.jpg", label="Hush")]
    (source / "watchlist.csv").write_text("\n".join(rows))
    return source


@pytest.fixture(scope="module")
def loaded(edge_lfr: Command, source: Path) -> Finished:
    return edge_lfr("watchlist", "load", str(source), "--json")


def test_an_installed_pack_proves_itself(edge_lfr: Command) -> None:
    """Listed, and computing what it computed where its golden values were recorded."""
    packs = {pack["id"]: pack["state"] for pack in edge_lfr("models", "list", "--json").json["packs"]}
    assert "installed" == packs["yunet-0095"]
    assert edge_lfr("models", "selftest", "--json").json["cosine"] > 0.999


def test_a_load_reports_every_row(edge_lfr: Command, loaded: Finished) -> None:
    """Some rejected: exit status 0, a reason for each, and a warning; no label anywhere."""
    assert (0, "lfr.enrolment/1", PEOPLE) == (loaded.status, loaded.json["schema"], loaded.json["enrolled_references"])
    outcomes = {row["reference_id"]: row["outcome"] for row in loaded.json["rows"]}
    assert ("enrolled", "picture-missing") == (outcomes["S-0"], outcomes["S-90"])
    assert "S-90" in loaded.err
    shown = edge_lfr("watchlist", "show", "--references")
    assert "S-3" in shown.out
    assert "Hush" not in loaded.out + loaded.err + shown.out + shown.err


@pytest.mark.usefixtures("loaded")
def test_all_or_nothing_keeps_the_list_before(edge_lfr: Command, source: Path) -> None:
    """Exit status 65, and the same list as before."""
    before = edge_lfr("watchlist", "show", "--json").json["list_id"]
    done = edge_lfr("watchlist", "load", str(source), "--all-or-nothing")
    assert os.EX_DATAERR == done.status
    assert before == edge_lfr("watchlist", "show", "--json").json["list_id"]


def test_nobody_enrolled_is_a_failure(edge_lfr: Command) -> None:
    """Exit status 65; the list before, if any, stays."""
    empty = edge_lfr.folder / "empty"
    empty.mkdir()
    (empty / "watchlist.csv").write_text("\n".join([CSV_HEADER, csv_row("S-1", "absent.jpg")]))
    assert os.EX_DATAERR == edge_lfr("watchlist", "load", str(empty)).status


@pytest.mark.usefixtures("loaded")
def test_the_doctor_knows_the_watchlist(edge_lfr: Command) -> None:
    """Its size, its threshold with the evidence, and what a stolen disk gives away."""
    found = {check["name"]: check for check in edge_lfr("doctor", "--json").json["checks"]}
    assert f"{PEOPLE} references" in found["watchlist"]["found"]
    assert f"for {PEOPLE} templates" in found["threshold"]["found"]
    assert "a stolen disk then opens" in found["key"]["found"]
    assert "CPUExecutionProvider" in found["provider"]["found"]
    assert "px wide" in found["camera north"]["found"]


def test_references_are_removed_and_the_rest_destroyed(edge_lfr: Command, source: Path) -> None:
    """
    An id cannot be removed twice: exit status 65. A changed store is refused: 78.

    Destroying needs nothing that opens, not even the key.
    """
    assert 0 == edge_lfr("watchlist", "load", str(source)).status
    removed = edge_lfr("watchlist", "remove", "S-0", "S-1", "--yes", "--json").json
    assert (["S-0", "S-1"], PEOPLE - 2) == (removed["removed"], removed["remaining"])
    assert os.EX_DATAERR == edge_lfr("watchlist", "remove", "S-0", "--yes").status
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
    lists = edge_lfr.folder / "state/training/watchlist/lists"
    with ThreadPoolExecutor(1) as threads:
        load = threads.submit(edge_lfr, "watchlist", "load", str(source))
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
