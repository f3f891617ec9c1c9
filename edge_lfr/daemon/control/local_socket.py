"""
The local socket: one bounded JSON line asks, one answers, and the peer's uid is who did it.

Root and the daemon's own user also act for others: whom they name is noted beside them. Nobody else's word is taken.

The socket file's mode and group decide who may ask. A peer that is slow, silent, endless or talks nonsense costs one of
a few threads for a few seconds and gets an error or nothing; it never reaches a handler.
"""

import grp
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import structlog

from edge_lfr.daemon.control.caller import acting_uid, checked_uid
from edge_lfr.daemon.control.protocol import (
    MAX_LINE_BYTES,
    NOTHING_SAID,
    PATIENCE_OTHERWISE_S,
    PATIENCE_S,
    READING,
    RefusedError,
    Request,
    Verb,
    line,
    parsed,
    read_line,
    refusal,
)
from edge_lfr.errors import (
    ConfigError,
    ControlError,
    DaemonAbsentError,
    DaemonBusyError,
    EdgeLfrError,
    PermissionRefusedError,
)

__all__ = ["ControlClient", "ControlServer", "Handler", "Request", "Verb"]

log = structlog.get_logger()

GROUP: Final = "edge-lfr-technician"
MODE: Final = 0o660

MAX_PEERS: Final = 8
"""Requests served at the same time; one technician and a monitor need two. Chosen, not measured."""

REQUEST_LIMIT_S: Final = 5.0
"""A peer has this long for its whole line, and for taking the answer; a program needs milliseconds."""

ACCEPT_WAIT_S: Final = 1.0
"""Longest wait for a peer; a turn that waited in vain still counts as progress. Chosen."""

PLACE_WAIT_S: Final = 0.1
"""How often the server looks whether it is to stop while all places are taken. Chosen."""

STOP_LIMIT_S: Final = 2.0
"""Answers under way have this long when the server stops; the answer to `stop` itself is one of them. Chosen."""

MAX_PATH_BYTES: Final = 100
"""`sun_path` of unix(7) holds 107 bytes, and the socket is first bound under a slightly longer name."""


Handler: TypeAlias = Callable[[Request], Mapping[str, object]]
"""Answers one verb with what JSON can say, or raises an error of the tree."""


