"""Bundles on their way out: read by our own reader and by tools that are not ours, whole or not there at all."""

import io
import os
import resource
import signal
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization

from edge_lfr.clock import SystemClock
from edge_lfr.errors import WatchlistFormatError
from edge_lfr.governance.age_files import AgeIdentity, AgeReader
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.manifest import SCHEMA, BundleHead, BundleManifest, ManifestEntry
from edge_lfr.watchlist.bundle.reading import BundleReader
from edge_lfr.watchlist.bundle.writing import BundleWriteError, WrittenBundle, describe, write_bundle
from edge_lfr.watchlist.enrolling.pictures import PictureRefusedError
from simulators.watchlists import made_entry

DEVICE = "anytown/van-1"
PICTURES = 5


@dataclass
class Desk:
    """A folder of pictures of noise, an issuer's key and an appliance's identity."""

    folder: Path
    key: SigningKey
    appliance: AgeIdentity
    paths: list[Path]
    manifest: BundleManifest

    @property
    def out(self) -> Path:
        return self.folder / "market.lfrw"

    def write(self, *, may_replace: bool = False) -> WrittenBundle:
        return write_bundle(
            self.out,
            self.manifest,
            self.paths,
            issuer=self.key,
            recipients=[AgeIdentity.generate().recipient, self.appliance.recipient],
            may_replace=may_replace,
        )

    def plain(self) -> bytes:
        with self.out.open("rb") as file, AgeReader(file, self.appliance) as reader:
            return b"".join(iter(lambda: reader.read(100_000), b""))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """One person with two pictures, three with one; the formats alternate, the names do not matter."""
    pixels = np.random.default_rng(1)
    paths = []
    for number in range(PICTURES):
        path = tmp_path / f"{'abcde'[number]} picture{('.jpg', '.png')[number % 2]}"
        cv2.imwrite(str(path), pixels.integers(0, 256, (64, 48, 3), np.uint8))
        paths.append(path)
    described = [describe(path, number, source="custody", taken_on=None) for number, path in enumerate(paths, start=1)]
    head = BundleHead(
        schema=SCHEMA,
        mode=Mode.TRAINING,
        issuer="Watchlist office",
        devices=(DEVICE,),
        list_id="market",
        extracted_at=SystemClock().utc_now(),
    )
    groups = [described[:2], *([one] for one in described[2:])]
    manifest = head.with_entries(
        ManifestEntry.of(made_entry(f"REF-{number}"), tuple(group)) for number, group in enumerate(groups)
    )
    return Desk(tmp_path, SigningKey.generate(), AgeIdentity.generate(), paths, manifest)


def leftovers(desk: Desk) -> set[str]:
    return {path.name for path in desk.folder.iterdir()} - {path.name for path in desk.paths}


def test_the_reader_takes_what_was_written(desk: Desk) -> None:
    """Every picture, in order, with the issuer's name; the digest that was told is the one that is read."""
    written = desk.write()
    now = SystemClock().utc_now()
    day = timedelta(days=1)
    issuer = TrustedKey(desk.key.fingerprint, Role.TRAIN, now - day, now + day, "office", desk.key.public)

    with (
        desk.out.open("rb") as file,
        BundleReader(
            file,
            desk.appliance,
            TrustStore({issuer.fingerprint: issuer}),
            mode=Mode.TRAINING,
            device=DEVICE,
            device_fingerprint="0" * 64,
            now=now,
        ) as reader,
    ):
        pictures = [picture.untrusted for picture in reader.pictures()]
        assert (desk.manifest, issuer, written.digest) == (reader.manifest, reader.issuer, reader.digest)

    assert [path.read_bytes() for path in desk.paths] == pictures
    assert (4, PICTURES, desk.out.stat().st_size, desk.key.fingerprint) == (
        written.entries,
        written.pictures,
        written.size_bytes,
        written.signer,
    )


