"""
Decoding of untrusted pictures in a child: encoded bytes enter, BGR pixels leave, and the child is all they can harm.

The child has no key, no list, an empty environment and resource limits; what it answers is checked against the header
that the parent read. It lives for one load, and is killed when a picture takes too long or takes it down.
"""

import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import IO, Final, Self

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.inference.allocator import TUNABLES
from edge_lfr.watchlist.enrolling.pictures import MAX_PIXELS, EncodedPicture, PictureReason, PictureRefusedError

CHILD_MODULE: Final = "edge_lfr.watchlist.enrolling.decoding_child"

REQUEST: Final = struct.Struct("<I")
"""Length of the encoded bytes that follow."""

ANSWER: Final = struct.Struct("<II")
"""Height and width of the uint8 BGR pixels that follow; both 0 when it could not be decoded."""

PICTURE_TIMEOUT_S: Final = 20.0
"""A 50-megapixel PNG takes about 2 s on one slow core; chosen with room, not measured on the appliance."""

START_S: Final = 60.0
"""What the first picture of a child may take beyond that: on a machine that is busy with other things, a child that was
killed for its slow start would be started, and killed, for every picture. Chosen, not measured."""

PIPE_BYTES: Final = 1024 * 1024
"""What Linux lets every user ask for, for some pipes: a picture passes in a few turns, not in hundreds."""

ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "GLIBC_TUNABLES": TUNABLES,  # what the library frees is overwritten
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(MAX_PIXELS),
}


class _ChildDiedError(Exception):
    """The child ended by itself or by somebody else's hand, not because it was late."""


class PictureDecoder:
    """Owns the child; started with the first picture and again after one that took it down."""

    def __init__(self, *, timeout_s: float = PICTURE_TIMEOUT_S, start_s: float = START_S) -> None:
        self._timeout_s = timeout_s
        self._start_s = start_s
        self._child: subprocess.Popen[bytes] | None = None

    def decode(self, picture: EncodedPicture) -> NDArray[np.uint8]:
        """
        Decode one picture, turned the way its EXIF data says.

        Returns:
            uint8 (height, width, 3), BGR, in locked memory; the caller's to zero.

        Raises:
            PictureRefusedError: It is cut off, damaged, takes too long, or is not what its header says.
        """
        if self._child is not None:
            with suppress(_ChildDiedError):  # the kernel may have killed it between two pictures: a fresh one tells
                return self._decode(picture)
        try:
            return self._decode(picture)
        except _ChildDiedError:
            raise _gave_up() from None

    def _decode(self, picture: EncodedPicture) -> NDArray[np.uint8]:
        until_s = time.monotonic() + self._timeout_s + (0.0 if self._child is not None else self._start_s)
        child = self._started()
        try:
            return self._exchange(child, picture, until_s)
        except TimeoutError:
            self.close()
            raise _gave_up() from None
        except (OSError, EOFError):
            self.close()
            raise _ChildDiedError from None
        except PictureRefusedError:
            raise
        except BaseException:
            self.close()  # an answer may be half read, so the next picture needs another child
            raise

    def close(self) -> None:
        """End the child; another picture would start a new one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        with child:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 - both words are constants of this program
                [sys.executable, "-I", "-m", CHILD_MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=ENVIRONMENT,
                cwd="/",
            )
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    os.set_blocking(pipe.fileno(), False)  # a child that hangs must not hang us
                    with suppress(OSError):  # one user's pipes have a limit together; a small one is only slower
                        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return self._child

    def _exchange(self, child: "subprocess.Popen[bytes]", picture: EncodedPicture, until_s: float) -> NDArray[np.uint8]:
        if child.stdin is None or child.stdout is None:
            raise EOFError
        _write_all(child.stdin, REQUEST.pack(len(picture.untrusted)), until_s)
        _write_all(child.stdin, picture.untrusted, until_s)
        head = bytearray(ANSWER.size)
        _read_into(child.stdout, memoryview(head), until_s)
        untrusted_height, untrusted_width = ANSWER.unpack(head)
        if (untrusted_height, untrusted_width) == (0, 0):
            raise PictureRefusedError(PictureReason.BROKEN, f"the {picture.type} data is cut off or damaged")
        turned = SizeWH(width=picture.size.height, height=picture.size.width)
        if SizeWH(width=untrusted_width, height=untrusted_height) not in {picture.size, turned}:
            self.close()  # its pixels are still in the pipe
            raise PictureRefusedError(PictureReason.BROKEN, "the picture is not of the size that its header says")
        pixels: NDArray[np.uint8] = locked_zeros((untrusted_height, untrusted_width, 3), np.uint8)
        _read_into(child.stdout, pixels.data.cast("B"), until_s)
        return pixels


def _gave_up() -> PictureRefusedError:
    return PictureRefusedError(PictureReason.BROKEN, "the decoder gave up on it")


def _write_all(pipe: IO[bytes], data: bytes, until_s: float) -> None:
    """Write all of it; `TimeoutError` when the other side takes too long."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(pipe.fileno(), view) :]
        except BlockingIOError:
            _wait(pipe, select.POLLOUT, until_s)


def _read_into(pipe: IO[bytes], view: memoryview, until_s: float) -> None:
    """Fill *view*; `EOFError` when the other side ends first, `TimeoutError` when it takes too long."""
    while view:
        try:
            count = os.readv(pipe.fileno(), [view])
        except BlockingIOError:
            _wait(pipe, select.POLLIN, until_s)
        else:
            if not count:
                raise EOFError
            view = view[count:]


def _wait(pipe: IO[bytes], event: int, until_s: float) -> None:
    left_s = until_s - time.monotonic()
    ready = select.poll()
    ready.register(pipe, event)
    if left_s <= 0.0 or not ready.poll(1e3 * left_s):
        raise TimeoutError