class ControlServer:
    """
    Answers at a Unix socket from `start` until `stop`.

    The caller holds the state lock (`daemon.lock`), so that two daemons never contend for one socket file; a file that
    a killed daemon left behind is replaced.

    Args:
        path: The socket file; its folder exists or can be made.

        handlers: What each verb does. Called from threads of the server, at most `MAX_PEERS` at once.

        request_limit_s: Time that a peer has for its line.
    """

    def __init__(
        self, path: Path, handlers: Mapping[str, Handler], *, request_limit_s: float = REQUEST_LIMIT_S
    ) -> None:
        self._path = path
        self._handlers = {Verb(verb): handler for verb, handler in handlers.items()}
        self._request_limit_s = request_limit_s
        self._places = threading.BoundedSemaphore(MAX_PEERS)
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.turns = 0
        """Finished turns of the accepting thread, also those that waited in vain."""

    @property
    def is_alive(self) -> bool:
        """The accepting thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """
        Bind, set mode and group, listen, and only then take the name that clients know.

        Raises:
            DaemonBusyError: Another daemon answers there.
            ConfigError: The path is too long, or its folder cannot be used.
        """
        if len(os.fsencode(self._path)) > MAX_PATH_BYTES:
            message = f"{self._path}: a socket's path has at most {MAX_PATH_BYTES} bytes"
            raise ConfigError(message, remedy="set a shorter runtime_directory")
        if _answers(self._path):
            raise DaemonBusyError(f"{self._path}: another daemon answers there")
        partial = self._path.with_name(f"{self._path.name}.new")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            listener.bind(str(partial))
            _give_to_technicians(partial)
            listener.listen(MAX_PEERS)
            listener.settimeout(ACCEPT_WAIT_S)
            partial.replace(self._path)
        except OSError as error:
            listener.close()
            message = f"{self._path}: the control socket cannot be made: {error.strerror}"
            raise ConfigError(message, remedy="make runtime_directory a folder that the daemon may write") from error
        self._listener = listener
        self._thread = threading.Thread(target=self._accept, args=(listener,), name="control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, remove the socket file, and wait a moment for answers under way."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`, which `close` alone does not
        listener.close()
        if self._thread is not None:
            self._thread.join()
        deadline_s = time.monotonic() + STOP_LIMIT_S
        for _ in range(MAX_PEERS):
            self._places.acquire(timeout=max(deadline_s - time.monotonic(), 0.0))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        """Take a peer only when there is a place for it; until then it waits in the kernel's queue."""
        while self._listener is not None:
            self.turns += 1
            if not self._places.acquire(timeout=PLACE_WAIT_S):
                continue
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                self._places.release()
                continue
            except OSError:
                self._places.release()
                time.sleep(PLACE_WAIT_S)  # ended, or out of descriptors: then wait for peers to end, do not spin
                continue
            threading.Thread(target=self._serve, args=(peer,), name="control-peer", daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, suppress(OSError):  # a peer that goes away is its own affair
                answer = self._answer(peer)
                peer.settimeout(self._request_limit_s)
                peer.sendall(line(answer))
        finally:
            self._places.release()

    def _answer(self, peer: socket.socket) -> Mapping[str, object]:
        try:
            request = self._read(peer)
        except EdgeLfrError as error:
            if error.message != NOTHING_SAID:
                log.warning("control.request-refused", code=error.code, reason=error.message)
            return refusal(error)
        if request.verb not in READING:
            log.info(
                "control.request",
                verb=request.verb.value,
                uid=request.peer_uid,
                pid=request.peer_pid,
                by=str(request.who),
            )
        try:
            result = dict(self._handlers[request.verb](request))
            if len(line({"ok": True, "result": result})) > MAX_LINE_BYTES:
                return refusal(ControlError(f"{request.verb.value}: the answer is larger than {MAX_LINE_BYTES} bytes"))
        except EdgeLfrError as error:
            log.warning("control.refused", verb=request.verb.value, by=str(request.who), code=error.code)
            return refusal(error)
        except Exception as error:
            log.exception("control.failed", verb=request.verb.value)
            failure = ControlError(f"{request.verb.value}: failed inside the daemon: {type(error).__name__}")
            return {**refusal(failure), "exit_status": os.EX_SOFTWARE, "remedy": "see the daemon's log"}
        return {"ok": True, "result": result}

    def _read(self, peer: socket.socket) -> Request:
        """One checked request; the whole line has one limit, so that a byte a second does not keep a thread."""
        pid, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        untrusted = parsed(read_line(peer, time.monotonic() + self._request_limit_s))
        verb, args = untrusted.get("verb"), untrusted.get("args", {})
        if not isinstance(verb, str) or verb not in self._handlers:
            known = ", ".join(sorted(self._handlers))
            raise ControlError(f"unknown verb; known: {known}", remedy="use the `edge-lfr` of the same version")
        if not isinstance(args, dict):
            raise ControlError(f"{verb}: args: expected an object", remedy="ask with `edge-lfr`")
        acting = (
            checked_uid(untrusted["acting_uid"]) if "acting_uid" in untrusted and uid in {0, os.geteuid()} else None
        )
        return Request(verb=Verb(verb), args=args, peer_uid=uid, peer_pid=pid, acting_uid=acting)


class ControlClient:
    """Asks the daemon behind a socket file; one connection a request."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_present(self) -> bool:
        """Whether a daemon listens, without asking it anything."""
        return _answers(self._path)

    def request(self, verb: str, **args: object) -> dict[str, Any]:
        """
        Ask and wait for the answer.

        Raises:
            DaemonAbsentError: Nobody answers.
            DaemonBusyError: Too many ask already.
            PermissionRefusedError: This user may not ask.
            ControlError: The daemon refused; code, exit status and remedy are its own.
        """
        patience_s = PATIENCE_S.get(Verb(verb), PATIENCE_OTHERWISE_S)
        acting = acting_uid(os.environ)
        whose = {} if acting is None else {"acting_uid": acting}
        with _connected(self._path) as peer:
            peer.settimeout(patience_s)
            try:
                peer.sendall(line({"verb": verb, "args": args, **whose}))
                answer = parsed(read_line(peer, time.monotonic() + patience_s))
            except OSError as error:
                message = f"{verb}: the daemon broke off: {error.strerror or error}"
                raise ControlError(message, remedy="see the daemon's log") from None
        if answer.get("ok") is True and isinstance(answer.get("result"), dict):
            return dict(answer["result"])
        raise RefusedError(
            str(answer.get("message", f"{verb}: an answer that makes no sense")),
            code=str(answer.get("code", ControlError.code)),
            exit_status=answer["exit_status"] if type(answer.get("exit_status")) is int else ControlError.exit_status,
            remedy=str(answer.get("remedy", "use the `edge-lfr` of the daemon's version")),
        )


def _connected(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        peer.settimeout(REQUEST_LIMIT_S)
        peer.connect(str(path))
    except PermissionError:
        peer.close()
        raise PermissionRefusedError(f"{path}: this user may not talk to the daemon") from None
    except BlockingIOError:
        peer.close()
        raise DaemonBusyError(f"{path}: the daemon has more requests than it can answer", remedy="ask again") from None
    except OSError:  # absent, left behind by a killed daemon, or a path that is too long for a socket
        peer.close()
        raise DaemonAbsentError(f"{path}: no daemon answers") from None
    return peer


def _answers(path: Path) -> bool:
    """Whether somebody listens at the socket file; a file that we may not talk to counts as somebody."""
    try:
        _connected(path).close()
    except DaemonAbsentError:
        return False
    except (PermissionRefusedError, DaemonBusyError):
        return True
    return True


def _give_to_technicians(path: Path) -> None:
    path.chmod(MODE)
    try:
        group = grp.getgrnam(GROUP).gr_gid
        if path.stat().st_gid != group:  # the service runs in that group, and may not give files away
            os.chown(path, -1, group)
    except KeyError:
        log.info("control.no-group", group=GROUP)  # then only the daemon's own user and group may ask
    except PermissionError:
        log.warning("control.group-not-given", group=GROUP)
