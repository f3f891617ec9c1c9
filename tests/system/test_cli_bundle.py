"""A bundle that was made by hand, looked at through the commands, by a technician who has a stick and a deadline."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.governance.age_files import AgeIdentity, AgeRecipient
from edge_lfr.governance.documents import Envelope, Kind, canonical
from edge_lfr.governance.trust import Role, SigningKey
from simulators.archives import put, tar
from simulators.authorities import content_at
from simulators.bundles import ARCHIVE_DEFECTS, Draft, Parties, encrypted
from simulators.command import Command, Finished
from simulators.packs import entry_0095

NOW = datetime.now(tz=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundle")


@pytest.fixture(scope="module")
def edge_lfr(folder: Path) -> Command:
    """With keys of its own, and a trainer whom it trusts."""
    command = Command(folder)
    assert os.EX_OK == command("keys", "init").status
    (folder / "trust.d").mkdir(mode=0o755)
    assert os.EX_OK == command("keys", "new", "train", "train.key", "trust.d/train.toml", "--name", "Trainer").status
    return command


@pytest.fixture(scope="module")
def recipient(edge_lfr: Command) -> AgeRecipient:
    return AgeRecipient.parse(edge_lfr("keys", "show", "--recipient").out.strip())


@pytest.fixture
def draft(folder: Path) -> Draft:
    parties = Parties()
    parties.by_role[Role.TRAIN] = SigningKey.load(folder / "train.key")
    return Draft.of(parties, extracted_at=NOW)


@pytest.fixture
def bundle(folder: Path, draft: Draft, recipient: AgeRecipient) -> Path:
    path = folder / "sound.lfrw"
    path.write_bytes(encrypted(draft.plain(), recipient))
    return path


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def says_no_label(done: Finished) -> None:
    assert "Hush" not in done.out + done.err
    assert "seen nearby" not in done.out + done.err


def test_what_was_made_by_hand_is_verified(
    tmp_path: Path, edge_lfr: Command, draft: Draft, recipient: AgeRecipient
) -> None:
    """With `openssl`, `tar` and `age`, the key that `keys new` made and the recipient that `keys show` printed."""
    put({"manifest.json": json.dumps(draft.manifest).encode(), **draft.pictures}, tmp_path)
    key, manifest, signature = edge_lfr.folder / "train.key", tmp_path / "manifest.json", tmp_path / "manifest.sig"
    sign = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(manifest), "-out", str(signature)]
    subprocess.run(sign, timeout=60, check=True)
    plain = tar(tmp_path, "manifest.json", "manifest.sig", *draft.pictures)
    path = tmp_path / "by-hand.lfrw"
    subprocess.run(["age", "-r", recipient.text, "-o", path], input=plain, timeout=60, check=True)

    done = edge_lfr("watchlist", "verify", str(path), "--json")

    assert (os.EX_OK, "lfr.watchlist-verify/1", True) == (done.status, done.json["schema"], done.json["verified"])
    assert ("list-7", 3, 4) == (done.json["list_id"], done.json["references"], done.json["pictures"])
    assert sum(map(len, draft.pictures.values())) == done.json["picture_bytes"]
    assert ({"suspect": 3}, {"25-39": 3}) == (done.json["categories"], done.json["age_bands"])
    assert 2.0 <= done.json["age_hours"] < 3.0
    trainer = next(key for key in edge_lfr("keys", "show", "--json").json["trusted"] if key["role"] == "train")
    assert trainer["fingerprint"] == done.json["issuer"]["fingerprint"]
    assert "Trainer" == done.json["issuer"]["name"]
    says_no_label(done)


def test_the_forces_own_policy_is_asked(edge_lfr: Command, bundle: Path) -> None:
    """What a load refuses, its rehearsal counts; an extract that is too old for the force is refused by both."""
    strict = {"EDGE_LFR__POLICY__WATCHLIST__LONGEST_LIFE_DAYS": "0.001"}
    done = edge_lfr("watchlist", "verify", str(bundle), "--json", environ=strict)
    assert {"expires-too-late": 3} == done.json["entries_a_load_refuses"]
    old = edge_lfr(
        "watchlist", "verify", str(bundle), environ={"EDGE_LFR__POLICY__WATCHLIST__MAX_EXTRACT_AGE_H": "0.000001"}
    )
    assert (os.EX_DATAERR, True) == (old.status, "extract" in old.err)


def test_in_operation_the_installed_authority_is_asked(
    edge_lfr: Command, folder: Path, draft: Draft, recipient: AgeRecipient
) -> None:
    """Before one is installed, that is said; then another list than it names is refused, as a load refuses it."""
    for role, key in (("issue", "issue.key"), ("authorise", "officer.key")):
        assert 0 == edge_lfr("keys", "new", role, key, f"trust.d/{role}.toml", "--name", role).status
    issue, authorise = SigningKey.load(folder / "issue.key"), SigningKey.load(folder / "officer.key")
    draft.signer = issue
    draft.manifest["mode"] = "operational"
    path = folder / "operational.lfrw"
    path.write_bytes(encrypted(draft.plain(), recipient))
    officer = AgeIdentity.generate().recipient.text
    environ = {"EDGE_LFR__MODE": "operational", "EDGE_LFR__TRUST__PROTECTION_OFFICER": officer}
    verify = ("watchlist", "verify", str(path))

    alone = edge_lfr(*verify, environ=environ)
    assert (0, True) == (alone.status, "no authority is installed" in alone.err), alone.err
    content = content_at(NOW.replace(microsecond=0)) | {"force": "anytown", "pack_digest": entry_0095().digest}
    content["watchlist"] |= {"issuer_key": issue.fingerprint, "list_id": "june-01"}
    signed = Envelope(Kind.AUTHORITY, canonical(content), ()).with_signature(authorise)
    (folder / "signed.json").write_bytes(signed.wire())
    assert 0 == edge_lfr("authority", "install", "signed.json", environ=environ).status
    other = edge_lfr(*verify, environ=environ)
    assert (os.EX_DATAERR, True) == (other.status, "june-01" in other.err), other.err


def test_verifying_writes_nothing(edge_lfr: Command, bundle: Path) -> None:
    """No file is made or touched: not in the state folder, not beside the bundle."""
    before = files_of(edge_lfr.folder)
    done = edge_lfr("watchlist", "verify", str(bundle))
    assert os.EX_OK == done.status
    assert "genuine to its last byte" in done.err
    says_no_label(done)
    assert before == files_of(edge_lfr.folder)


def test_entries_that_a_load_would_refuse_are_counted(
    edge_lfr: Command, draft: Draft, bundle: Path, recipient: AgeRecipient
) -> None:
    """Before anybody waits for enrolment."""
    draft.manifest["entries"][0]["expires_at"] = (NOW - timedelta(days=1)).isoformat()
    draft.manifest["entries"][1]["category"] = "witness"
    for number in (1, 2):
        draft.manifest["entries"][number]["expires_at"] = (NOW + timedelta(days=2)).isoformat()
    bundle.write_bytes(encrypted(draft.plain(), recipient))
    done = edge_lfr("watchlist", "verify", str(bundle), "--json")
    assert {"expired": 1, "category-approval": 1} == done.json["entries_a_load_refuses"]


@pytest.mark.parametrize("defect", ["extra-member-last", "picture-changed", "second-archive", "symbolic-link"])
def test_a_defect_is_one_reason_and_a_remedy(
    edge_lfr: Command, draft: Draft, bundle: Path, recipient: AgeRecipient, defect: str
) -> None:
    """Exit status 65, nothing on stdout, and the reason's own code on stderr."""
    refusal, make = ARCHIVE_DEFECTS[defect]
    bundle.write_bytes(encrypted(make(draft), recipient))
    done = edge_lfr("watchlist", "verify", str(bundle), "--json")
    assert (os.EX_DATAERR, "") == (done.status, done.out)
    assert f"edge-lfr: {refusal}: " in done.err
    assert "what to do: " in done.err
    says_no_label(done)


