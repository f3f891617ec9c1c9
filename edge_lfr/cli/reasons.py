"""Every reason code that an appliance gives, in words: how it is and what to do about it, and why its index serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_lfr.watchlist.gallery.index_report import IndexReason

NAMED: Final = "*"
"""Stands in a code for the name of one camera or thread."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a code means, and what somebody at the box can do."""

    meaning: str
    remedy: str


_SHOW: Final = "edge-lfr authority show; edge-lfr doctor names field and remedy"

DEPLOYMENT: Final[Mapping[str, Advice]] = {
    "authority-missing": Advice("no deployment authority is installed", "edge-lfr authority install FILE"),
    "authority-unreadable": Advice("it cannot be said whether the deployment is authorised", "edge-lfr authority show"),
    "authority-refused": Advice("the installed authority does not count here", _SHOW),
    "authority-countersign-overdue": Advice(
        "the second officer has not signed in time", "end the deployment; have a new authority signed"
    ),
    "authority-countersign-due": Advice(
        "a second officer must sign before the deadline", "edge-lfr authority countersign, then install it"
    ),
    "authority-not-yet": Advice("the deployment has not begun", "wait: it begins by itself"),
    "authority-ended": Advice("the deployment is over: nobody is compared", "edge-lfr watchlist wipe"),
    "authority-revoked": Advice("the authority was revoked: nobody is compared", "have a new one signed"),
    "authority-ends-in-30-min": Advice("the deployment ends within 30 minutes", "tell everybody"),
    "authority-ends-in-5-min": Advice("the deployment ends within 5 minutes", "finish what is under way"),
    "clock-untrusted": Advice(
        "the time is not to be relied on: nobody is compared",
        "have it synchronised, or compare it with a watch: edge-lfr clock confirm",
    ),
    "trust-changed": Advice(
        "somebody changed whose signatures count: nobody is compared", "edge-lfr keys show, then edge-lfr resume"
    ),
    "trust-refused": Advice("the trust folder is not root's alone", "edge-lfr doctor"),
    "watchlist-sealed": Advice("the list does not open", "edge-lfr doctor"),
    "watchlist-not-authorised": Advice("the list is not the authorised one", _SHOW),
    "watchlist-issuer-not-trusted": Advice(
        "the key that signed the list counts no more", "load a list that a trusted issuer signed: edge-lfr keys show"
    ),
    "watchlist-ended": Advice("the list is past its end", "have a new one issued, and load it"),
    "protection-officer-missing": Advice(
        "no data protection officer is configured", "set trust.protection_officer, and restart the daemon"
    ),
    "watchlist-stale-soon": Advice("the list is nearly 24 hours old", "have a new one issued, and load it"),
    "watchlist-stale": Advice("the list is more than 24 hours old", "have a new one issued, and load it"),
    "watchlist-ends-late": Advice("the list would outlive its deployment", "load it again"),
    "pack-not-authorised": Advice("the model pack is not the authorised one", _SHOW),
    "calibration-extrapolated": Advice(
        "nobody has measured false alerts for a list of this size",
        "training only; a shorter list or another pack may be measured",
    ),
    "licence-not-for-operation": Advice("the model pack's licence is for training only", "choose another models.pack"),
    "threshold-too-low": Advice("the authorised threshold is too low", _SHOW),
    "core-dumps": Advice("a crash would write memory to the disk", "LimitCORE=0 in the unit; then restart"),
    "retention-not-authorised": Advice("alerts are not kept as was authorised", "retention.profile; edge-lfr doctor"),
    "revocation-not-kept": Advice(
        "a revocation counts and is not on the disk: a restart would forget it",
        "free disk space under the state folder; leave it on",
    ),
    "oversight-failed": Advice("a duty of the overseer fails, and is tried again", "the log says which; the disk"),
}
"""What keeps a deployment from running, and what is said while it does."""

ADVICE: Final[Mapping[str, Advice]] = {
    "no-watchlist": Advice("no watchlist is loaded: nobody is compared", "edge-lfr watchlist load FILE"),
    "paused": Advice("somebody paused it: nobody is compared, also after a restart", "edge-lfr resume"),
    "watchlist-not-searched": Advice(
        "a watchlist is loaded, and nobody is compared with it", "edge-lfr resume; where that fails it says why"
    ),
    **DEPLOYMENT,
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
    "outbox-nearly-full": Advice(
        "four fifths of the alerts that may wait for delivery do", "restore the link to the control room's broker"
    ),
    "outbox-full": Advice(
        "too many alerts wait for delivery: new ones are in memory only",
        "restore the link to the broker, or raise reporting.max_stored; leave it on",
    ),
    "outbox-keeps-much": Advice(
        "so many alerts are done or held that the oldest done ones will be deleted before their time",
        "release holds that are over: edge-lfr alerts holds; or raise reporting.max_stored",
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
