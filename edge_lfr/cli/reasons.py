"""Every reason code that an appliance gives, in words: how it is and what to do about it, and why its index serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_lfr.watchlist.index_report import IndexReason

NAMED: Final = "*"
"""Stands in a code for the name of one camera or thread."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a code means, and what somebody at the box can do."""

    meaning: str
    remedy: str


ADVICE: Final[Mapping[str, Advice]] = {
    "no-watchlist": Advice("no watchlist is loaded: nobody is compared", "edge-lfr watchlist load FILE"),
    "threshold-extrapolated": Advice(
        "nobody has measured false alerts for a watchlist of this size",
        "training only; a shorter list may have a measured threshold",
    ),
    "camera-*-down": Advice("this camera gives no pictures", "its address, cable and power; edge-lfr cameras check"),
    "broker-stopped": Advice("the link to the control room has ended", "restart the daemon, and look at its log"),
    "broker-connecting": Advice("the link to the control room is being made", "wait a moment"),
    "broker-unreachable": Advice(
        "no broker answers; alerts wait in the outbox", "network, reporting.broker, addresses.conf; edge-lfr doctor"
    ),
    "broker-refused": Advice(
        "the broker does not want this appliance; alerts wait in the outbox",
        "certificates or password, and the broker's log; edge-lfr doctor",
    ),
    "broker.no-acknowledgements": Advice(
        "the broker refuses the topics on which control answers", "this appliance's name in the broker's access list"
    ),
    "alert.refused": Advice(
        "the broker refuses alerts; they wait in the outbox", "the broker's access list, size limit and log"
    ),
    "alert.nobody-listening": Advice(
        "nobody in the control room listens; alerts wait in the outbox", "start a screen: edge-lfr alerts watch"
    ),
    "ack.refused": Advice(
        "an acknowledgement was not to be trusted", "the control room's trust file in trust.directory; edge-lfr doctor"
    ),
    "revocation.refused": Advice(
        "a revocation was not to be trusted, or nothing here could be revoked",
        "ask who sent it; the trust file of its key in trust.directory; edge-lfr doctor",
    ),
    "outbox.unreadable": Advice("stored alerts cannot be read", "the disk under the state folder; edge-lfr doctor"),
    "outbox.unwritable": Advice("the outbox cannot be tidied", "free disk space under the state folder"),
    "outbox.unsealable": Advice(
        "a stored alert does not open with this box's key", "restore the key that it was stored with; others still go"
    ),
    "disk-refuses": Advice(
        "alerts are in memory only, and lost if the power goes", "free disk space under the state folder; leave it on"
    ),
    "ledger-refuses": Advice(
        "what happens is recorded in memory only", "free disk space under the state folder; edge-lfr doctor"
    ),
    "memory-unlocked": Advice(
        "memory with faces could be swapped out", "LimitMEMLOCK=infinity in the unit, or swapoff -a; then restart"
    ),
    "metrics-unavailable": Advice(
        "the metrics cannot be served", "another health.metrics_port: this one may be taken; then restart"
    ),
    "stalled-*": Advice(
        "this thread makes no progress", "as a service it is restarted within half a minute; else restart it"
    ),
}

WHY_THIS_INDEX: Final[Mapping[str, str]] = {
    IndexReason.CONFIGURED: "the configuration asks for it",
    IndexReason.SMALL: "no graph pays for so few templates",
    IndexReason.TRYING: "a graph is being tried meanwhile",
    IndexReason.FORCED: "the configuration asks for it, and it finds whom exact search finds",
    IndexReason.FASTER: "it finds whom exact search finds, and is clearly faster",
    IndexReason.NOT_FASTER: "a graph is not clearly faster",
    IndexReason.FEW_NOT_FASTER: "already a graph of a few templates is not clearly faster",
    IndexReason.MISSES: "a graph misses some of those whom exact search finds",
    IndexReason.FAILED: "a graph could not be built; the log says why",
}
"""There is nothing to mend in any of them: the search is right whatever serves."""

UNKNOWN: Final = Advice("this command does not know the code", "use the edge-lfr that the daemon runs; see its log")


def advice_on(code: str) -> Advice:
    """What a reason means; a daemon of another release may have codes that this one does not know."""
    if code in ADVICE:
        return ADVICE[code]
    for pattern, advice in ADVICE.items():
        begin, star, end = pattern.partition(NAMED)
        if star and code.startswith(begin) and code.endswith(end):
            return advice
    return UNKNOWN
