"""Files that are there as a whole, or not at all."""

import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_lfr.durable_files import create_durably, overwrite_and_unlink, write_durably


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may have a single byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Also over what a killed process left; the mode is the one that was asked for."""
    path = tmp_path / "file"
    (tmp_path / "file.partial").write_bytes(b"half")

    write_durably(path, b"one")
    write_durably(path, b"other", mode=0o644)

    assert (b"other", 0o644) == (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    assert [path] == list(tmp_path.iterdir())


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    """What has the name already stays as it is."""
    path = tmp_path / "file"
    create_durably(path, b"one")

    with pytest.raises(FileExistsError):
        create_durably(path, b"other")

    assert (b"one", 0o600) == (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))


@pytest.mark.parametrize("write", [write_durably, create_durably])
def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    """Nor an empty one, which would stand in the way of the next try."""
    with full_disk(), pytest.raises(OSError, match="too large"):
        write(tmp_path / "file", b"much")

    assert [] == list(tmp_path.iterdir())


def test_a_destroyed_file_was_overwritten(tmp_path: Path) -> None:
    """A second name for it shows the zeros; a missing file is no error."""
    path = tmp_path / "file"
    path.write_bytes(b"secret")
    (tmp_path / "witness").hardlink_to(path)

    overwrite_and_unlink(path)
    overwrite_and_unlink(path)

    assert [bytes(6)] == [one.read_bytes() for one in tmp_path.iterdir()]


def test_what_cannot_be_overwritten_is_taken_away_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that copies on write and has no room left; whoever asked learns that the old block may still be there."""
    path = tmp_path / "file"
    path.write_bytes(b"secret")

    def refuse(_descriptor: int, _data: bytes, _offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(OSError, match="No space left"):
        overwrite_and_unlink(path)

    assert [] == list(tmp_path.iterdir())


def test_nothing_lies_below_a_file(tmp_path: Path) -> None:
    """A key that would lie in a plain file is missing, like any other."""
    (tmp_path / "file").write_bytes(b"x")
    overwrite_and_unlink(tmp_path / "file" / "key")
    assert b"x" == (tmp_path / "file").read_bytes()
