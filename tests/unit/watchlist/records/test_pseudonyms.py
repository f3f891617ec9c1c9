"""Manifests of lists under pseudonyms: written before a list is live, read by one officer, believed only when whole."""

import hashlib
import hmac
import io
import json
import re
import subprocess
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.errors import AgeFileError, ConfigError, EdgeLfrError, WatchlistStorageError
from edge_lfr.governance.age_files import AgeIdentity, encrypt
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Envelope, Kind, canonical
from edge_lfr.governance.ledger.head import public_text
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.records.pseudonyms import (
    FOLDER,
    MAX_DOCUMENT_BYTES,
    MAX_PLAIN_BYTES,
    PENDING,
    ListedManifest,
    ListedManifestError,
    ProtectionOfficer,
    officer_of,
    read_manifest,
    require_officer,
    settle,
)
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.command import CONFIG
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, load, manifests_in, new_store, picture, templates

KEY = AgeIdentity.generate()
DEVICE = "anytown/van-1/training"
SIGNING = SigningKey.generate()
OFFICER = ProtectionOfficer(recipient=KEY.recipient, device=DEVICE, signing=SIGNING)
MAX_MEMORY_BYTES = 64 << 20
"""A few copies of the largest file, and far less than a tree of the JSON that fits into it. Chosen, not measured."""

LINES = b"3" * 64 + b"\n"


@pytest.fixture
def store(tmp_path: Path) -> SealedStore:
    return new_store(tmp_path, OFFICER)


def folder_of(store: SealedStore) -> Path:
    return store.directory.parent / FOLDER


def manifests(store: SealedStore) -> list[ListedManifest]:
    """Read as the officer reads them, oldest first."""
    return [opened(manifest.path) for manifest in manifests_in(store.directory.parent)]


def opened(path: Path) -> ListedManifest:
    with path.open("rb") as file:
        return read_manifest(file, KEY)


def encrypted(plain: bytes) -> io.BytesIO:
    out = io.BytesIO()
    encrypt(io.BytesIO(plain), out, [KEY.recipient])
    return io.BytesIO(out.getvalue())


def whole() -> dict[str, Any]:
    """What a manifest says, as a tree that a test may break."""
    return {
        "schema": "lfr.pseudonyms/1",
        "device": DEVICE,
        "list_id": "0" * 16,
        "list_digest": "1" * 64,
        "bundle": None,
        "live_from": "2026-06-01T08:00:00Z",
        "must_end_at": None,
        "salt": "2" * 64,
        "references": 1,
        "references_sha256": hashlib.sha256(LINES).hexdigest(),
        "public_key": public_text(SIGNING.public),
    }


def signed(content: dict[str, Any], lines: bytes = LINES, *, kind: Kind = Kind.LISTED_MANIFEST) -> bytes:
    """What the appliance would encrypt if it said that."""
    return Envelope(kind, canonical(content), ()).with_signature(SIGNING).wire() + lines


def test_without_an_officer_nothing_is_written(tmp_path: Path) -> None:
    """Nobody could read it."""
    load(new_store(tmp_path), range(3))
    assert not (tmp_path / FOLDER).exists()


def test_a_list_says_under_pseudonyms_who_is_on_it(store: SealedStore) -> None:
    """By the digests that anybody can compute who has salt and id, in no order that tells anything."""
    before = datetime.now(UTC)
    list_id = load(store, range(5))
    (manifest,) = manifests(store)
    found = manifest.content
    assert SIGNING.fingerprint == manifest.signer.fingerprint
    assert (DEVICE, list_id, None, None) == (found.device, found.list_id, found.bundle, found.must_end_at)
    assert before <= found.live_from <= datetime.now(UTC)
    with store.open() as stored:
        assert stored.digest == found.list_digest
        salt = bytes.fromhex(found.salt)
        expected = [hmac.new(salt, one.encode(), hashlib.sha256).hexdigest() for one in stored.reference_ids]
    assert sorted(expected) == manifest.lines.decode().split()
    assert len(expected) == found.references
    assert all(manifest.has(entry(number).reference_id) for number in range(5))
    assert not manifest.has(entry(5).reference_id)


def test_bundle_and_end_are_named_where_there_are_any(store: SealedStore) -> None:
    """So that an answer leads to the issuer's record, and has an end although nobody certified one."""
    end = datetime.now(UTC) + timedelta(hours=10)
    origin = Origin(list_id="op-1", issuer_key="a" * 64, extracted_at=end, manifest_sha256="b" * 64)
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=end, origin=origin) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    (manifest,) = manifests(store)
    found = manifest.content
    assert found.bundle is not None
    assert ("op-1", "b" * 64, end) == (found.bundle.list_id, found.bundle.manifest_sha256, found.must_end_at)


