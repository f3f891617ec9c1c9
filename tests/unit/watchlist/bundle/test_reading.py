"""Reading bundles: what an issuer makes by hand is read, and each defect is refused with its reason, and in time."""

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.errors import AgeFileError, WatchlistFormatError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.trust import Role, SigningKey
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.manifest import MAX_MANIFEST_BYTES
from edge_lfr.watchlist.bundle.reading import BundlePicture, BundleReader, open_bundle
from edge_lfr.watchlist.bundle.refusals import BundleRefusal, BundleRefusedError
from simulators.archives import END, archive, head, put, tar
from simulators.bundles import ARCHIVE_DEFECTS, DEVICE, NOW, Draft, Parties, encrypted, entry, named

PARTIES = Parties()


def reader(untrusted: bytes, **changes: Any) -> BundleReader:
    """As an appliance in training reads it."""
    arguments = {
        "mode": Mode.TRAINING,
        "device": DEVICE,
        "device_fingerprint": PARTIES.own.fingerprint,
        "now": NOW,
        **changes,
    }
    identity = arguments.pop("identity", PARTIES.device)
    return BundleReader(io.BytesIO(untrusted), identity, PARTIES.trust, **arguments)


def taken(untrusted: bytes, **changes: Any) -> list[BundlePicture]:
    """All pictures, if the bundle is genuine to its end."""
    with reader(untrusted, **changes) as bundle:
        return list(bundle.pictures())


def refusal_of(untrusted_plain: bytes, **changes: Any) -> str:
    with pytest.raises(BundleRefusedError) as caught:
        taken(encrypted(untrusted_plain, PARTIES.device.recipient), **changes)
    assert ("watchlist.bundle", os.EX_DATAERR) == (caught.value.code, caught.value.exit_status)
    assert caught.value.advice
    assert "Hush" not in caught.value.diagnostics()
    return caught.value.refusal


@pytest.fixture
def draft() -> Draft:
    return Draft.of(PARTIES)


def run(*command: str, given: bytes = b"") -> bytes:
    return subprocess.run(command, input=given, capture_output=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("tar_format", [(), ("--format=ustar",), ("--format=gnu",)])
def test_what_was_made_by_hand_is_read(tmp_path: Path, draft: Draft, tar_format: tuple[str, ...]) -> None:
    """With `openssl`, `tar` and `age` alone: every picture, in order, and who signed."""
    key = tmp_path / "issuer.key"
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key))
    key.chmod(0o600)
    parties = Parties()
    parties.by_role[Role.TRAIN] = SigningKey.load(key)
    put({"manifest.json": json.dumps(draft.manifest, indent=2).encode(), **draft.pictures}, tmp_path)
    manifest, signature = str(tmp_path / "manifest.json"), str(tmp_path / "manifest.sig")
    run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", manifest, "-out", signature)
    plain = tar(tmp_path, *tar_format, "manifest.json", "manifest.sig", *draft.pictures)
    other = AgeIdentity.generate().recipient.text

    bundle = tmp_path / "list.lfrw"
    run("age", "-r", other, "-r", parties.device.recipient.text, "-o", str(bundle), given=plain)

    with (
        open_bundle(bundle) as file,
        BundleReader(
            file, parties.device, parties.trust, mode=Mode.TRAINING, device=DEVICE, device_fingerprint=None, now=NOW
        ) as read,
    ):
        assert ("list-7", 3) == (read.manifest.list_id, len(read.manifest.entries))
        assert parties.by_role[Role.TRAIN].fingerprint == read.issuer.fingerprint
        assert run("sha256sum", manifest).decode().split()[0] == read.digest
        pictures = list(read.pictures())
    assert [(0, 1), (0, 2), (1, 3), (2, 4)] == [(one.entry_number, one.picture_number) for one in pictures]
    assert list(draft.pictures.values()) == [one.untrusted for one in pictures]


@pytest.mark.parametrize("defect", ARCHIVE_DEFECTS)
def test_a_defect_of_the_archive_is_refused(draft: Draft, defect: str) -> None:
    """With the reason that its name promises."""
    refusal, make = ARCHIVE_DEFECTS[defect]
    assert refusal == refusal_of(make(draft))


