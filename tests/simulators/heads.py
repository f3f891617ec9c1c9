"""Messages with heads of a ledger that nobody wrote."""

from datetime import UTC, datetime

from edge_lfr.governance.ledger.head import LedgerHead
from edge_lfr.governance.trust import SigningKey
from edge_lfr.pipeline.reporting.states import LedgerHeadMessage
from edge_lfr.terms import Mode

KEY = SigningKey.generate()
LEDGER = "ab" * 16
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def head(n: int, mode: Mode = Mode.TRAINING) -> LedgerHeadMessage:
    """Of line *n*, signed."""
    signed = LedgerHead.sign(KEY, ledger=LEDGER, n=n, digest=f"{n:064x}", at=NOW)
    return LedgerHeadMessage.of(signed.document(), mode)
