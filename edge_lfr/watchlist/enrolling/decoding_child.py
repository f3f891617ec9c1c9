"""
The child that decodes untrusted pictures: the codecs run here.

`python -I -m edge_lfr.watchlist.enrolling.decoding_child`

It reads a length and as many encoded bytes from its standard input and answers with sizes and pixels on its standard
output, until the input ends. It opens nothing once its limits are set.
"""

import ctypes
import os
import resource
import signal
from typing import BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.watchlist.enrolling.decoding import ANSWER, REQUEST
from edge_lfr.watchlist.enrolling.pictures import MAX_FILE_BYTES

MAX_ADDRESS_SPACE_BYTES: Final = 3 * 1024**3
"""50 megapixels as a progressive JPEG take about 0.6 GB beside the libraries; chosen with room, not measured."""

MAX_COMPLAINT_BYTES: Final = 64 * 1024

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
"""From <linux/prctl.h>."""

HARMLESS_COMPLAINT: Final = b"extraneous bytes before marker"
"""libjpeg says so of many cameras' files, which it decodes whole."""


def main() -> None:
    """Serve pictures until the parent closes the pipe."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # Codecs complain on the standard streams, and only there of a JPEG that is damaged in the middle; so these streams
    # become a file in memory that is read after each picture.
    complaints = os.memfd_create("complaints")
    os.dup2(complaints, 1)
    os.dup2(complaints, 2)
    _confine()
    while head := requests.read(REQUEST.size):
        (length,) = REQUEST.unpack(head)
        if length > MAX_FILE_BYTES:
            return
        _answer(answers, _decode(requests.read(length), complaints))


def _confine() -> None:
    cv2.setNumThreads(1)
    _limit(resource.RLIMIT_AS, MAX_ADDRESS_SPACE_BYTES)
    _limit(resource.RLIMIT_FSIZE, MAX_COMPLAINT_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 0)  # nothing further is opened
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (bounded, bounded))


def _decode(untrusted: bytes, complaints: int) -> NDArray[np.uint8] | None:
    """Give uint8 (height, width, 3) BGR pixels, or None when the codec failed or guessed at missing data."""
    os.ftruncate(complaints, 0)
    os.lseek(complaints, 0, os.SEEK_SET)
    try:
        pixels = cv2.imdecode(np.frombuffer(untrusted, dtype=np.uint8), cv2.IMREAD_COLOR)
    except (cv2.error, MemoryError):
        return None
    said = os.pread(complaints, MAX_COMPLAINT_BYTES, 0).splitlines()
    if pixels is None or any(b"Corrupt JPEG data" in line and HARMLESS_COMPLAINT not in line for line in said):
        return None
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _answer(answers: BinaryIO, pixels: NDArray[np.uint8] | None) -> None:
    if pixels is None:
        answers.write(ANSWER.pack(0, 0))
        return
    answers.write(ANSWER.pack(pixels.shape[0], pixels.shape[1]))
    view = pixels.data.cast("B")
    while view:
        view = view[answers.write(view) :]


if __name__ == "__main__":
    main()
