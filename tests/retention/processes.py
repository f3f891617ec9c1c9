"""The memory of a daemon and of all its children, read from outside."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from retention.needles import OVERLAP, Hit, NeedleTable

DAEMON: Final = "daemon"
CHILD: Final = "child"

PIECE_BYTES: Final = 32 << 20
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
KERNELS_OWN: Final = frozenset({"[vvar]", "[vsyscall]", "[vdso]", "[vvar_vclock]"})


@dataclass(frozen=True, slots=True)
class Range:
    """A range of addresses and what lies there."""

    begin: int
    end: int
    name: str
    """A file, a memory file, or one of the kernel's names; empty for anonymous memory."""


@dataclass(frozen=True, slots=True)
class Found:
    """Fragments in one mapping of one process."""

    process: str
    range: Range
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class MemorySearch:
    """What one pass over several processes came to."""

    searched_bytes: Mapping[str, int]
    """By process: `daemon`, and `child` for all its children."""

    found: tuple[Found, ...]


def family(pid: int) -> list[int]:
    """The process and all its descendants that live."""
    members = [pid]
    for member in members:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            members += [int(child) for child in task.read_text().split()]
    return members


def mappings_of(pid: int) -> Iterator[Range]:
    """
    All memory of a process that can hold anything of its own.

    Left out are pages that are not there, and files of which no page was written by anybody: they hold what the file
    holds.
    """
    header: list[str] = []
    sizes: dict[str, int] = {}
    for line in [*Path(f"/proc/{pid}/smaps").read_text().splitlines(), "0-0 ---p 0 0 0"]:
        first, *rest = line.split()
        if first.endswith(":"):
            if rest and rest[-1] == "kB":
                sizes[first] = int(rest[0])
            continue
        if header and _may_hold_something(header, sizes):
            begin, _, end = header[0].partition("-")
            yield Range(int(begin, 16), int(end, 16), " ".join(header[5:]))
        header, sizes = line.split(), {}


def search_memory(pid: int, table: NeedleTable) -> MemorySearch:
    """
    Search a process and its descendants.

    Raises:
        PermissionError: This process may not read theirs; a decoder lets only root (or whoever may trace it) in.
    """
    searched = {DAEMON: 0, CHILD: 0}
    found = []
    for number, member in enumerate(family(pid)):
        name = DAEMON if number == 0 else CHILD
        try:
            for mapping in list(mappings_of(member)):
                hits = []
                for begin, piece in _pieces(member, mapping):
                    searched[name] += len(piece)
                    hits += [Hit(hit.needle, hit.position + begin) for hit in table.search(piece)]
                if hits:
                    found.append(Found(name, mapping, tuple(dict.fromkeys(hits))))
        except (FileNotFoundError, ProcessLookupError):
            if number == 0:
                raise  # a child may end meanwhile, the daemon may not
    return MemorySearch(searched, tuple(found))


def _may_hold_something(header: list[str], sizes: dict[str, int]) -> bool:
    name = " ".join(header[5:])
    if name in KERNELS_OWN or sizes.get("Rss:", 0) + sizes.get("Swap:", 0) == 0:
        return False
    is_file = name.startswith("/") and not name.startswith(("/memfd:", "/dev/shm", "/dev/zero"))  # noqa: S108 - names of memory
    return (
        not is_file or sizes.get("Private_Dirty:", 0) + sizes.get("Shared_Dirty:", 0) + sizes.get("Anonymous:", 0) > 0
    )


def _pieces(pid: int, mapping: Range) -> Iterator[tuple[int, bytes]]:
    """The content of a mapping in overlapping pieces; pages that cannot be read are passed over one by one."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        begin = mapping.begin
        while begin < mapping.end:
            length = min(PIECE_BYTES + OVERLAP, mapping.end - begin)
            try:
                piece = os.pread(memory.fileno(), length, begin)
            except OSError as error:
                if isinstance(error, PermissionError):
                    raise
                piece = b""
            if piece:
                yield begin, piece
            if len(piece) < length:  # a page that cannot be read lies behind
                begin += len(piece) - len(piece) % PAGE_BYTES + PAGE_BYTES
            else:
                begin += length - OVERLAP if begin + length < mapping.end else length
