"""Lines at the control socket: the appliance's real server and requests, asked by peers that talk nonsense."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

from edge_lfr.daemon.control.protocol import MAX_LINE_BYTES, Verb
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, Verdict, of_unsigned
from edge_lfr.evaluation.fuzzing.control_stand import ALERT_ID, REFERENCES, ControlStand
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.evaluation.fuzzing.watching import MEMORY
from edge_lfr.pipeline.reporting.holds import HoldReason

PEER_LIMIT_S: Final = 10.0
"""A peer of the campaign waits so long for its answer; chosen, not measured."""

STATUSES: Final = frozenset({value for name, value in vars(os).items() if name.startswith("EX_")})

ARGS: Final[Mapping[Verb, Mapping[str, object]]] = {
    Verb.REMOVE: {"reference_ids": list(REFERENCES[:2])},
    Verb.TEST_ALERT: {"timeout_s": 5.0},
    Verb.HOLD: {"alert_id": ALERT_ID, "reason": HoldReason.COMPLAINT.value, "note": "complaint 17/4"},
    Verb.RELEASE: {"alert_id": ALERT_ID, "reason": HoldReason.EVIDENCE.value},
}
"""Of the verbs that have any."""

ACTING_UID: Final = 1000
"""For whom the installed command asks."""


class ControlLines:
    """Every verb, with arguments that the appliance takes; each case meets it as it began."""

    name = "control line"

    def __init__(self) -> None:
        where = MEMORY if os.access(MEMORY, os.W_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix="lfr-", dir=where))
        self._stands = 0
        self._stand = self._new_stand()
        asked: list[dict[str, Any]] = [{"verb": verb.value, "args": ARGS.get(verb, {})} for verb in Verb]
        asked += [{**each, "acting_uid": ACTING_UID} for each in asked if each["args"]]
        self.specimens = tuple(json.dumps(each).encode() + b"\n" for each in asked)

    def structured(self, drawn: Random) -> Mutant:
        changed, how = changed_tree(drawn, json.loads(drawn.choice(self.specimens)))
        line = json_bytes(drawn, changed).replace(b"\n", b" ")
        if drawn.random() < 1 / 50:
            line = b" " * drawn.choice((MAX_LINE_BYTES - len(line), MAX_LINE_BYTES + 1)) + line
        return Mutant(line + drawn.choice((b"\n", b"\n", b"\n", b"", b"\n\n", b"\r\n", b'\n{"verb":"remove"}\n')), how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        before = self._stand.facts()
        answer = self._answer(mutant.untrusted)
        has_changed = self._stand.facts() != before
        if has_changed:
            self._renew()
        if answer.get("ok") is True and isinstance(answer.get("result"), dict):
            return of_unsigned(is_same=mutant.untrusted in self.specimens)
        if answer.get("exit_status") == os.EX_SOFTWARE or answer.get("exit_status") not in STATUSES:
            message = f"an answer that is no refusal: {answer.get('exit_status')}"
            raise AssertionError(message)
        if has_changed:
            message = f"refused, and changed something: {answer.get('code')}"
            raise AssertionError(message)
        return Outcome(Verdict.REFUSED, str(answer.get("code", "")))

    def _answer(self, untrusted: bytes) -> Mapping[str, object]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
            peer.settimeout(PEER_LIMIT_S)
            peer.connect(str(self._stand.path))
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

    def _new_stand(self) -> ControlStand:
        self._stands += 1
        folder = self._folder / str(self._stands)
        folder.mkdir()
        return ControlStand(folder, request_limit_s=PEER_LIMIT_S)

    def _renew(self) -> None:
        self._stand.close()
        shutil.rmtree(self._folder / str(self._stands))
        self._stand = self._new_stand()

    def close(self) -> None:
        self._stand.close()
        shutil.rmtree(self._folder)
