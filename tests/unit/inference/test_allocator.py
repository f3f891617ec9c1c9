"""Freed memory holds nothing, and so neither does what the runtime has freed."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_lfr.config.models import Provider
from edge_lfr.inference.allocator import TUNABLES, overwrite_freed_memory
from edge_lfr.inference.session import Session, open_session
from simulators.nets import embedder_like

MASK = 0x5A


def masked(vector: NDArray[np.float32]) -> bytes:
    """A fragment to look for, written so that the search does not find its own needle."""
    return bytes(byte ^ MASK for byte in vector[40:48].view(np.uint8))


def copies(needle: bytes) -> int:
    """How often the fragment stands in this process's writable memory."""
    found = 0
    descriptor = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        for line in Path("/proc/self/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(part, 16) for part in span.split("-"))
                try:
                    region = os.pread(descriptor, end - start, start)
                except OSError:
                    continue
                found += region.count(bytes(byte ^ MASK for byte in needle))
                del region
    finally:
        os.close(descriptor)
    return found


def left_behind(session: Session) -> int:
    """Embed something unlike anything else into our own memory, zero that, and count what is left of the vector."""
    feed = np.random.default_rng().uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    out = np.zeros((1, 128), dtype=np.float32)
    session.run_into(feed, out)
    needle = masked(out[0])
    assert copies(needle) >= 1  # the search finds what is there
    out[...] = 0
    return copies(needle)


def test_freed_memory_is_overwritten() -> None:
    """What a block held is not there any more once it is free."""
    assert overwrite_freed_memory()
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    block = libc.malloc(ctypes.c_size_t(4096))
    ctypes.memset(block, 0x41, 4096)
    libc.free(ctypes.c_void_p(block))
    assert b"A" * 16 not in ctypes.string_at(block, 4096)


SMALL_BLOCKS = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
left = 0
for size in (64, 512, 1024, 4096):
    blocks = [libc.malloc(ctypes.c_size_t(size)) for _ in range(4)]
    ctypes.memset(ctypes.c_void_p(blocks[1]), 0x41, size)
    libc.free(ctypes.c_void_p(blocks[1]))
    left += ctypes.string_at(blocks[1], size).count(b"A" * 16)
print(left)
"""


def test_processes_of_ours_overwrite_small_blocks_too() -> None:
    """A vector of 256 numbers fits into the C library's cache for small blocks, which would keep it whole."""
    environment = {**os.environ, "GLIBC_TUNABLES": TUNABLES}
    done = subprocess.run([sys.executable, "-c", SMALL_BLOCKS], env=environment, capture_output=True, check=True)
    assert 0 == int(done.stdout)


def test_embedder_session_leaves_no_copy_of_a_vector() -> None:
    """Once our own memory is zero, the vector is nowhere in this process."""
    session = open_session(embedder_like(), Provider.CPU, 1)
    left_behind(session)
    assert 0 == left_behind(session)
