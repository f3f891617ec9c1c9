"""
A match becomes a message with two pictures in the outbox; a further match of the same passage becomes a sighting.

Enters: a decision and, while the frame lives, the frame and the face. Leaves: a sealed row. Nothing else is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.outcomes import Alert, Candidate, Decision
from edge_lfr.biometrics.samples import Face, Frame
from edge_lfr.clock import Clock
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.config.retention import RetentionProfile
from edge_lfr.errors import AuthorityMissingError, ReportingError
from edge_lfr.pipeline.reporting.listed import (
    FAULTS,
    NoReferences,
    References,
    Words,
    person_digest,
    reason_of,
    words_on,
)
from edge_lfr.pipeline.reporting.messages import MESSAGE_BYTES, AlertMessage, Evidence, RunnerUp, SightingMessage
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.passages import Kind, Listing, Passages
from edge_lfr.pipeline.reporting.pictures import card_picture, face_picture, mark_of
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.pipeline.reporting.topics import Identity
from edge_lfr.pipeline.reporting.ulid import new_ulid
from edge_lfr.pipeline.reporting.witness import Witness
from edge_lfr.terms import Mode

ROOM_FOR_WORDS_BYTES: Final = 8_192
"""Of a message: everything but pictures; three texts and names of full length in UTF-8, escaped, stay below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What decisions rest on while one watchlist is searched with one pack."""

    references: References
    watchlist_digest: str
    pack_id: str
    pack_digest: str
    threshold_evidence: Evidence
    authority_id: str | None = None
    """Of the deployment authority; none in training."""

    list_id: str | None = None
    """Of the watchlist, as its issuer calls it."""


class AlertWriter:
    """Writes matches into the outbox; called from the path's thread, and for tests from the control socket's."""

    def __init__(
        self,
        config: ReportingConfig,
        identity: Identity,
        outbox: Outbox,
        clock: Clock,
        basis: Basis | None = None,
        *,
        retention: RetentionProfile,
        witness: Witness | None = None,
    ) -> None:
        self._config = config
        self._lifetimes = {
            RowKind.ALERT: retention.alert_lifetime,
            RowKind.SIGHTING: retention.sighting_lifetime,
            RowKind.TEST: retention.test_lifetime,
        }
        self._identity = identity
        self._outbox = outbox
        self._clock = clock
        self._witness = Witness() if witness is None else witness
        self._basis: Basis | None = None
        if basis is not None:
            self.rest_on(basis)
        self._mark = mark_of(identity.mode)
        self._passages = Passages(config.passage_gap_s)
        self._log = structlog.get_logger()

    def rest_on(self, basis: Basis) -> None:
        """
        Take another watchlist; matches from now on are of that one.

        Raises:
            AuthorityMissingError: The mode is operational, and *basis* names no authority.
        """
        if self._identity.mode is Mode.OPERATIONAL and basis.authority_id is None:
            message = "nobody is compared in operation without a deployment authority"
            raise AuthorityMissingError(message)
        self._basis = basis

    def write(
        self, decision: Decision, frame: Frame | None, face: Face | None, others: Sequence[Face] = ()
    ) -> Alert | None:
        """
        Tell of a match; it is in the outbox when this returns.

        Args:
            decision: A match; its first candidate is the subject.

            frame: Where it was seen; None when the track had ended before it was decided.

            face: Where in the frame.

            others: Every other face in the frame; they are painted over where they reach into the crop.

        Returns:
            What was told; None for a repetition that nobody has to be told of.

        Raises:
            ReportingError: The outbox took it neither on disk nor in memory; the next match will be told as new.
        """
        basis = self._basis
        if basis is None:
            message = "a match without a watchlist"
            raise ReportingError(message)
        subject = decision.candidates[0]
        now_ns = self._clock.monotonic_ns() if frame is None else frame.arrived_ns
        new_id = new_ulid(self._clock.utc_now())
        listing = Listing(
            subject.reference_id,
            basis.watchlist_digest,
            lambda: person_digest(subject.reference_id, basis.references),
        )
        kind, alert_id = self._passages.assign(listing, decision.track_id, subject.score, now_ns, new_id)
        if kind is Kind.REPEATED:
            return None
        alert = Alert(
            alert_id=alert_id,
            reference_id=subject.reference_id,
            camera_id=decision.camera_id,
            track_id=decision.track_id,
            captured_at=self._clock.utc_now() if frame is None else frame.captured_at,
            score=subject.score,
            threshold=decision.threshold,
            runner_up=decision.candidates[1] if len(decision.candidates) > 1 else None,
            looks=decision.looks,
            is_ambiguous=decision.is_ambiguous,
            is_sighting=kind is not Kind.NEW,
        )
        if kind is Kind.FURTHER:
            self._store_sighting(alert, self._look_at(frame, face, others), basis)
            return alert
        try:
            self._store_alert(alert, self._look_at(frame, face, others), basis)
        except BaseException:  # whatever it was: there is no alert that a next match could be a sighting of
            self._passages.undo(alert.reference_id, alert_id)
            raise
        return alert

    def write_test(self) -> Alert:
        """
        Write an alert about nobody, marked as a test all the way to the control room.

        Raises:
            ReportingError: The outbox does not take it.
        """
        now = self._clock.utc_now()
        alert = Alert(
            alert_id=new_ulid(now),
            reference_id="test",
            camera_id="test",
            track_id=0,
            captured_at=now,
            score=0.0,
            threshold=0.0,
            runner_up=None,
            looks=0,
            is_ambiguous=False,
            is_sighting=False,
        )
        card = card_picture(
            "TEST", mark=mark_of(self._identity.mode, is_test=True), max_bytes=self._config.picture_bytes
        )
        seen = _Seen(None, None, card, self._clock.monotonic_ns())
        basis = _NO_BASIS if self._basis is None else self._basis
        self._store(alert, seen, basis, Words("test alert", "test", "test", card), RowKind.TEST)
        return alert

    def _look_at(self, frame: Frame | None, face: Face | None, others: Sequence[Face]) -> "_Seen":
        """What is kept of the frame; a picture that cannot be made never costs the alert."""
        if frame is None or face is None:
            return _Seen(None, None, None, self._clock.monotonic_ns() if frame is None else frame.arrived_ns)
        try:
            jpeg = face_picture(frame, face, others, mark=self._mark, max_bytes=self._config.picture_bytes)
        except FAULTS as error:
            self._log.error("alert.no-face-picture", reason=reason_of(error))
            jpeg = None
        return _Seen(frame.media_time_s, face.box_xyxy, jpeg, frame.arrived_ns)

    def _words_on(self, reference_id: str, basis: Basis, max_bytes: int) -> Words:
        return words_on(reference_id, basis.references, mark=self._mark, max_bytes=max_bytes)

    def _store_alert(self, alert: Alert, seen: "_Seen", basis: Basis) -> None:
        words = self._words_on(alert.reference_id, basis, self._config.picture_bytes)
        self._store(alert, seen, basis, words, RowKind.ALERT)

    def _second(self, alert: Alert, basis: Basis, spent_bytes: int) -> RunnerUp | None:
        """The runner-up; on an ambiguous alert with words and, as far as there is room, a picture."""
        candidate: Candidate | None = alert.runner_up
        if candidate is None:
            return None
        if not alert.is_ambiguous:
            return RunnerUp(reference_id=candidate.reference_id, score=candidate.score)
        room = (MESSAGE_BYTES - ROOM_FOR_WORDS_BYTES) * 3 // 4 - spent_bytes
        room = min(room, self._config.picture_bytes)
        words = self._words_on(candidate.reference_id, basis, room)
        return RunnerUp(
            reference_id=candidate.reference_id, score=candidate.score, label=words.label, reference_jpeg=words.picture
        )

    def _store(self, alert: Alert, seen: "_Seen", basis: Basis, words: Words, kind: RowKind) -> None:
        spent_bytes = len(seen.jpeg or b"") + len(words.picture or b"")
        message = AlertMessage(
            alert_id=alert.alert_id,
            boot_id=self._outbox.boot_id,
            seq=self._outbox.next_seq(),
            mode=self._identity.mode,
            authority_id=basis.authority_id,
            list_id=basis.list_id,
            is_test=kind is RowKind.TEST,
            force=self._identity.force,
            device=self._identity.device,
            camera=alert.camera_id,
            track_id=alert.track_id,
            reference_id=alert.reference_id,
            label=words.label,
            category=words.category,
            response_code=words.response_code,
            captured_at=alert.captured_at,
            media_time_s=seen.media_time_s,
            box_xyxy=seen.corners,
            score=alert.score,
            threshold=alert.threshold,
            threshold_evidence=basis.threshold_evidence,
            runner_up=self._second(alert, basis, spent_bytes),
            is_ambiguous=alert.is_ambiguous,
            looks=alert.looks,
            pack_id=basis.pack_id,
            pack_digest=basis.pack_digest,
            watchlist_digest=basis.watchlist_digest,
            expires_at=alert.captured_at + self._lifetimes[kind],
            face_jpeg=seen.jpeg,
            reference_jpeg=words.picture,
        )
        self._keep(message, kind, seen)

    def _store_sighting(self, alert: Alert, seen: "_Seen", basis: Basis) -> None:
        message = SightingMessage(
            alert_id=alert.alert_id,
            boot_id=self._outbox.boot_id,
            seq=self._outbox.next_seq(),
            mode=self._identity.mode,
            authority_id=basis.authority_id,
            list_id=basis.list_id,
            force=self._identity.force,
            device=self._identity.device,
            camera=alert.camera_id,
            track_id=alert.track_id,
            captured_at=alert.captured_at,
            media_time_s=seen.media_time_s,
            box_xyxy=seen.corners,
            score=alert.score,
            threshold=alert.threshold,
            threshold_evidence=basis.threshold_evidence,
            is_ambiguous=alert.is_ambiguous,
            expires_at=alert.captured_at + self._lifetimes[RowKind.SIGHTING],
            face_jpeg=seen.jpeg,
        )
        self._keep(message, RowKind.SIGHTING, seen)

    def _keep(self, message: AlertMessage | SightingMessage, kind: RowKind, seen: "_Seen") -> None:
        self._outbox.store(
            message.to_json(),
            alert_id=message.alert_id,
            kind=kind,
            seq=message.seq,
            expires_at=message.expires_at,
            arrived_ns=seen.arrived_ns if kind is RowKind.ALERT else None,
        )
        self._witness.stored(message)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an alert keeps of its frame."""

    media_time_s: float | None
    box_xyxy: BoxXYXY | None
    jpeg: bytes | None = field(repr=False)
    arrived_ns: int

    @property
    def corners(self) -> tuple[float, float, float, float] | None:
        box = self.box_xyxy
        return None if box is None else (box.x0, box.y0, box.x1, box.y1)


_NO_BASIS: Final = Basis(
    references=NoReferences(), watchlist_digest="", pack_id="", pack_digest="", threshold_evidence="extrapolated"
)
