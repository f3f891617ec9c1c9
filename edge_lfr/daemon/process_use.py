"""What this process and its children hold of the machine now: memory, descriptors, threads; read from /proc."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_lfr.biometrics.locking import TALLY

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """Sizes in bytes; what the kernel does not tell is 0."""

    resident_bytes: int
    peak_bytes: int
    children_bytes: int
    """Resident in all children together; memory that is shared with them counts in each."""

    locked_bytes: int
    """Of our own buffers: cannot be swapped out."""

    unlocked_bytes: int
    """Of our own buffers: the limit did not allow to lock them."""

    descriptors: int
    threads: int
    children: int


def process_use() -> ProcessUse:
    """Read it; some hundred microseconds."""
    own = _status_of("self")
    children = [_status_of(pid) for pid in _children()]
    return ProcessUse(
        resident_bytes=own.get("VmRSS", 0) * 1024,
        peak_bytes=own.get("VmHWM", 0) * 1024,
        children_bytes=sum(child.get("VmRSS", 0) for child in children) * 1024,
        locked_bytes=TALLY.locked_bytes,
        unlocked_bytes=TALLY.unlocked_bytes,
        descriptors=_descriptors(),
        threads=own.get("Threads", 0),
        children=len(children),
    )


def _status_of(process: str) -> dict[str, int]:
    """The numbers of /proc/PID/status; kilobytes where they are sizes."""
    try:
        lines = (PROC / process / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # it has ended meanwhile
        return {}
    words = (line.split() for line in lines)
    return {found[0].rstrip(":"): int(found[1]) for found in words if len(found) > 1 and found[1].isdecimal()}


def _children() -> list[str]:
    """Children belong to the thread that started them; a kernel without the list gives none."""
    found: list[str] = []
    for thread in (PROC / "self" / "task").iterdir():
        with suppress(OSError):
            found += (thread / "children").read_text(encoding="ascii").split()
    return found


def _descriptors() -> int:
    try:
        return sum(1 for _ in (PROC / "self" / "fd").iterdir()) - 1  # the folder itself is open meanwhile
    except OSError:
        return 0