def test_the_distribution_opens_it_with_a_key_of_age_keygen(tmp_path: Path) -> None:
    """And finds nothing of a person inside: exactly the fields that it must have, and a salt of its own each time."""
    subprocess.run(["age-keygen", "-o", tmp_path / "officer.age"], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", tmp_path / "officer.age"], check=True, capture_output=True, text=True)
    (tmp_path / "van.toml").write_text(CONFIG + f'protection_officer = "{public.stdout.strip()}"\n')
    officer = officer_of(load_config(tmp_path / "van.toml", {}))
    store = new_store(tmp_path / "training", officer)
    load(store, range(3))
    load(store, range(3))
    said = []
    for path in (manifest.path for manifest in manifests_in(store.directory.parent)):
        assert b"REF-" not in path.read_bytes()
        assert 0o600 == path.stat().st_mode & 0o777
        command = ["age", "-d", "-i", str(tmp_path / "officer.age"), str(path)]
        said.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())
    documents = [json.loads(head)["content"] for head, *_ in said]
    assert [set(whole())] * 2 == [set(one) for one in documents]
    assert not re.search("REF-|Subject|suspect|observe", json.dumps(said), re.IGNORECASE)
    assert 2 == len({one["salt"] for one in documents})
    assert set(said[0][1:]).isdisjoint(said[1][1:])
    assert [DeviceKeys.load(tmp_path / "state/device").fingerprint] * 2 == [
        json.loads(head)["signatures"][0]["key"] for head, *_ in said
    ]


def test_the_appliance_cannot_read_it_back(store: SealedStore) -> None:
    """No other key opens it."""
    load(store, range(3))
    (manifest,) = manifests_in(store.directory.parent)
    with manifest.path.open("rb") as file, pytest.raises(AgeFileError):
        read_manifest(file, AgeIdentity.generate())


def test_a_removal_leaves_a_manifest_without_whom_it_removed(store: SealedStore) -> None:
    """The first one stays: the removed person was on that list."""
    load(store, range(3))
    store.remove({entry(1).reference_id})
    first, second = manifests(store)
    assert first.has(entry(1).reference_id)
    assert not second.has(entry(1).reference_id)
    assert 2 == second.content.references


def test_manifests_outlive_the_wipe(store: SealedStore) -> None:
    """That is what they are for."""
    list_id = load(store, range(3))
    wiped = store.wipe()
    assert list_id == wiped.live
    assert [list_id] == [found.content.list_id for found in manifests(store)]


def test_a_list_whose_manifest_cannot_be_written_does_not_become_live(store: SealedStore) -> None:
    """The list before stays, and so does its manifest."""
    first = load(store, range(3))
    folder = folder_of(store)
    folder.rename(folder.with_suffix(".away"))
    folder.write_bytes(b"")
    with pytest.raises(WatchlistStorageError):
        load(store, range(10, 13))
    folder.unlink()
    folder.with_suffix(".away").rename(folder)
    with store.open() as stored:
        assert first == stored.list_id
    assert [first] == [found.content.list_id for found in manifests(store)]


def test_a_list_that_never_became_live_leaves_no_manifest(store: SealedStore) -> None:
    """What an interruption left pending is no evidence: nobody was searched for."""
    first = load(store, range(3))
    folder = folder_of(store)
    (kept,) = folder.iterdir()
    stray = folder / f"20260601T080000.000000Z-{'0' * 16}.age{PENDING}"
    stray.write_bytes(kept.read_bytes())
    store.open().close()
    assert [kept] == list(folder.iterdir())
    assert [first] == [manifest.list_id for manifest in manifests_in(folder.parent)]


def test_the_manifest_of_the_live_list_is_settled_by_whoever_comes_next(store: SealedStore) -> None:
    """Also by a wipe, and by one that is killed behind its first key."""
    load(store, range(3))
    (kept,) = folder_of(store).iterdir()
    kept.rename(kept.with_name(kept.name + PENDING))
    assert [] == manifests_in(store.directory.parent)
    store.wipe()
    assert [kept] == list(folder_of(store).iterdir())


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Only what has the name of a manifest is one; a link is none."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "notes.txt").write_text("")
    (folder / f"20260601T080000.000000Z-{'0' * 16}.age").symlink_to(folder / "notes.txt")
    settle(folder, None)
    assert 2 == len(list(folder.iterdir()))
    assert [] == manifests_in(tmp_path)
    assert [] == manifests_in(tmp_path / "absent")


def test_operation_needs_an_officer(tmp_path: Path) -> None:
    """Training does not."""
    path = tmp_path / "van.toml"
    path.write_text(CONFIG)
    require_officer(load_config(path, {}))
    assert None is officer_of(load_config(path, {}))
    path.write_text(CONFIG.replace('mode = "training"', 'mode = "operational"'))
    with pytest.raises(ConfigError, match=r"trust\.protection_officer"):
        require_officer(load_config(path, {}))
    path.write_text(path.read_text() + f'protection_officer = "{KEY.recipient.text}"\n')
    require_officer(load_config(path, {}))


