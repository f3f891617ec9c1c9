"""One decoder as a process of its own: started with nothing but its order and its slots, and killed at the end."""

import socket
import subprocess
import sys
from contextlib import suppress

from edge_lfr.inference.allocator import TUNABLES
from edge_lfr.pipeline.capture.protocol import MAX_PICTURE_PIXELS, MESSAGE_BYTES, Order

_ENVIRONMENT = {
    "GLIBC_TUNABLES": TUNABLES,  # freed memory is overwritten
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",  # numpy starts a pool of threads otherwise, and a decoder multiplies nothing
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(MAX_PICTURE_PIXELS),  # checked on the header, before a picture is decoded
}
"""All that a decoder sees of the daemon's environment."""


class DecoderProcess:
    """A running decoder. Start it from the thread that will outlive it: its death is tied to that thread."""

    def __init__(self, order: Order, slots_descriptor: int) -> None:
        self.control, childs_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with childs_end:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, and two numbers
                    [
                        sys.executable,
                        "-I",
                        "-m",
                        "edge_lfr.pipeline.capture.decoder",
                        str(childs_end.fileno()),
                        str(slots_descriptor),
                    ],
                    env=_ENVIRONMENT,
                    cwd="/",
                    pass_fds=(childs_end.fileno(), slots_descriptor),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # the video library may print an address with its password
                    start_new_session=True,  # a Ctrl-C at the daemon's terminal is the daemon's to answer
                )
            with suppress(OSError):  # a child that died already is found when it is read from
                self.control.send(order.to_line())
        except OSError:
            self.control.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def return_slot(self, index: int) -> None:
        """Let the decoder write this slot again; a dead one does not mind."""
        with suppress(OSError):
            self.control.send(bytes((index,)), socket.MSG_DONTWAIT)

    def read(self) -> bytes:
        """
        Take one message, untrusted; empty when the decoder has gone.

        One byte more than a message has is asked for, so that a longer one is seen to be longer.
        """
        while True:
            try:
                return self.control.recv(MESSAGE_BYTES + 1)
            except ConnectionResetError:
                continue  # it died with returned slots unread; its own last messages come after this

    def kill(self) -> None:
        """End it without asking, wait until it has gone, and let go of it."""
        self._process.kill()
        self._process.wait()
        self.control.close()