def test_the_draft_without_a_defect_is_read(draft: Draft) -> None:
    """So that a refusal is the defect's doing."""
    assert 4 == len(taken(encrypted(draft.plain(), PARTIES.device.recipient)))


AGE_CHUNK_BYTES = 65_536


def grown(draft: Draft) -> None:
    """Let the pictures fill several chunks of the age file, and let the archive's end alone be in the last."""
    for name in draft.pictures:
        draft.replace_picture(name, draft.pictures[name] + bytes(100_000))
    last = list(draft.pictures)[-1]
    before_end = len(draft.plain()) - len(END)
    draft.replace_picture(last, draft.pictures[last] + bytes(-before_end % AGE_CHUNK_BYTES))
    assert len(draft.plain()) % AGE_CHUNK_BYTES == len(END)


def test_a_cut_file_gives_verified_pictures_and_no_end(draft: Draft) -> None:
    """Wherever it is cut: what was given was verified, and the iterator raises where it would have ended."""
    grown(draft)
    whole = encrypted(draft.plain(), PARTIES.device.recipient)
    given = set()
    for length in [*range(0, len(whole), 9_973), len(whole) - 17, len(whole) - 1]:
        pictures = []
        with pytest.raises((AgeFileError, BundleRefusedError)), reader(whole[:length]) as bundle:  # noqa: PT012
            for one in bundle.pictures():
                assert list(draft.pictures.values())[one.picture_number - 1] == one.untrusted
                pictures.append(one)
        given.add(len(pictures))
    assert {0, 1, 2, 3, 4} == given, "cut after the last picture, all of them were given, and still there was no end"


def test_a_genuine_archive_with_a_forged_last_chunk_does_not_end(draft: Draft) -> None:
    """All pictures were read and right, and still only the last chunk of the age file makes the end."""
    grown(draft)
    whole = bytearray(encrypted(draft.plain(), PARTIES.device.recipient))
    whole[-1] ^= 1
    with pytest.raises(AgeFileError):
        taken(bytes(whole))


def test_another_device_reads_nothing(draft: Draft) -> None:
    """It is encrypted to somebody else."""
    with pytest.raises(AgeFileError):
        taken(encrypted(draft.plain(), AgeIdentity.generate().recipient))


@pytest.mark.parametrize(
    ("signer", "refusal"),
    [
        (PARTIES.by_role[Role.CONTROL], BundleRefusal.ISSUER_ROLE),
        (PARTIES.by_role[Role.AUTHORISE], BundleRefusal.ISSUER_ROLE),
        (PARTIES.by_role[Role.REVOKE], BundleRefusal.ISSUER_ROLE),
        (PARTIES.by_role[Role.ISSUE], BundleRefusal.ISSUER_ROLE),
        (PARTIES.early, BundleRefusal.ISSUER_NOT_VALID),
        (PARTIES.late, BundleRefusal.ISSUER_NOT_VALID),
        (PARTIES.own, BundleRefusal.ISSUER_UNKNOWN),
        (PARTIES.stranger, BundleRefusal.ISSUER_UNKNOWN),
    ],
    ids=["control", "authorise", "revoke", "issue", "not-yet", "no-more", "the-appliance-itself", "nobody"],
)
def test_only_a_valid_issuer_signs(draft: Draft, signer: SigningKey, refusal: BundleRefusal) -> None:
    """No other role, no other time, not the appliance itself; and each is told apart."""
    draft.signer = signer
    assert refusal == refusal_of(draft.plain())


def test_an_operational_bundle_needs_an_issuer(draft: Draft) -> None:
    """In operation a trainer's key counts for nothing, and the issuer's counts."""
    draft.manifest["mode"] = "operational"
    assert BundleRefusal.ISSUER_ROLE == refusal_of(draft.plain(), mode=Mode.OPERATIONAL)
    draft.signer = PARTIES.by_role[Role.ISSUE]
    assert taken(encrypted(draft.plain(), PARTIES.device.recipient), mode=Mode.OPERATIONAL)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff" * 100])
