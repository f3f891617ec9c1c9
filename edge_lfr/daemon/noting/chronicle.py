"""
What this appliance does, in the words of its ledger: numbers, digests and codes, and who did it.

Everything enters as the daemon's own records; what leaves has room for no label, reference id, address or picture.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import edge_lfr
from edge_lfr.clock import Clock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.armament import Armament
from edge_lfr.daemon.noting.recorder import DAEMON, KEPT_S, MAX_KEPT, Recorder
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.lines import Actor, written_time
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.messages import AlertMessage, SightingMessage
from edge_lfr.pipeline.reporting.row_deed import Deed
from edge_lfr.pipeline.reporting.witness import Witness
from edge_lfr.watchlist.gallery.index_report import IndexReason
from edge_lfr.watchlist.wiping.certificate import WipeCertificate
from edge_lfr.watchlist.wiping.ended_list import EndedList

ALERTS: Final = "alerts"
FACES_SEEN: Final = "faces-seen"
"""Names of counters."""


class _Present(threading.local):
    """Who wants what is done now in this thread, and as what."""

    cause: tuple[Actor, str] = DAEMON, "daemon"


@dataclass(frozen=True, slots=True)
class _Since:
    """When a span began, and what had been counted by then."""

    at_ns: int
    counts: Mapping[str, int]


@dataclass(slots=True, eq=False)
class Chronicle(Witness):
    """Any thread may tell; nothing is raised, and only the path's messages never wait for the disk."""

    recorder: Recorder
    counters: Counters
    clock: Clock
    _begun: _Since = field(init=False)
    _armed: _Since | None = field(default=None, init=False)
    _paused_ns: int | None = field(default=None, init=False)
    _present: _Present = field(default_factory=_Present, init=False)

    def __post_init__(self) -> None:
        self._begun = self._now()

    def started(self, config: ApplianceConfig, pack_sha256: str) -> None:
        """The daemon runs: with which release, configuration and pack."""
        note, digest = self.recorder.note, config_digest(config)
        note(
            LedgerEvent.STARTED,
            DAEMON,
            version=edge_lfr.__version__,
            cameras=len(config.cameras),
            config_sha256=digest,
            mode=config.mode.value,
            pack_sha256=pack_sha256,
        )
        note(LedgerEvent.CONFIGURED, DAEMON, config_sha256=digest)
        note(LedgerEvent.PACK, DAEMON, pack_sha256=pack_sha256)

    def stopped(self, by: Actor, code: str) -> None:
        """The daemon has ended in order."""
        self.recorder.note(LedgerEvent.STOPPED, by, code=code, **self._counted(self._begun))

    @contextmanager
    def acting(self, by: Actor, code: str) -> Iterator[None]:
        """What this thread does in the block, *by* wanted; outside of one it is the daemon that arms and disarms."""
        before = self._present.cause
        self._present.cause = by, code
        try:
            yield
        finally:
            self._present.cause = before

    def armed(self, armament: Armament) -> None:
        """This list is searched from now on, above this threshold."""
        self._armed = self._now()
        by, _ = self._present.cause
        watchlist, templates = armament.watchlist, armament.gallery.templates
        self.recorder.note(
            LedgerEvent.THRESHOLD,
            by,
            threshold=armament.threshold,
            code=armament.floor.evidence,
            pack_sha256=watchlist.pack_digest,
            templates=templates,
        )
        self.recorder.note(
            LedgerEvent.ARMED,
            by,
            watchlist_sha256=watchlist.digest,
            pack_sha256=watchlist.pack_digest,
            references=armament.gallery.references,
            templates=templates,
            threshold=armament.threshold,
            **_right(armament),
        )

    def disarmed(self, watchlist_sha256: str, code: str | None = None) -> None:
        """That list is searched no more: for *code*, or for what is being done."""
        by, cause = self._present.cause
        since, self._armed = self._armed, None
        counted = {} if since is None else self._counted(since)
        self.recorder.note(
            LedgerEvent.DISARMED, by, code=cause if code is None else code, watchlist_sha256=watchlist_sha256, **counted
        )

    def index_chosen(self, armament: Armament) -> None:
        """How the list is searched, and why so; nothing where the list ended before that was known."""
        choice = armament.gallery.choice
        if choice.reason is IndexReason.TRYING:
            return
        self.recorder.note(
            LedgerEvent.INDEX_CHOSEN,
            DAEMON,
            index=choice.serving.value,
            code=choice.reason.value,
            recall=choice.recall,
            templates=armament.gallery.templates,
            watchlist_sha256=armament.watchlist.digest,
        )

    def paused(self, by: Actor) -> None:
        self._paused_ns = self.clock.monotonic_ns()
        self.recorder.note(LedgerEvent.PAUSED, by)

    def resumed(self, by: Actor) -> None:
        since_ns, self._paused_ns = self._paused_ns, None
        seconds = None if since_ns is None else round((self.clock.monotonic_ns() - since_ns) / 1e9, 3)
        self.recorder.note(LedgerEvent.RESUMED, by, seconds=seconds)

    def removed(self, references: int, by: Actor) -> None:
        """So many were taken out of the list; what remains is armed next, or nothing remains."""
        self.recorder.note(LedgerEvent.WATCHLIST_REMOVED, by, references=references)

    def wiped(self, ended: EndedList, by: Actor) -> None:
        evidence = ended.evidence
        self.recorder.note(
            LedgerEvent.WATCHLIST_WIPED,
            by,
            keys=ended.keys,
            lists=ended.lists,
            code=ended.cause.value,
            references=None if evidence is None else evidence.references,
            seconds=round(ended.destroyed_in_s, 3),
            watchlist_sha256=None if evidence is None else evidence.digest,
        )

    def proved(self, certificate: WipeCertificate, document: bytes) -> None:
        """What the search after a wipe found; nothing where there was nothing to look for."""
        facts = proof_facts(certificate, document)
        if facts:
            self.recorder.note(LedgerEvent.WIPE_PROVED, DAEMON, **facts)

    def stored(self, message: AlertMessage | SightingMessage) -> None:
        """An alert or a sighting; a test is told by whoever asked for it."""
        if isinstance(message, AlertMessage) and message.is_test:
            return
        event, facts = line_of(message)
        self.recorder.note(event, DAEMON, **facts)

    def acknowledged(self, alert_id: str, key: str) -> None:
        self.recorder.note(LedgerEvent.ACKNOWLEDGED, Actor.of_key(key), alert=alert_id)

    def tested(self, alert_id: str, outcome: str | None, by: Actor) -> None:
        """A test alert was sent; how far it came."""
        self.recorder.note(LedgerEvent.ALERT_TESTED, by, alert=alert_id, outcome=outcome)

    def refused(self, what: str, code: str, by: Actor = DAEMON) -> None:
        """Somebody asked for *what*; who sent it over the broker is not known where the signature is not believed."""
        self.recorder.note(LedgerEvent.REFUSED, by, code=code, verb=what)

    def done(self, deed: Deed) -> None:
        self.recorder.note(deed.event, deed.who, **deed.line_facts(self.clock.utc_now(), late_from_s=KEPT_S))

    def has_room(self) -> bool:
        return self.recorder.kept < MAX_KEPT // 2  # the other half is for what is kept nowhere else

    def has_kept_all(self) -> bool:
        return self.recorder.kept == 0

    def _now(self) -> _Since:
        return _Since(self.clock.monotonic_ns(), self.counters.snapshot())

    def _counted(self, since: _Since) -> dict[str, Fact]:
        counts = self.counters.snapshot()
        return {
            "alerts": counts.get(ALERTS, 0) - since.counts.get(ALERTS, 0),
            "faces_seen": counts.get(FACES_SEEN, 0) - since.counts.get(FACES_SEEN, 0),
            "seconds": round((self.clock.monotonic_ns() - since.at_ns) / 1e9, 3),
        }


