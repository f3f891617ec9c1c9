"""A camera on the network: a real RTSP server that plays a clip, and that a test can freeze, kill and bring back."""

import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"
"""The bindings of the RTSP server belong to the system's Python."""


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspCamera:
    """
    Serves *clip* (H.264, with a key frame at least every second) to each reader from its beginning, at its own pace.

    After the clip the stream ends, as when a camera restarts itself. Leaving the `with` block ends the server.
    """

    def __init__(self, clip: Path, *, user: str | None = None, password: str | None = None) -> None:
        self._clip = clip
        self._credentials = () if user is None or password is None else (user, password)
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The URL without credentials."""
        return f"rtsp://127.0.0.1:{self.port}/camera"

    @property
    def url(self) -> str:
        """With the credentials, when there are any."""
        return (
            self.address.replace("://", "://" + ":".join(self._credentials) + "@")
            if self._credentials
            else self.address
        )

    def start(self) -> None:
        """Serve; returns when the port answers."""
        self._server = subprocess.Popen(
            [SYSTEM_PYTHON, str(SERVER), str(self.port), str(self._clip), *self._credentials],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        message = "the RTSP server did not come up: are python3-gst-1.0 and gir1.2-gst-rtsp-server-1.0 installed?"
        raise RuntimeError(message)

    def kill_server(self) -> None:
        """The network camera loses its power; `start` brings it back on the same port."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def freeze(self) -> None:
        """Connected, and silent from now on."""
        if self._server is not None:
            self._server.send_signal(signal.SIGSTOP)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_server()
