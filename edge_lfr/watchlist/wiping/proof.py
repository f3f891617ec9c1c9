"""
That a wiped list is gone: what was taken of it beforehand is looked for, and what still lies there is counted.

Enters: fragments, one sealed row and the list's name, from before the wipe. Leaves: numbers, and nothing else. Another
process may do it: what it needs is handed over in memory that has no name.
"""

import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from edge_lfr.errors import SealBrokenError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.seal import KEY_BYTES, OVERHEAD_BYTES, Seal
from edge_lfr.process_figures import children_of
from edge_lfr.process_memory import PIECE_BYTES, MemoryReader
from edge_lfr.terms import Mode
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.sealed.sealed_list import RowKind, StoredWatchlist, key_context, row_context
from edge_lfr.watchlist.wiping.fragments import OVERLAP, Fragments

MAX_FILE_BYTES: Final = 1 << 30
"""Of all files together; an outbox of the design load has some 100 MB. Chosen, not measured."""

_HEADER: Final = struct.Struct("<16sI")
"""List id and length of the sealed row, before the row and the fragments."""

_DELETED: Final = " (deleted)"
"""How Linux names a file that is open and has no name any more."""


@dataclass(frozen=True, slots=True)
class BeforeWipe:
    """What is kept of a list for its proof, until that is done."""

    list_id: str
    fragments: Fragments = field(repr=False)
    sealed_row: bytes = field(repr=False)
    """Its manifest row as it lay on the disk: kept, to see that it does not open any more."""

    @classmethod
    def of(cls, watchlist: StoredWatchlist, gallery: Gallery | None = None) -> Self:
        """
        Take what a proof needs of the live list, and of the gallery that searches it, if one does.

        Raises:
            WatchlistSealError: It does not open.
        """
        return cls(watchlist.list_id, Fragments.taken_of(watchlist, gallery), watchlist.sealed_manifest())

    def to_bytes(self) -> bytes:
        """For another process."""
        head = _HEADER.pack(self.list_id.encode("ascii"), len(self.sealed_row))
        return head + self.sealed_row + self.fragments.to_bytes()

    @classmethod
    def from_bytes(cls, handed_over: bytes) -> Self:
        """
        Take over what `to_bytes` gave.

        Raises:
            ValueError: It is something else.
        """
        if len(handed_over) < _HEADER.size:
            message = "too short to be what a proof needs"
            raise ValueError(message)
        list_id, length = _HEADER.unpack_from(handed_over)
        end = _HEADER.size + length
        return cls(list_id.decode("ascii"), Fragments.from_bytes(handed_over[end:]), handed_over[_HEADER.size : end])


