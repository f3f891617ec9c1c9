"""
What lies in the memory of a process, read as the kernel lets a process read its own: a search passes over it once.

`/proc/self/mem` is closed to a process that may not be dumped, and `process_vm_readv` is not.
"""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PIECE_BYTES: Final = 8 << 20
"""Read at once into one buffer, which is used again; chosen, not measured."""

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

_KERNELS_OWN: Final = frozenset({"[vvar]", "[vsyscall]", "[vdso]", "[vvar_vclock]"})


@dataclass(frozen=True, slots=True)
class Mapping:
    """A range of addresses, and what lies there."""

    begin: int
    end: int
    name: str
    """A file, a memory file, or one of the kernel's names; empty for anonymous memory."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.process_vm_readv.restype = ctypes.c_ssize_t


def mappings_of(pid: int) -> list[Mapping]:
    """
    Every range that can hold something of the process's own: readable, and not a file that nobody may have changed.

    Raises:
        OSError: It has ended, or this process may not ask.
    """
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, rights, _offset, _device, _inode, *name = line.split(maxsplit=5)
        begin, _, end = addresses.partition("-")
        mapping = Mapping(int(begin, 16), int(end, 16), name[0] if name else "")
        is_of_a_file = mapping.name.startswith("/") and not mapping.name.startswith(("/memfd:", "/dev/"))
        if rights[0] == "r" and mapping.name not in _KERNELS_OWN and not (is_of_a_file and rights[1] == "-"):
            found.append(mapping)
    return found


class MemoryReader:
    """Gives the memory of a process in pieces, all in one buffer of its own."""

    def __init__(self, overlap: int) -> None:
        """
        Allocate the buffer.

        Args:
            overlap: Bytes that two neighbouring pieces of a mapping share, a multiple of eight.
        """
        self._overlap = overlap
        self._buffer = (ctypes.c_char * (PIECE_BYTES + overlap))()
        self._begin = ctypes.addressof(self._buffer)

    def pieces(self, pid: int) -> Iterator[memoryview]:
        """
        Every byte that can be read, but for this reader's own buffer; each piece is overwritten by the next.

        Raises:
            PermissionError: This process may not read that one's memory.
            OSError: It has ended.
        """
        for mapping in mappings_of(pid):
            if pid == os.getpid() and mapping.begin < self._begin + len(self._buffer) and self._begin < mapping.end:
                yield from self._read(pid, mapping.begin, self._begin)
                yield from self._read(pid, self._begin + len(self._buffer), mapping.end)
            else:
                yield from self._read(pid, mapping.begin, mapping.end)

    def _read(self, pid: int, begin: int, end: int) -> Iterator[memoryview]:
        begin += -begin % 8
        while begin < end:
            wanted = min(PIECE_BYTES + self._overlap, end - begin)
            count = self._copy(pid, begin, wanted)
            if count > 0:
                yield memoryview(self._buffer).cast("B")[:count]
            if count < wanted:  # a page that cannot be read lies behind
                begin += max(count, 0) - max(count, 0) % _PAGE_BYTES + _PAGE_BYTES
            else:
                begin += wanted - self._overlap if begin + wanted < end else wanted

    def _copy(self, pid: int, begin: int, length: int) -> int:
        into, out_of = _Vector(self._begin, length), _Vector(begin, length)
        count = int(_LIBC.process_vm_readv(pid, ctypes.byref(into), 1, ctypes.byref(out_of), 1, 0))
        if count < 0 and ctypes.get_errno() != 14:  # noqa: PLR2004 - EFAULT: the first page cannot be read
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return count
