"""Messages with heads of a ledger; their signatures hold for nothing."""

from edge_lfr.pipeline.reporting.states import HeadSignature, LedgerHeadMessage, SignedHead
from edge_lfr.terms import Mode


def head(n: int, mode: Mode = Mode.TRAINING) -> LedgerHeadMessage:
    return LedgerHeadMessage(
        mode=mode,
        head=SignedHead(
            schema_version="lfr.document/1",
            kind="ledger-head",
            content={"ledger": "ab", "n": n},
            signatures=(HeadSignature(key="cd" * 32, signature="c2ln"),),
        ),
    )
