"""
Answers `GET /metrics` on the loopback interface, and nothing else to nobody else.

One thread serves one peer after the other, each for a bounded time and a bounded number of bytes: a peer that is slow,
silent or endless delays the next scrape by seconds and costs the appliance nothing more.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

log = structlog.get_logger()

ADDRESS: Final = "127.0.0.1"

MAX_REQUEST_BYTES: Final = 8_192
"""A scraper's request has some 300; chosen, not measured."""

REQUEST_LIMIT_S: Final = 2.0
"""For a peer's whole request, and again for taking the answer; on one machine both take milliseconds. Chosen."""

WAITING_PEERS: Final = 4
"""Peers that wait in the kernel while one is served."""

BUSY_WAIT_S: Final = 0.1
"""After a refusal to accept (out of descriptors), before the next try."""


class MetricsServer:
    """
    Serves from `start` until `stop`.

    Args:
        port: Of the loopback interface; 0 takes a free one.

        content_type: Of the text.

        text: One scrape; called from the server's thread.
    """

    def __init__(self, port: int, content_type: str, text: Callable[[], bytes]) -> None:
        self._wanted_port = port
        self._content_type = content_type
        self._text = text
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        return None if self._listener is None else int(self._listener.getsockname()[1])

    def start(self) -> bool:
        """Listen; False, with a line in the log, where the port cannot be had: nobody goes unseen for want of it."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ADDRESS, self._wanted_port))
            listener.listen(WAITING_PEERS)
        except OSError as error:
            listener.close()
            remedy = "free the port, or set health.metrics_port"
            log.warning("metrics.unavailable", port=self._wanted_port, reason=error.strerror, remedy=remedy)
            return False
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="metrics", daemon=True)
        self._thread.start()
        return True

    def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None or self._thread is None:
            return
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`, which `close` alone does not
        listener.close()
        self._thread.join()

    def _serve(self, listener: socket.socket) -> None:
        while self._listener is not None:
            try:
                peer, _ = listener.accept()
            except OSError:
                time.sleep(BUSY_WAIT_S)  # ended, or out of descriptors: do not spin
                continue
            with peer, suppress(OSError):  # a peer that goes away or takes too long is its own affair
                self._answer(peer)

    def _answer(self, peer: socket.socket) -> None:
        untrusted_line = _request_line(peer, time.monotonic() + REQUEST_LIMIT_S)
        match untrusted_line.split(b" "):
            case [b"GET", b"/metrics", _]:
                status, content_type, body = self._scrape()
            case [b"GET", _, _]:
                status, content_type, body = "404 Not Found", "text/plain", b"there is only /metrics\n"
            case [_, _, _]:
                status, content_type, body = "405 Method Not Allowed", "text/plain", b"only GET\n"
            case _:
                status, content_type, body = "400 Bad Request", "text/plain", b"not a request\n"
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        peer.settimeout(REQUEST_LIMIT_S)
        peer.sendall(head.encode("ascii") + body)
        peer.shutdown(socket.SHUT_WR)

    def _scrape(self) -> tuple[str, str, bytes]:
        try:
            return "200 OK", self._content_type, self._text()
        except Exception as error:  # noqa: BLE001  # one scrape that fails must not end the next
            log.error("metrics.failed", error=type(error).__name__)
            return "500 Internal Server Error", "text/plain", b"see the daemon's log\n"


def _request_line(peer: socket.socket, deadline_s: float) -> bytes:
    """
    Read the whole request, so that the peer is not reset while it speaks; only its first line matters.

    Raises:
        OSError: Too slow.
    """
    untrusted = bytearray()
    while b"\r\n\r\n" not in untrusted and len(untrusted) < MAX_REQUEST_BYTES:
        peer.settimeout(max(deadline_s - time.monotonic(), 0.001))
        piece = peer.recv(MAX_REQUEST_BYTES - len(untrusted))
        if not piece or time.monotonic() > deadline_s:
            break
        untrusted += piece
    if b"\r\n\r\n" not in untrusted:
        return b""
    return bytes(untrusted[: untrusted.index(b"\r\n")])