@dataclass(frozen=True, slots=True, kw_only=True)
class WipeProof:
    """What the search came to; a proof where everything but the sizes is zero."""

    fragments: int
    """Looked for: of templates and pictures, 16 bytes each."""

    memory_bytes: int
    memory_hits: int
    processes_unread: int
    """Whose memory could not be read: children that let nobody in, or this process where the kernel refuses."""

    file_bytes: int
    file_hits: int
    files_unread: int
    paths_left: int
    """Files and folders of the list in the store; another one may have begun meanwhile."""

    deleted_files_open: int
    """Files of the state folder without a name that this process or a child still holds open."""

    keys_that_open: int
    """Files in the state folder out of which the kept row still opens."""

    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found, and everything could be looked at."""
        found = self.memory_hits + self.file_hits + self.paths_left + self.deleted_files_open + self.keys_that_open
        unread = self.files_unread + self.processes_unread
        return not found and not unread and self.fragments > 0 and self.memory_bytes > 0


def prove(before: BeforeWipe, *, lists: Path, folder: Path, kek: KeyEncryptingKey | None) -> WipeProof:
    """
    Look for the list in this process, its children and the state folder.

    Args:
        before: Taken before the wipe; its table is zeroed at the end.

        lists: The folder in which the store keeps its lists.

        folder: The mode's state folder, which holds the store.

        kek: Unwraps data keys; without one no key is tried.
    """
    began_s = time.monotonic()
    try:
        memory_bytes, memory_hits, processes_unread = _search_memory(before.fragments)
        file_bytes, file_hits, files_unread = _search_files(before.fragments, folder)
    finally:
        before.fragments.destroy()
    return WipeProof(
        fragments=len(before.fragments),
        memory_bytes=memory_bytes,
        memory_hits=memory_hits,
        processes_unread=processes_unread,
        file_bytes=file_bytes,
        file_hits=file_hits,
        files_unread=files_unread,
        paths_left=_paths_left(lists / before.list_id),
        deleted_files_open=sum(1 for _ in _deleted_and_open(folder)),
        keys_that_open=0 if kek is None else sum(_opens(path, before, kek) for path in _files_below(folder)),
        seconds=time.monotonic() - began_s,
    )


def _search_memory(fragments: Fragments) -> tuple[int, int, int]:
    reader = MemoryReader(OVERLAP)
    searched = hits = unread = 0
    for pid in (os.getpid(), *_descendants(str(os.getpid()))):
        try:
            for piece in reader.pieces(pid):
                searched += len(piece)
                hits += fragments.count_in(piece)
        except OSError as error:  # a decoder lets nobody in; after a wipe none is left that was there before
            has_ended = isinstance(error, (FileNotFoundError, ProcessLookupError)) and pid != os.getpid()
            unread += not has_ended  # the memory of one that has ended meanwhile went with it
    return searched, hits, unread


def _paths_left(folder: Path) -> int:
    return 1 + sum(1 for _ in folder.rglob("*")) if os.path.lexists(folder) else 0


def _descendants(pid: str) -> Iterator[int]:
    for child in children_of(pid):
        yield int(child)
        yield from _descendants(child)


def _search_files(fragments: Fragments, folder: Path) -> tuple[int, int, int]:
    searched = hits = unread = 0
    for path in _files_below(folder):
        try:
            with path.open("rb") as file:
                before = b""
                while piece := file.read(min(PIECE_BYTES, MAX_FILE_BYTES - searched)):
                    searched += len(piece)
                    joined = before + piece
                    hits += fragments.count_in(joined + bytes(-len(joined) % 8))
                    before = joined[len(joined) // 8 * 8 - OVERLAP :] if len(joined) > OVERLAP else joined
        except OSError:
            unread += 1
        if searched >= MAX_FILE_BYTES:
            unread += 1
            break
    return searched, hits, unread


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        try:
            is_plain = stat.S_ISREG(path.lstat().st_mode)
        except OSError:
            continue
        if is_plain:
            yield path


def _deleted_and_open(folder: Path) -> Iterator[str]:
    below = f"{folder.resolve()}/"
    for pid in (os.getpid(), *_descendants(str(os.getpid()))):
        yield from (name for name in _open_files(pid) if name.startswith(below) and name.endswith(_DELETED))


def _open_files(pid: int) -> Iterator[str]:
    with suppress(OSError):  # it has ended
        for entry in list(Path(f"/proc/{pid}/fd").iterdir()):
            with suppress(OSError):  # closed meanwhile, as the descriptor of this very listing is
                yield str(entry.readlink())


def _opens(path: Path, before: BeforeWipe, kek: KeyEncryptingKey) -> bool:
    """Whether *path* holds a wrapped key of that list which opens the kept row."""
    try:
        if path.stat().st_size != KEY_BYTES + OVERHEAD_BYTES:
            return False
        untrusted = path.read_bytes()
    except OSError:
        return False
    return any(_opens_in(mode, untrusted, before, kek) for mode in Mode)


def _opens_in(mode: Mode, untrusted: bytes, before: BeforeWipe, kek: KeyEncryptingKey) -> bool:
    try:
        seal = Seal(kek.unwrap(untrusted, context=key_context(mode, before.list_id)))
        seal.open(before.sealed_row, context=row_context(before.list_id, RowKind.MANIFEST, 0))
    except SealBrokenError:
        return False
    return True