def test_a_whole_manifest_is_read() -> None:
    """The one that the tests below break."""
    assert "0" * 16 == read_manifest(encrypted(signed(whole())), KEY).content.list_id


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "lfr.pseudonyms/2"},
        {"schema": None},
        {"device": "anytown"},
        {"device": "anytown/van-1/training\x1b[2J"},
        {"list_id": "../../etc/passwd"},
        {"list_digest": "1" * 63},
        {"live_from": "2026-06-01T08:00:00"},
        {"live_from": 1e308},
        {"must_end_at": "tomorrow"},
        {"salt": ""},
        {"live_from": 1_780_000_000},
        {"references": 0},
        {"references": 60_001},
        {"references": "1"},
        {"references": ["3" * 64]},
        {"references_sha256": ""},
        {"public_key": "A" * 44},
        {"public_key": "A" * 43},
        {"label": "Subject 1"},
        {"bundle": {"list_id": "op-1"}},
        {"bundle": [[[[[[]]]]]]},
    ],
)
def test_what_breaks_the_form_is_refused(change: dict[str, Any]) -> None:
    """In one sentence, which repeats nothing of it."""
    with pytest.raises(ListedManifestError) as caught:
        read_manifest(encrypted(signed({**whole(), **change})), KEY)
    assert "what is encrypted there is no manifest of a list" == caught.value.message


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\n",
        b"\xff\x00\n",
        b"[" * 4_000 + b"\n",
        b'{"schema": 1, "schema": 1}\n',
        b"1" * 4_000 + b"\n",
        json.dumps(whole()).encode() + b"\n" + LINES,
        signed(whole(), kind=Kind.WIPE_CERTIFICATE),
        signed(whole()).partition(b"\n")[0],
    ],
    ids=["nothing", "empty", "noise", "deep", "twice", "number", "unsigned", "kind", "endless"],
)
def test_what_is_no_document_is_refused(plain: bytes) -> None:
    """Nothing, noise, a deep well, a name twice, a number without end, a manifest that nobody signed."""
    with pytest.raises(ListedManifestError, match="no manifest of a list"):
        read_manifest(encrypted(plain), KEY)


@pytest.mark.parametrize(
    "lines",
    [b"", LINES * 2, LINES[:-1], b"4" * 64 + b"\n", LINES + b"\n", b"3" * 65],
    ids=["none", "more", "cut", "another", "empty", "endless"],
)
def test_other_references_than_the_signed_ones_are_refused(lines: bytes) -> None:
    """One added, taken away or changed: whoever can encrypt to the officer cannot turn a yes into a no."""
    with pytest.raises(ListedManifestError, match="not the ones that were signed"):
        read_manifest(encrypted(signed(whole(), lines)), KEY)


def test_lines_of_another_form_are_refused_though_their_digest_is_signed() -> None:
    """A search for a digest must not find one that lies across two lines."""
    for lines in (b"3" * 63 + b"\n3", b"3" * 63 + b"G\n", b"3" * 65):
        content = {**whole(), "references_sha256": hashlib.sha256(lines).hexdigest()}
        with pytest.raises(ListedManifestError, match="not the ones that were signed"):
            read_manifest(encrypted(signed(content, lines)), KEY)


def test_a_changed_document_is_refused() -> None:
    """The signature is over every field, and of the key that the document names."""
    changed = signed(whole()).replace(b"2026-06-01", b"2026-06-02")
    other = signed({**whole(), "public_key": public_text(SigningKey.generate().public)})
    for plain in (changed, other):
        with pytest.raises(ListedManifestError, match="not signed by the appliance that it names"):
            read_manifest(encrypted(plain), KEY)


def test_what_is_too_large_is_refused_before_it_is_believed() -> None:
    """A small file may hold much: all of it, and the part that is read as JSON, are bounded before that."""
    with pytest.raises(ListedManifestError, match="larger"):
        read_manifest(encrypted(b" " * (MAX_PLAIN_BYTES + 1)), KEY)
    wide = Envelope(Kind.LISTED_MANIFEST, canonical({**whole(), "x": "y" * MAX_DOCUMENT_BYTES}), ())
    tracemalloc.start()
    try:
        for plain in (wide.with_signature(SIGNING).wire(), b"[" + b"{}," * ((MAX_PLAIN_BYTES - 8) // 3) + b"{}]\n"):
            with pytest.raises(ListedManifestError, match="no manifest of a list"):
                read_manifest(encrypted(plain), KEY)
        assert MAX_MEMORY_BYTES > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_what_was_cut_off_is_refused(cut: int) -> None:
    """A manifest is whole or nothing."""
    with pytest.raises(EdgeLfrError):
        read_manifest(io.BytesIO(encrypted(signed(whole())).getvalue()[:cut]), KEY)
