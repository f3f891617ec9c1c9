"""Installing: by digest from folders, archives and addresses; whole or not at all; nothing else gets in."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_lfr.errors import ModelContractError, ModelDigestError, ModelError, ModelSourceError
from edge_lfr.inference import sources
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.inference.packs import install, verify
from simulators.nets import embedder_like, entry_of, write_files, yunet_like

DETECTOR, EMBEDDER = yunet_like(), embedder_like()
BOTH = {"any/name.bin": DETECTOR, "other": EMBEDDER}


@pytest.fixture(scope="module")
def entry() -> PackEntry:
    return entry_of(DETECTOR, EMBEDDER)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "models"


def tar_of(path: Path, members: dict[str, bytes], *, extra: tarfile.TarInfo | None = None) -> Path:
    mode = "w:gz" if path.name.endswith("gz") else "w:"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # the mode is chosen above
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if extra is not None:
            archive.addfile(extra)
    return path


def zip_of(path: Path, members: dict[str, bytes], *, extra: zipfile.ZipInfo | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if extra is not None:
            archive.writestr(extra, "/etc/passwd")
    return path


def nothing_installed(directory: Path) -> bool:
    return not directory.exists() or not list(directory.iterdir())


def test_folder_is_taken_by_digest_and_not_by_name(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """Names and subfolders of the source do not matter; installed names are the catalogue's."""
    (tmp_path / "source" / "any").mkdir(parents=True)
    for name, content in {**BOTH, "readme.txt": b"hello"}.items():
        (tmp_path / "source" / name).write_bytes(content)
    target = install(tmp_path / "source", entry, directory)
    verify(entry, directory)
    assert {"detector.onnx", "embedder.onnx"} == {path.name for path in target.iterdir()}
    assert ["tiny"] == [path.name for path in directory.iterdir()]


@pytest.mark.parametrize("name", ["pack.zip", "pack.tar", "pack.tar.gz", "pack"])
def test_archives_are_taken_by_content(entry: PackEntry, directory: Path, tmp_path: Path, name: str) -> None:
    """A stick may carry one file, of any of three kinds, called anything."""
    make = zip_of if name == "pack.zip" else tar_of
    install(make(tmp_path / name, BOTH), entry, directory)
    verify(entry, directory)