def test_nothing_unsigned_is_parsed(draft: Draft, content: bytes) -> None:
    """Whatever the manifest is, the signature is asked about first."""
    draft.signer = PARTIES.stranger
    assert BundleRefusal.ISSUER_UNKNOWN == refusal_of(archive(draft.signed(content)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe{}",
        b'{"schema":"lfr.watchlist/1","schema":"lfr.watchlist/1"}',
        b"1" * 10_000,
    ],
    ids=["empty", "half", "null", "deep-lists", "deep-objects", "utf-16", "a-key-twice", "a-long-number"],
)
def test_a_signed_manifest_may_still_be_nonsense(draft: Draft, content: bytes) -> None:
    """An issuer's key may be stolen: the parser meets what it bounds, and says so in one error."""
    with pytest.raises(WatchlistFormatError):
        taken(encrypted(archive(draft.signed(content)), PARTIES.device.recipient))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "content",
    [
        b'{"issuer":"' + b'\\"' * 1_000_000,
        b'{"issuer":"' + b'\\"' * 1_000_000 + b"\\",
        b"]" * 10_000_000,
        b"{" + b",".join(b'"%d":0' % number for number in range(1_000_000)) + b"}",
        b'{"devices":[' + b"0," * 1_000_000 + b"0]}",
        b'{"entries":[' + b"0," * 1_900_000 + b"0]}",
        b'{"entries":[' + b"{}," * 60_000 + b"{}]}",
    ],
    ids=["never-closed", "ends-in-an-escape", "only-closed", "many-fields", "many-devices", "many-zeros", "many-empty"],
)
def test_nonsense_of_any_size_takes_little_time(draft: Draft, content: bytes) -> None:
    """A quote that is never closed once took time by the square of its length; a million faults, gigabytes."""
    with pytest.raises(WatchlistFormatError):
        taken(encrypted(archive(draft.signed(content)), PARTIES.device.recipient))


def test_a_key_that_stands_twice_is_refused(draft: Draft) -> None:
    """Also deep inside, where two readers could believe different names of one picture."""
    doubled = json.dumps(draft.manifest).replace('"source": "custody"', '"source": "custody", "source": "custody"', 1)
    with pytest.raises(WatchlistFormatError, match="twice"):
        taken(encrypted(archive(draft.signed(doubled.encode())), PARTIES.device.recipient))