def test_tools_that_are_not_ours_read_it(desk: Desk) -> None:
    """`age` decrypts, `tar` lists the members in order and gives the pictures, `openssl` accepts the signature."""
    desk.write()
    identity, public, unpacked = desk.folder / "identity", desk.folder / "issuer.pem", desk.folder / "unpacked"
    identity.write_text(desk.appliance.secret())
    public.write_bytes(
        desk.key.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    unpacked.mkdir()

    def run(*command: object) -> bytes:
        return subprocess.run([os.fspath(one) for one in command], check=True, capture_output=True).stdout  # type: ignore[call-overload]

    tar = desk.folder / "plain.tar"
    tar.write_bytes(run("age", "-d", "-i", identity, desk.out))
    names = run("tar", "-tf", tar).decode().split()
    run("tar", "-xf", tar, "-C", unpacked)

    suffixes = ("jpg", "png", "jpg", "png", "jpg")
    assert [
        "manifest.json",
        "manifest.sig",
        *(f"pictures/{number:06}.{suffix}" for number, suffix in enumerate(suffixes, start=1)),
    ] == names
    assert [path.read_bytes() for path in desk.paths] == [(unpacked / name).read_bytes() for name in names[2:]]
    checked = ("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public)
    files = ("-in", unpacked / "manifest.json", "-sigfile", unpacked / "manifest.sig")
    assert b"Verified Successfully" in run(*checked, *files)


def test_the_archive_tells_nothing_about_its_maker(desk: Desk) -> None:
    """No user, no time, no extension; the same list gives the same archive, and age another file each time."""
    desk.write()
    first, encrypted = desk.plain(), desk.out.read_bytes()
    for path in desk.paths:
        os.utime(path, (1, 1))
    desk.write(may_replace=True)

    assert first == desk.plain()
    assert encrypted != desk.out.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        for member in archive:
            assert (0, 0, 0, "", "", 0o600) == (
                member.mtime,
                member.uid,
                member.gid,
                member.uname,
                member.gname,
                member.mode,
            )
            assert member.isreg()
            assert {} == member.pax_headers


def test_a_bundle_is_for_its_owner_alone(desk: Desk) -> None:
    """Whatever the umask is."""
    umask = os.umask(0)
    try:
        desk.write()
    finally:
        os.umask(umask)
    assert 0o600 == stat.S_IMODE(desk.out.stat().st_mode)


def test_a_file_is_replaced_only_on_demand(desk: Desk) -> None:
    """Nothing of the old one is touched otherwise; a link in its place is no free place."""
    desk.out.write_text("old")
    with pytest.raises(BundleWriteError, match="is there already"):
        desk.write()
    assert "old" == desk.out.read_text()
    desk.write(may_replace=True)
    desk.out.unlink()
    desk.out.symlink_to("nowhere")
    with pytest.raises(BundleWriteError, match="is there already"):
        desk.write()


def test_who_comes_in_between_is_not_replaced(desk: Desk) -> None:
    """A file that appears while pictures are written stays as it is."""

    def appear(done: int, _total: int) -> None:
        if done == PICTURES:
            desk.out.write_text("another")

    with pytest.raises(BundleWriteError, match="is there already"):
        write_bundle(
            desk.out,
            desk.manifest,
            desk.paths,
            issuer=desk.key,
            recipients=[desk.appliance.recipient],
            progress=appear,
        )
    assert "another" == desk.out.read_text()
    assert {"market.lfrw"} == leftovers(desk)


def test_no_plain_byte_reaches_the_disk(desk: Desk) -> None:
    """What lies beside the bundle while it is made is encrypted; and nothing else does."""
    pictures = [path.read_bytes() for path in desk.paths]
    seen: list[bytes] = []

    def look(_done: int, _total: int) -> None:
        (name,) = leftovers(desk)
        seen.append((desk.folder / name).read_bytes())

    write_bundle(
        desk.out, desk.manifest, desk.paths, issuer=desk.key, recipients=[desk.appliance.recipient], progress=look
    )
    assert PICTURES == len(seen)
    for content in [*seen, desk.out.read_bytes()]:
        assert b"REF-0" not in content
        assert b"pictures/0" not in content
        assert not any(picture[100:116] in content for picture in pictures)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_picture_that_changed_meanwhile_ends_it(desk: Desk, change: object) -> None:
    """What is signed is what is packed; nothing is left, and the old bundle stays."""
    desk.out.write_text("old")
    assert callable(change)
    change(desk.paths[3])
    with pytest.raises(BundleWriteError, match=r"pictures/000004\.png: the file was changed"):
        desk.write(may_replace=True)
    assert "old" == desk.out.read_text()
    assert {"market.lfrw"} == leftovers(desk)


@contextmanager
def disk_of(size_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("share", [0.001, 0.5, 1.0])
def test_a_full_disk_leaves_nothing(desk: Desk, share: float) -> None:
    """At the beginning, in the middle, and where only what age adds to the archive does not fit."""
    desk.write()
    size = len(desk.plain())
    desk.out.unlink()
    with disk_of(int(size * share)), pytest.raises(BundleWriteError, match="cannot be written"):
        desk.write()
    assert set() == leftovers(desk)


def test_a_folder_that_is_not_there_is_told(desk: Desk) -> None:
    """Exit status 73."""
    with pytest.raises(BundleWriteError, match="cannot be written") as caught:
        write_bundle(
            desk.folder / "absent" / "x.lfrw",
            desk.manifest,
            desk.paths,
            issuer=desk.key,
            recipients=[desk.appliance.recipient],
        )
    assert os.EX_CANTCREAT == caught.value.exit_status


def test_what_no_appliance_would_take_is_not_signed(desk: Desk) -> None:
    """A manifest out of order is refused before a byte is written."""
    entries = desk.manifest.entries
    desk.manifest = desk.manifest.model_copy(update={"entries": entries[::-1]})
    desk.paths.sort(reverse=True)
    with pytest.raises(WatchlistFormatError, match="entry 1, name"):
        desk.write()
    assert set() == leftovers(desk)


def test_a_callers_mistake_is_none_of_the_bundle(desk: Desk) -> None:
    """Other counts of pictures, nobody to read it, or too many."""
    for paths, recipients in (
        (desk.paths[1:], [desk.appliance.recipient]),
        (desk.paths, []),
        (desk.paths, [desk.appliance.recipient] * 33),
    ):
        with pytest.raises(ValueError, match="expected"):
            write_bundle(desk.out, desk.manifest, paths, issuer=desk.key, recipients=recipients)
    assert set() == leftovers(desk)


def test_only_pictures_are_described(desk: Desk) -> None:
    """By their bytes, whatever their names are."""
    text = desk.folder / "text"
    text.write_text("no picture")
    with pytest.raises(PictureRefusedError):
        describe(text, 1, source="custody", taken_on=None)