def test_progress_tells_every_file_to_its_end(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """A person at the stick sees the bytes go by."""
    told: list[tuple[str, int, int]] = []
    source = write_files(tmp_path / "source", detector=DETECTOR, embedder=EMBEDDER)
    install(source, entry, directory, progress=lambda *step: told.append(step))
    ends = {(name, total) for name, done, total in told if done == total}
    assert {("detector.onnx", len(DETECTOR)), ("embedder.onnx", len(EMBEDDER))} == ends


def test_installed_pack_needs_no_source(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """Installing again changes nothing and asks nobody."""
    source = write_files(tmp_path / "source", detector=DETECTOR, embedder=EMBEDDER)
    first = install(source, entry, directory).stat()
    assert first == install(None, entry, directory).stat()


def test_broken_pack_is_replaced(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """Installing repairs a pack that does not verify."""
    source = write_files(tmp_path / "source", detector=DETECTOR, embedder=EMBEDDER)
    (install(source, entry, directory) / "detector.onnx").write_bytes(b"broken")
    install(source, entry, directory)
    verify(entry, directory)
    assert ["tiny"] == [path.name for path in directory.iterdir()]


def test_interrupted_installation_is_cleared_by_the_next(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """A power cut leaves a staging folder, which no pack is loaded from and the next installation removes."""
    write_files(directory / ".staging-tiny", detector=DETECTOR)
    write_files(directory / ".retired-tiny", embedder=EMBEDDER)
    with pytest.raises(ModelError):
        verify(entry, directory)
    install(write_files(tmp_path / "source", detector=DETECTOR, embedder=EMBEDDER), entry, directory)
    assert ["tiny"] == [path.name for path in directory.iterdir()]


def test_failure_in_the_middle_leaves_nothing(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """An installation that is stopped after its first file has installed nothing."""

    def stop(name: str, done: int, total: int) -> None:
        if name == "embedder.onnx" and done == total:
            raise KeyboardInterrupt

    source = write_files(tmp_path / "source", detector=DETECTOR, embedder=EMBEDDER)
    with pytest.raises(KeyboardInterrupt):
        install(source, entry, directory, progress=stop)
    assert nothing_installed(directory)


def test_incomplete_source_says_what_it_lacks(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """The missing file is named with its digest, so that it can be looked for."""
    source = write_files(tmp_path / "source", detector=DETECTOR)
    with pytest.raises(ModelSourceError, match=f"lacks embedder.onnx .*{entry.embedder.file.sha256}"):
        install(source, entry, directory)
    assert nothing_installed(directory)


@pytest.mark.parametrize("content", [EMBEDDER[:-1], EMBEDDER[:-1] + bytes([EMBEDDER[-1] ^ 1])])
def test_right_name_and_wrong_digest_is_refused(
    entry: PackEntry, directory: Path, tmp_path: Path, content: bytes
) -> None:
    """A file that pretends to be a listed one is named as another file; in folders and in archives."""
    source = write_files(tmp_path / "source", detector=DETECTOR, embedder=content)
    members = {"detector.onnx": DETECTOR, "embedder.onnx": content}
    for offered in (source, zip_of(tmp_path / "p.zip", members), tar_of(tmp_path / "p.tar", members)):
        with pytest.raises(ModelDigestError, match=r"embedder.onnx"):
            install(offered, entry, directory)
        assert nothing_installed(directory)


def test_links_in_a_folder_are_not_followed(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """A stick cannot point at files of this machine."""
    write_files(tmp_path / "elsewhere", embedder=EMBEDDER)
    source = write_files(tmp_path / "source", detector=DETECTOR)
    (source / "embedder.onnx").symlink_to(tmp_path / "elsewhere" / "embedder.onnx")
    (source / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelSourceError, match="lacks embedder"):
        install(source, entry, directory)


def tar_member(kind: bytes, name: str = "link.onnx", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, "/etc/passwd"
    return info


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(entry: PackEntry, directory: Path, tmp_path: Path, kind: bytes) -> None:
    """An archive has plain files and folders in it, or it is refused whole."""
    with pytest.raises(ModelSourceError, match="is a link or a device"):
        install(tar_of(tmp_path / "p.tar", BOTH, extra=tar_member(kind)), entry, directory)
    assert nothing_installed(directory)


def test_link_in_a_zip_is_refused(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """A zip hides links in an attribute."""
    link = zipfile.ZipInfo("link.onnx")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with pytest.raises(ModelSourceError, match="is a link or a device"):
        install(zip_of(tmp_path / "p.zip", BOTH, extra=link), entry, directory)
    assert nothing_installed(directory)


@pytest.mark.parametrize(
    "name", ["../evil.onnx", "/etc/evil.onnx", "a/../../evil.onnx", "..\\evil.onnx", "C:/evil.onnx"]
)
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_names_that_point_outside_are_refused(
    entry: PackEntry, directory: Path, tmp_path: Path, name: str, make: Callable[..., Path]
) -> None:
    """Even with the right bytes: whoever made such an archive meant something else."""
    with pytest.raises(ModelSourceError, match="points outside"):
        install(make(tmp_path / "pack", {"a": DETECTOR, name: EMBEDDER}), entry, directory)
    assert nothing_installed(directory)
    assert not (tmp_path / "evil.onnx").exists()


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize("content", [b"hello", bytes(len(DETECTOR))])
def test_unlisted_members_are_refused(
    entry: PackEntry, directory: Path, tmp_path: Path, make: Callable[..., Path], content: bytes
) -> None:
    """An archive with anything but the pack's files is refused, of a listed length or not."""
    with pytest.raises(ModelSourceError, match=r"'readme.txt' is not a file of this pack"):
        install(make(tmp_path / "pack", {**BOTH, "readme.txt": content}), entry, directory)
    assert nothing_installed(directory)


def test_huge_members_are_refused_by_their_header(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """A member that claims 601 MB is refused before a byte of it is read."""
    info = tarfile.TarInfo("huge.onnx")
    info.size = 601_000_000
    path = tmp_path / "p.tar"
    path.write_bytes(info.tobuf())
    with pytest.raises(ModelSourceError, match="601000000 bytes, allowed are 600000000"):
        install(path, entry, directory)


def test_bombs_are_stopped(entry: PackEntry, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an archive unpacks to is bounded, whatever its headers say."""
    monkeypatch.setattr(sources, "MAX_ARCHIVE_BYTES", 10_000)
    with pytest.raises(ModelSourceError, match="unpacks to more than 10000 bytes"):
        install(tar_of(tmp_path / "p.tar.gz", BOTH), entry, directory)


def test_crowded_archives_are_stopped(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """A pack has a handful of members; an archive of many is refused before they are looked at."""
    for make in (zip_of, tar_of):
        with pytest.raises(ModelSourceError, match="more than 64 members"):
            install(make(tmp_path / "many", {f"copy{i}": DETECTOR for i in range(65)}), entry, directory)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8bnot gzip", b"PK\x03\x04"])
def test_what_is_no_archive_is_refused(entry: PackEntry, directory: Path, tmp_path: Path, content: bytes) -> None:
    """An unknown or broken file is a bad source."""
    path = tmp_path / "pack.zip"
    path.write_bytes(content)
    with pytest.raises(ModelSourceError):
        install(path, entry, directory)
    assert nothing_installed(directory)


@pytest.mark.parametrize(("make", "name"), [(zip_of, "p.zip"), (tar_of, "p.tar"), (tar_of, "p.tar.gz")])
def test_truncated_archives_install_nothing(
    entry: PackEntry, directory: Path, tmp_path: Path, make: Callable[..., Path], name: str
) -> None:
    """A copy that was cut short is refused."""
    path = make(tmp_path / name, BOTH)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ModelSourceError):
        install(path, entry, directory)
    assert nothing_installed(directory)


def test_missing_source_is_named(entry: PackEntry, directory: Path, tmp_path: Path) -> None:
    """A path with nothing at its end says so."""
    with pytest.raises(ModelSourceError, match="neither a folder nor an archive"):
        install(tmp_path / "absent", entry, directory)


def test_model_with_the_right_digest_is_still_inspected(directory: Path, tmp_path: Path) -> None:
    """A digest says that it is the file, not that it may be run."""
    entry = entry_of(b"not a net", EMBEDDER)
    with pytest.raises(ModelContractError, match=r"detector.onnx: no ONNX file"):
        install(write_files(tmp_path / "source", detector=b"not a net", embedder=EMBEDDER), entry, directory)
    assert nothing_installed(directory)
