"""Ledgers: verified against the heads that were published, and appended to, as the next start would."""

import base64
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from edge_lfr.errors import LedgerError
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, Verdict, of_signed, put_in, refused
from edge_lfr.evaluation.fuzzing.made import ADDRESSEE, APPLIANCE, StillClock
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree
from edge_lfr.governance.documents import Envelope, Kind, canonical
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import split
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import Actor, Part, digest_of, read_line
from edge_lfr.governance.ledger.published import read_published
from edge_lfr.governance.ledger.report import LedgerReport
from edge_lfr.governance.ledger.verify import verify_ledger

_STARTED: Final[Mapping[str, Fact]] = {"version": "0.1.0", "cameras": 2}


def made_ledger(steps: int) -> tuple[bytes, tuple[bytes, ...]]:
    """The bytes of a ledger that ends with a head, and the heads that were published of it."""
    clock = StillClock()
    with tempfile.TemporaryDirectory() as name:
        ledger = Ledger.open(Path(name) / "ledger.jsonl", APPLIANCE, clock, device=ADDRESSEE)
        heads = [ledger.head()]
        for step in range(steps):
            clock.sleep(20.0)
            ledger.append(LedgerEvent.STARTED, Actor.of_part(Part.DAEMON), _STARTED)
            ledger.append(LedgerEvent.LOGIN, Actor.of_uid(1000 + step), {"role": "technician"})
            heads.append(ledger.head())
        return ledger.path.read_bytes(), tuple(heads)


def verified(data: bytes, heads: Sequence[bytes] | None) -> LedgerReport:
    """What a verification finds."""
    published = None if heads is None else read_published(io.BytesIO(b"".join(head + b"\n" for head in heads)))
    pieces = split(io.BytesIO(data), len(data))
    return verify_ledger(pieces, expected_key=APPLIANCE.fingerprint, published=published)


class Ledgers:
    """A short one and a longer one, of one appliance."""

    name = "ledger"

    def __init__(self) -> None:
        made = [made_ledger(steps) for steps in (1, 4)]
        self.specimens = tuple(data for data, _ in made)
        self._heads = tuple(heads for _, heads in made)

    def structured(self, drawn: Random) -> Mutant:
        """One line says something else, and the chain and the heads behind it are made anew with the device's key."""
        lines: list[Any] = [json.loads(line) for line in drawn.choice(self.specimens).splitlines()]
        place = drawn.randrange(len(lines))
        lines[place], how = changed_tree(drawn, lines[place])
        if drawn.random() < 1 / 3:
            return Mutant(b"".join(_written(line) for line in lines), f"line {how}")
        return Mutant(_chained(lines), f"line {how}, signed anew", is_signed_anew=True)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        data = mutant.untrusted
        reports = [verified(data, None if mutant.is_signed_anew else heads) for heads in self._heads]
        report = next((each for each in reports if each.is_whole), reports[0])
        self._append(data, folder)
        if not report.is_whole:
            return Outcome(Verdict.REFUSED, str(report.findings.told[0].code))
        is_vouched = any(data.startswith(_vouched(specimen)) for specimen in self.specimens)
        return of_signed(mutant, is_same=is_vouched)

    def begins_so(self, data: bytes) -> bool:
        """Whether its lines are the first ones of a specimen: only published heads show what was cut."""
        lines = [line for line in data.split(b"\n") if read_line(line) is not None]
        return any(specimen.splitlines()[: len(lines)] == lines for specimen in self.specimens)

    def _append(self, data: bytes, folder: Path) -> Outcome:
        """Whatever stands there, the next line comes behind it, or the ledger says why not."""
        path = put_in(folder, "ledger.jsonl", data)
        try:
            ledger = Ledger.open(path, APPLIANCE, StillClock(), device=ADDRESSEE)
            ledger.append(LedgerEvent.LOGIN, Actor.of_uid(0), {"role": "technician"})
            ledger.newest()
        except LedgerError as error:
            return refused(error)
        if not path.read_bytes().startswith(data):
            message = "an append changed what stood there"
            raise AssertionError(message)
        return Outcome(Verdict.BELIEVED)

    def close(self) -> None:
        """Nothing was prepared."""


def _vouched(specimen: bytes) -> bytes:
    """All before the last line, which is the head itself, and of which others have a copy."""
    return b"\n".join(specimen.splitlines()[:-1])


def _written(line: object) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"


def _chained(lines: Sequence[Any]) -> bytes:
    """Lines with right digests and signatures, whatever else they say; a line that is no object stays as it is."""
    previous, ledger, made = "0" * 64, "", b""
    for line in lines:
        if isinstance(line, dict):
            if isinstance(line.get("previous"), str):
                line["previous"] = previous
            facts = line.get("facts")
            if isinstance(facts, dict):
                ledger = facts.get("ledger", ledger)
                if "signature" in facts and isinstance(line.get("n"), int):
                    facts["signature"] = _signature(ledger, line, previous)
        written = _written(line)
        previous = digest_of(written[:-1])
        made += written
    return made


def _signature(ledger: object, line: dict[str, Any], previous: str) -> str:
    content = {"ledger": ledger, "n": line["n"] - 1, "digest": previous, "at": line.get("at")}
    try:
        signed = Envelope(Kind.LEDGER_HEAD, canonical(content), ()).signed_bytes
    except ValueError:
        signed = b""
    return base64.b64encode(APPLIANCE.sign(signed)).decode("ascii")
