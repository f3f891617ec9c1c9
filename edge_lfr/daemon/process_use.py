"""What this process and its children hold of the machine now, our locked buffers among it."""

from dataclasses import dataclass

from edge_lfr.biometrics.locking import TALLY
from edge_lfr.process_figures import children_of, figures_of


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
    own = figures_of("self")
    children = children_of("self")
    return ProcessUse(
        resident_bytes=own.resident_bytes,
        peak_bytes=own.peak_bytes,
        children_bytes=sum(figures_of(child).resident_bytes for child in children),
        locked_bytes=TALLY.locked_bytes,
        unlocked_bytes=TALLY.unlocked_bytes,
        descriptors=own.descriptors,
        threads=own.threads,
        children=len(children),
    )
