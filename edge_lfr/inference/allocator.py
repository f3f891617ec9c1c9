"""
What the runtime frees is overwritten: the C library fills every freed block of this process with a constant.

The runtime keeps copies of what it computes in its own blocks. Seen: two whole copies of a vector stayed readable after
a run; with this setting and without the runtime's own arena none did, at once and with no further run.
"""

import ctypes
from typing import Final

M_PERTURB: Final = -6
"""From glibc's malloc.h; the same as `GLIBC_TUNABLES=glibc.malloc.perturb`, which only works when set before start."""

FILL: Final = 255

TUNABLES: Final = f"glibc.malloc.perturb={FILL}:glibc.malloc.tcache_count=0"
"""
`GLIBC_TUNABLES` of every process that we start, and of the unit.

Seen with glibc 2.36: what a thread frees in blocks of up to 1,032 bytes is kept for it, and that cache overwrites next
to nothing; a vector of 256 numbers has 1,024. Without the cache it is overwritten too. No `mallopt` switches it off.
"""


CACHED_BYTES: Final = 1032
"""Blocks up to this size are kept so, where the cache is on."""


def overwrite_freed_memory() -> bool:
    """
    Switch it on for the rest of this process; False where the C library cannot (then a neutral run has to do).

    Small blocks are left out unless the process was started with `TUNABLES`; the neutral run goes over those, too.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_PERTURB, FILL))