def _right(armament: Armament) -> dict[str, Fact | None]:
    """By what right, and whose list; in training there is nothing to tell."""
    verified, origin = armament.authority, armament.watchlist.origin
    facts: dict[str, Fact | None] = {"list": None if origin is None else origin.list_id}
    if verified is not None:
        facts |= {
            "authority": verified.authority.authority_id,
            "authority_sha256": verified.digest,
            "use_case": verified.authority.use_case.value,
            "starts_at": written_time(verified.authority.begins_at),
            "ends_at": written_time(verified.runs_until),
        }
    return facts


def line_of(message: AlertMessage | SightingMessage) -> tuple[LedgerEvent, dict[str, Fact | None]]:
    """The event and the facts of a message: ids and numbers, not whom it is about."""
    facts: dict[str, Fact | None] = {
        "alert": message.alert_id,
        "camera": message.camera,
        "score": message.score,
        "threshold": message.threshold,
        "sequence": message.seq,
    }
    if isinstance(message, SightingMessage):
        return LedgerEvent.SIGHTING, facts
    facts |= {
        "watchlist_sha256": message.watchlist_digest,
        "pack_sha256": message.pack_digest,
        "is_ambiguous": message.is_ambiguous,
    }
    return LedgerEvent.ALERT, facts


def proof_facts(certificate: WipeCertificate, document: bytes) -> dict[str, Fact]:
    """A proof in numbers; empty where there was nothing to look for."""
    proof = certificate.proof
    if proof is None:
        return {}
    return {
        "found": proof.found,
        "bytes": proof.memory_bytes + proof.file_bytes,
        "certificate_sha256": hashlib.sha256(document).hexdigest(),
        "seconds": round(proof.seconds, 3),
    }


def config_digest(config: ApplianceConfig) -> str:
    """
    SHA-256 over the canonical JSON of the effective configuration; passwords and addresses of cameras are masked.

    The retention profile enters with its own digest: what a document says may change while its path does not.
    """
    content = config.model_dump(mode="json")
    content["retention"]["digest"] = config.retention.chosen.digest
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()
