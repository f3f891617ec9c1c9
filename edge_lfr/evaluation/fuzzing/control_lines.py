"""Lines at the control socket: a real server with simple handlers, asked by peers that talk nonsense."""

import json
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

from edge_lfr.daemon.control.local_socket import ControlServer, Handler
from edge_lfr.daemon.control.protocol import MAX_LINE_BYTES, Request, Verb
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, Verdict, of_unsigned
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes

PEER_LIMIT_S: Final = 10.0
"""A peer of the campaign waits so long for its answer; chosen, not measured."""

STATUSES: Final = frozenset({value for name, value in vars(os).items() if name.startswith("EX_")})


def _status(_: Request) -> Mapping[str, object]:
    return {"state": "idle"}


def _remove(request: Request) -> Mapping[str, object]:
    return {"removed": len(request.texts("reference_ids"))}


def _test_alert(request: Request) -> Mapping[str, object]:
    return {"timeout_s": request.seconds("timeout_s", 15.0)}


class ControlLines:
    """Three verbs: one without arguments, one with texts, one with a number."""

    name = "control line"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lfr-")
        self._path = Path(self._folder.name) / "control"
        handlers: Mapping[str, Handler] = {Verb.STATUS: _status, Verb.REMOVE: _remove, Verb.TEST_ALERT: _test_alert}
        self._server = ControlServer(self._path, handlers, request_limit_s=PEER_LIMIT_S)
        self._server.start()
        asked = (
            {"verb": "status", "args": {}},
            {"verb": "remove", "args": {"reference_ids": ["MADE-1", "MADE-2"]}},
            {"verb": "test-alert", "args": {"timeout_s": 5.0}},
        )
        self.specimens = tuple(json.dumps(each).encode() + b"\n" for each in asked)

    def structured(self, drawn: Random) -> Mutant:
        changed, how = changed_tree(drawn, json.loads(drawn.choice(self.specimens)))
        line = json_bytes(drawn, changed).replace(b"\n", b" ")
        if drawn.random() < 1 / 50:
            line = b" " * drawn.choice((MAX_LINE_BYTES - len(line), MAX_LINE_BYTES + 1)) + line
        return Mutant(line + drawn.choice((b"\n", b"\n", b"\n", b"", b"\n\n", b"\r\n", b'\n{"verb":"remove"}\n')), how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        answer = self._answer(mutant.untrusted)
        if answer.get("ok") is True and isinstance(answer.get("result"), dict):
            return of_unsigned(is_same=mutant.untrusted in self.specimens)
        if answer.get("exit_status") == os.EX_SOFTWARE or answer.get("exit_status") not in STATUSES:
            message = f"an answer that is no refusal: {answer.get('exit_status')}"
            raise AssertionError(message)
        return Outcome(Verdict.REFUSED, str(answer.get("code", "")))

    def _answer(self, untrusted: bytes) -> Mapping[str, object]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
            peer.settimeout(PEER_LIMIT_S)
            peer.connect(str(self._path))
            try:
                peer.sendall(untrusted)
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the server has read enough, answered and gone
            answer = b""
            try:
                while not answer.endswith(b"\n") and (piece := peer.recv(MAX_LINE_BYTES)):
                    answer += piece
            except ConnectionResetError:
                pass  # it closed with bytes of ours unread; what it said before counts
        if not answer and len(untrusted) > MAX_LINE_BYTES:
            return {"ok": False, "code": "control: gone", "exit_status": os.EX_UNAVAILABLE}
        found = json.loads(answer)
        if not isinstance(found, dict):
            message = "an answer that is no object"
            raise AssertionError(message)  # noqa: TRY004 - the appliance's fault, not a caller's
        return found

    def close(self) -> None:
        self._server.stop()
        self._folder.cleanup()
