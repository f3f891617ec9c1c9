"""Processes of other users of the box, and what the control socket says to them: the kernel knows who connects."""

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

PATIENCE_S = 10.0


def become(uid: int, groups: tuple[int, ...] = ()) -> None:
    """Be that user for good; for a child that root has forked."""
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def answer_to(path: Path, question: Mapping[str, object]) -> dict[str, Any]:
    """What the daemon says to this process; its word is `unreachable` where the socket admits nobody like it."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE_S)
        try:
            peer.connect(str(path))
        except PermissionError:
            return {"ok": False, "code": "unreachable"}
        peer.sendall(json.dumps(question).encode() + b"\n")
        found = json.loads(peer.makefile().readline())
    assert isinstance(found, dict)
    return found


def asked_as(path: Path, question: Mapping[str, object], uid: int, *groups: int) -> dict[str, Any]:
    """What it says to a child that is another user."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"{}"
        try:
            become(uid, groups)
            said = json.dumps(answer_to(path, question)).encode()
        finally:
            os.write(writing, said)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.load(pipe)
    os.waitpid(child, 0)
    assert isinstance(answer, dict)
    return answer


@contextmanager
def running_as(uid: int, serve: Callable[[Callable[[], None]], None]) -> Iterator[None]:
    """
    A child that is another user, for as long as the block.

    *serve* runs in it; it calls what it is given when it is ready, which returns when the block ends.
    """
    (ready, tell), (end, let_go) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(ready)
            os.close(let_go)
            become(uid)
            serve(partial(_wait, tell, end))
            status = 0
        finally:
            os._exit(status)
    os.close(tell)
    os.close(end)
    try:
        assert b"1" == os.read(ready, 1)
        yield
    finally:
        os.close(let_go)
        os.close(ready)
        _, status = os.waitpid(child, 0)
    assert 0 == status


def _wait(tell: int, end: int) -> None:
    os.write(tell, b"1")
    os.read(end, 1)