def test_there_are_no_more_pictures_than_the_bound(draft: Draft) -> None:
    """The 60,001st is refused by the manifest alone; no picture needs to follow."""
    few = [named(number, b"x") for number in range(1, 60_002)]
    draft.manifest["entries"] = [entry(start // 10, few[start : start + 10]) for start in range(0, len(few), 10)]
    draft.pictures = {}
    with pytest.raises(WatchlistFormatError, match="60000"):
        taken(encrypted(draft.plain(), PARTIES.device.recipient))


@pytest.mark.parametrize("said", [MAX_MANIFEST_BYTES + 1, 65 << 20, 8**11 - 1])
def test_a_manifest_is_bounded_by_its_head(said: int) -> None:
    """Before a byte of it is read."""
    assert BundleRefusal.ARCHIVE_SIZE == refusal_of(head(b"manifest.json", said) + bytes(1_000))


def test_another_mode_is_refused(draft: Draft) -> None:
    """Even if a trainer signs it, nothing operational is loaded in training."""
    draft.manifest["mode"] = "operational"
    assert BundleRefusal.MODE == refusal_of(draft.plain())


@pytest.mark.parametrize("device", ["anytown/van-2", "anytown", "othertown/van-1", "anytown/van-1/training", ""])
def test_another_appliance_is_refused(draft: Draft, device: str) -> None:
    """Encrypted to us is not enough: the signed manifest has to name us."""
    assert BundleRefusal.DEVICE == refusal_of(draft.plain(), device=device)


@pytest.mark.parametrize(
    ("age", "refusal"),
    [
        (timedelta(hours=24), None),
        (timedelta(hours=24, seconds=1), BundleRefusal.EXTRACT_OLD),
        (timedelta(days=400), BundleRefusal.EXTRACT_OLD),
        (timedelta(0), None),
        (timedelta(seconds=-30), None),
        (timedelta(seconds=-31), BundleRefusal.EXTRACT_FUTURE),
        (timedelta(days=-400), BundleRefusal.EXTRACT_FUTURE),
    ],
    ids=str,
)
def test_an_extract_is_of_the_last_day(draft: Draft, age: timedelta, refusal: BundleRefusal | None) -> None:
    """To the second; and not of the future, but for what two clocks may differ."""
    draft.manifest["extracted_at"] = (NOW - age).isoformat()
    if refusal is None:
        assert taken(encrypted(draft.plain(), PARTIES.device.recipient))
    else:
        assert refusal == refusal_of(draft.plain())


def test_another_list_than_the_authority_names_is_refused(draft: Draft) -> None:
    """If a list is wanted, it is that one."""
    assert BundleRefusal.LIST_ID == refusal_of(draft.plain(), list_id="list-8")
    assert taken(encrypted(draft.plain(), PARTIES.device.recipient), list_id="list-7")


def test_pictures_pass_once(draft: Draft) -> None:
    """To ask again is a caller's mistake, and no empty list."""
    with reader(encrypted(draft.plain(), PARTIES.device.recipient)) as bundle:
        list(bundle.pictures())
        with pytest.raises(RuntimeError, match="once"):
            list(bundle.pictures())


def test_a_bundle_may_be_left_in_the_middle(draft: Draft) -> None:
    """Its decryption ends with it."""
    with reader(encrypted(draft.plain(), PARTIES.device.recipient)) as bundle:
        next(bundle.pictures())
    assert not bundle._opened._age._thread.is_alive()


@pytest.mark.parametrize("kind", ["absent", "folder", "link", "pipe", "unreadable-name"])
def test_only_a_plain_file_is_opened(tmp_path: Path, kind: str) -> None:
    """No link is followed, and nobody waits on a pipe."""
    path = tmp_path / "list.lfrw"
    match kind:
        case "folder":
            path.mkdir()
        case "link":
            (tmp_path / "other").write_bytes(b"x")
            path.symlink_to(tmp_path / "other")
        case "pipe":
            os.mkfifo(path)
        case "unreadable-name":
            path = tmp_path / ("n" * 300)
    with pytest.raises(BundleRefusedError) as caught:
        open_bundle(path)
    assert (BundleRefusal.FOLDER if kind == "folder" else BundleRefusal.FILE) == caught.value.refusal


BOMB_MB = 300

BOMB = f"""
import io, json, os, resource, sys
from datetime import datetime
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.trust import TrustStore
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.reading import BundleReader, open_bundle

identity = AgeIdentity.parse(sys.stdin.read())
begin_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refusal = None
try:
    with open_bundle(sys.argv[1]) as file, BundleReader(
        file, identity, TrustStore(), mode=Mode.TRAINING, device="{DEVICE}", device_fingerprint=None,
        now=datetime.fromisoformat("{NOW.isoformat()}"),
    ) as bundle:
        list(bundle.pictures())
except EdgeLfrError as error:
    refusal = str(getattr(error, "refusal", error.code))
print(json.dumps({{"refusal": refusal, "kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin_kb}}))
"""


@pytest.mark.parametrize(
    ("beginning", "refusal"),
    [
        (head(b"manifest.json", BOMB_MB << 20), BundleRefusal.ARCHIVE_SIZE),
        (b"", BundleRefusal.ARCHIVE_TRAILING),
        (
            archive({"manifest.json": b"{}"})[: -len(END)] + head(b"manifest.sig", BOMB_MB << 20),
            BundleRefusal.SIGNATURE_SIZE,
        ),
        (head(b"pictures/000001.jpg", BOMB_MB << 20), BundleRefusal.ARCHIVE_SIZE),
    ],
    ids=["as-manifest", "as-nothing", "as-signature", "as-picture"],
)
def test_a_bomb_is_refused_without_holding_it(tmp_path: Path, beginning: bytes, refusal: BundleRefusal) -> None:
    """Decrypted it would have 300 MB; the process that refuses it grows by a few."""
    bundle = tmp_path / "bomb.lfrw"
    bundle.write_bytes(encrypted(beginning + bytes(BOMB_MB << 20), PARTIES.device.recipient))
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(bundle)],
        input=PARTIES.device.secret(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(done.stdout)
    assert refusal == found["refusal"]
    assert found["kb"] < 20_000
