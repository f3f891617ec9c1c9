"""Ledgers for tests: a device key, a ledger in a folder, events with facts that suit them, and a verification."""

import io
from collections.abc import Iterable
from pathlib import Path

from edge_lfr.clock import Clock
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME, split
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import Actor, Part
from edge_lfr.governance.ledger.published import read_published
from edge_lfr.governance.ledger.report import LedgerReport
from edge_lfr.governance.ledger.verify import verify_ledger
from edge_lfr.governance.trust import SigningKey
from simulators.clock import StoppedClock

DEVICE = "anytown/van-1/training"
DAEMON = Actor.of_part(Part.DAEMON)
TECHNICIAN = Actor.of_uid(1000)
ALERT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

SAMPLES: dict[LedgerEvent, dict[str, Fact]] = {
    LedgerEvent.STARTED: {"version": "0.1.0", "cameras": 2},
    LedgerEvent.LOGIN: {"role": "technician"},
    LedgerEvent.THRESHOLD: {"threshold": 0.475, "templates": 1000},
    LedgerEvent.ALERT: {"alert": ALERT, "watchlist_sha256": "ab" * 32, "score": 0.51},
    LedgerEvent.ACKNOWLEDGED: {"alert": ALERT, "seconds": 1.25},
    LedgerEvent.REFUSED: {"code": "control.permission", "verb": "wipe"},
}
"""Some events of weight and some without."""


def signing_key(seed: int = 1) -> SigningKey:
    """The same key for the same seed."""
    return SigningKey.from_raw(bytes([seed]) * 32)


def new_ledger(folder: Path, clock: Clock | None = None, *, seed: int = 1) -> Ledger:
    """Open or begin the ledger of *folder*."""
    return Ledger.open(folder / FILE_NAME, signing_key(seed), StoppedClock() if clock is None else clock, device=DEVICE)


def append(ledger: Ledger, *events: LedgerEvent) -> None:
    """Some lines with the samples' facts."""
    for event in events:
        ledger.append(event, DAEMON, SAMPLES[event])


def verified(
    data: bytes,
    *,
    published: Iterable[bytes] | None = None,
    expected_key: str | None = signing_key().fingerprint,
) -> LedgerReport:
    """What a verification of these bytes finds."""
    kept = None if published is None else b"".join(head + b"\n" for head in published)
    heads = None if kept is None else read_published(io.BytesIO(kept))
    return verify_ledger(split(io.BytesIO(data), len(data)), expected_key=expected_key, published=heads)


def codes(report: LedgerReport) -> list[str]:
    """What was found and noted, in order."""
    return [remark.code.value for remark in (*report.findings.told, *report.notes.told)]