def test_a_cut_bundle_is_refused(edge_lfr: Command, bundle: Path) -> None:
    """By one byte: everything was read but the proof that it was everything."""
    bundle.write_bytes(bundle.read_bytes()[:-1])
    done = edge_lfr("watchlist", "verify", str(bundle), "--json")
    assert (os.EX_DATAERR, "") == (done.status, done.out)


def test_a_pipe_is_no_bundle(edge_lfr: Command, tmp_path: Path) -> None:
    """Nobody waits for somebody who may never write."""
    os.mkfifo(tmp_path / "pipe.lfrw")
    for verb in ("verify", "inspect"):
        done = edge_lfr("watchlist", verb, str(tmp_path / "pipe.lfrw"))
        assert os.EX_DATAERR == done.status
        assert "bundle-file" in done.err


def test_a_box_without_keys_says_how_to_make_them(tmp_path: Path, bundle: Path) -> None:
    """Not one more refusal of the bundle, which may be sound."""
    done = Command(tmp_path)("watchlist", "verify", str(bundle))
    assert os.EX_CONFIG == done.status
    assert "edge-lfr keys init" in done.err


def test_inspecting_shows_counts_and_on_request_ids(edge_lfr: Command, bundle: Path) -> None:
    """Never a label, and no id unless asked for."""
    done = edge_lfr("watchlist", "inspect", str(bundle), "--json")
    assert (os.EX_OK, True, None) == (done.status, done.json["trusted"], done.json["refusal"])
    assert (3, 4, True) == (done.json["references"], done.json["pictures"], done.json["for_this_appliance"])
    assert "REF-" not in done.out + done.err
    says_no_label(done)
    done = edge_lfr("watchlist", "inspect", str(bundle), "--references")
    assert {"REF-00001", "REF-00002", "REF-00003"} <= set(done.out.split())
    assert "were not read" in done.err
    says_no_label(done)


def test_what_nobody_signed_is_shown_only_on_request(
    edge_lfr: Command, draft: Draft, bundle: Path, recipient: AgeRecipient
) -> None:
    """Without the option nothing; with it counts, a warning, and still exit status 65."""
    draft.signer = SigningKey.generate()
    bundle.write_bytes(encrypted(draft.plain(), recipient))
    done = edge_lfr("watchlist", "inspect", str(bundle), "--json")
    assert (os.EX_DATAERR, "") == (done.status, done.out)
    assert "issuer-unknown" in done.err
    done = edge_lfr("watchlist", "inspect", str(bundle), "--untrusted", "--json")
    assert os.EX_DATAERR == done.status
    assert (False, "issuer-unknown", None) == (done.json["trusted"], done.json["refusal"], done.json["issuer"])
    assert 3 == done.json["references"]
    assert "does not trust" in done.err
    says_no_label(done)


def test_an_old_bundle_is_shown_and_not_verified(
    edge_lfr: Command, draft: Draft, bundle: Path, recipient: AgeRecipient
) -> None:
    """To look at it is no use of it."""
    draft.manifest["extracted_at"] = (NOW - timedelta(hours=30)).isoformat()
    bundle.write_bytes(encrypted(draft.plain(), recipient))
    shown = edge_lfr("watchlist", "inspect", str(bundle), "--json")
    assert (os.EX_OK, 30) == (shown.status, round(shown.json["age_hours"]))
    refused = edge_lfr("watchlist", "verify", str(bundle))
    assert os.EX_DATAERR == refused.status
    assert "extract-old" in refused.err
