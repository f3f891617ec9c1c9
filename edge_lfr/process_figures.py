"""What a process holds of the machine now: memory, descriptors, threads, children; read from /proc."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
KIBIBYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """Sizes in bytes; what the kernel does not tell is 0."""

    resident_bytes: int
    peak_bytes: int
    descriptors: int
    threads: int


def figures_of(process: str) -> ProcessFigures:
    """
    Read one process; some hundred microseconds.

    Args:
        process: Its number, or `self`.

    Returns:
        Zeros where it has ended meanwhile.
    """
    status = _status_of(process)
    return ProcessFigures(
        resident_bytes=status.get("VmRSS", 0) * KIBIBYTE,
        peak_bytes=status.get("VmHWM", 0) * KIBIBYTE,
        descriptors=_descriptors(process),
        threads=status.get("Threads", 0),
    )


def children_of(process: str) -> list[str]:
    """Children belong to the thread that started them; a kernel without the list gives none."""
    found: list[str] = []
    with suppress(OSError):
        for thread in (PROC / process / "task").iterdir():
            with suppress(OSError):
                found += (thread / "children").read_text(encoding="ascii").split()
    return found


def _status_of(process: str) -> dict[str, int]:
    """The numbers of /proc/PID/status; kibibytes where they are sizes."""
    try:
        lines = (PROC / process / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # it has ended meanwhile
        return {}
    words = (line.split() for line in lines)
    return {found[0].rstrip(":"): int(found[1]) for found in words if len(found) > 1 and found[1].isdecimal()}


def _descriptors(process: str) -> int:
    try:
        count = sum(1 for _ in (PROC / process / "fd").iterdir())
    except OSError:
        return 0
    return count - (process == "self")  # the folder itself is open meanwhile
