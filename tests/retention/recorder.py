"""A wire-tap: a TCP proxy on loopback that keeps every byte that goes through, in both directions."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Recorder:
    """Stands between daemon and broker."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._lock = threading.Lock()
        self._streams: list[bytearray] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, name="recorder", daemon=True)
        self._pumps: list[threading.Thread] = []
        self._is_closing = False

    def captured(self) -> list[bytes]:
        """What went through, one stream a connection and direction."""
        with self._lock:
            return [bytes(stream) for stream in self._streams]

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closing = True
        self._server.shutdown(socket.SHUT_RDWR)  # wakes whoever waits in accept
        self._acceptor.join()
        self._server.close()
        for pump in self._pumps:
            pump.join(timeout=10)

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
            except OSError:
                client.close()
                continue
            for source, sink in ((client, broker), (broker, client)):
                pump = threading.Thread(target=self._pump, args=(source, sink), name="recorder", daemon=True)
                self._pumps.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        stream = bytearray()
        with self._lock:
            self._streams.append(stream)
        with suppress(OSError), source:
            while part := source.recv(65536):
                with self._lock:
                    stream += part
                sink.sendall(part)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)  # the other direction ends then, and closes it
