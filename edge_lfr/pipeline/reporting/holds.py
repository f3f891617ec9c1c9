"""
Legal holds: an alert that is needed for longer than its time stays, sealed, until somebody releases it.

A hold is of one alert with all its sightings, for one reason; two reasons are two holds, and the alert stays until the
last one is released. The note is sealed under a data key of its own, as a message is.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from edge_lfr.errors import HoldError, SealBrokenError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.pipeline.reporting.row_deed import note_deed
from edge_lfr.pipeline.reporting.rows import RowFile

MAX_NOTE_CHARACTERS: Final = 500
"""A case number and a sentence; chosen, not measured."""


class HoldReason(StrEnum):
    """Why an alert is kept past its time; a closed list, since each one needs a basis in law."""

    EVIDENCE = "evidence"
    """It is part of an investigation or a case."""

    COMPLAINT = "complaint"
    DISCLOSURE = "disclosure"
    """The defence or the person shown may have a right to it."""

    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Who keeps which alert since when, and why."""

    alert_id: str
    reason: HoldReason
    held_by: int
    """User id."""

    held_at: datetime
    note: str | None = field(repr=False)
    """None when it does not open with this appliance's key; the hold stands all the same."""

    ends_at: datetime
    """When the time of the last row is over that it keeps: the end of the alert, were it not for this."""


class Holds:
    """The holds of one outbox; any thread may call, and so may another process of the same user."""

    def __init__(self, file: RowFile, kek: KeyEncryptingKey) -> None:
        self._file = file
        self._kek = kek

    def place(
        self,
        alert_id: str,
        reason: HoldReason,
        *,
        note: str,
        held_by: int,
        at: datetime,
        by: Actor | None = None,
    ) -> None:
        """
        Keep an alert and its sightings from now on, also those that are still to come.

        *by* is who does it and through whom, for the ledger; where that is more than the user *held_by*.

        Raises:
            HoldError: The alert is not here, is held for this reason already, or the note is no text of a fair length.
            OutboxError: The disk refuses.
        """
        _require_text("alert", alert_id)
        _require_text("note", note)
        if not 0 < len(note.strip()) <= MAX_NOTE_CHARACTERS:
            message = f"note: expected 1 to {MAX_NOTE_CHARACTERS} characters, found {len(note.strip())}"
            raise HoldError(message, remedy="say in a line who needs it: a case or complaint number, no name")
        key, context = new_key(), _context(alert_id, reason, held_by, at.timestamp())
        sealed = Seal(key).seal(note.strip().encode(), context=context)
        wrapped = self._kek.wrap(key, context=context)
        with self._file.transaction() as db:
            if db.execute("SELECT 1 FROM rows WHERE alert_id = ?", (alert_id,)).fetchone() is None:
                raise HoldError(f"{alert_id}: there is no such alert on this appliance")
            if db.execute("SELECT 1 FROM holds WHERE alert_id = ? AND reason = ?", (alert_id, reason)).fetchone():
                message = f"{alert_id}: held for {reason.value} already"
                raise HoldError(message, remedy="see `edge-lfr alerts holds`")
            db.execute(
                "INSERT INTO holds (alert_id, reason, held_by, held_at, wrapped_key, sealed_note)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (alert_id, reason, held_by, at.timestamp(), wrapped, sealed),
            )
            note_deed(db, LedgerEvent.LEGAL_HOLD, by or Actor.of_uid(held_by), _facts(alert_id, reason, note), at)

    def release(self, alert_id: str, reason: HoldReason | None = None, *, by: Actor, at: datetime) -> HoldReason:
        """
        Take a hold away; when it was the last one of an alert whose time is over, the next purge deletes that.

        Args:
            alert_id: Of the alert.

            reason: Of the hold; may be left out where there is only one.

            by: Who releases.

            at: When.

        Returns:
            The reason of the hold that is no more.

        Raises:
            HoldError: There is no such hold, or there are several and none is named.
            OutboxError: The disk refuses.
        """
        _require_text("alert", alert_id)
        with self._file.transaction() as db:
            found = db.execute("SELECT reason FROM holds WHERE alert_id = ?", (alert_id,)).fetchall()
            reasons = sorted(HoldReason(text) for (text,) in found)
            named = reasons if reason is None else [known for known in reasons if known is reason]
            if not named:
                wanted = "" if reason is None else f" for {reason.value}"
                raise HoldError(f"{alert_id}: not held{wanted}", remedy="see `edge-lfr alerts holds`")
            if len(named) > 1:
                message = f"{alert_id}: held for {' and '.join(known.value for known in named)}"
                raise HoldError(message, remedy="name the one that is over with --reason")
            db.execute("DELETE FROM holds WHERE alert_id = ? AND reason = ?", (alert_id, named[0]))
            facts: dict[str, Fact] = {"alert": alert_id, "code": named[0].value}
            note_deed(db, LedgerEvent.LEGAL_HOLD_RELEASED, by, facts, at)
        self._file.cut_log()
        return named[0]

    def all(self) -> tuple[Hold, ...]:
        """
        Every hold, oldest first.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._file.reading() as db:
            found = db.execute(
                "SELECT alert_id, reason, held_by, held_at, wrapped_key, sealed_note"
                " FROM holds ORDER BY held_at, alert_id, reason"
            ).fetchall()
            ends: dict[str, datetime] = {}
            rows = db.execute(
                "SELECT alert_id, id, expires_at FROM rows WHERE alert_id IN (SELECT alert_id FROM holds)"
            )
            for alert_id, row_id, expires_s in rows:
                end = self._file.end_of(row_id, expires_s)
                ends[alert_id] = max(end, ends.get(alert_id, end))
        return tuple(
            Hold(
                alert_id=alert_id,
                reason=HoldReason(reason),
                held_by=held_by,
                held_at=datetime.fromtimestamp(held_at, UTC),
                note=self._open_note(wrapped, sealed, _context(alert_id, reason, held_by, held_at)),
                ends_at=ends.get(alert_id, datetime.fromtimestamp(held_at, UTC)),
            )
            for alert_id, reason, held_by, held_at, wrapped, sealed in found
        )

    def alert_ids(self) -> frozenset[str]:
        """
        Of all alerts that are held.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._file.reading() as db:
            return frozenset(alert_id for (alert_id,) in db.execute("SELECT alert_id FROM holds"))

    def _open_note(self, wrapped: bytes, sealed: bytes, context: str) -> str | None:
        try:
            return Seal(self._kek.unwrap(wrapped, context=context)).open(sealed, context=context).decode()
        except SealBrokenError:
            return None


def _facts(alert_id: str, reason: HoldReason, note: str) -> dict[str, Fact]:
    """As the ledger has them: what a person wrote goes in as its digest."""
    digest = hashlib.sha256(note.strip().encode()).hexdigest()
    return {"alert": alert_id, "code": reason.value, "reason_sha256": digest}


def _require_text(name: str, untrusted: str) -> None:
    """A terminal that speaks something else than UTF-8 gives bytes that stand for no character."""
    try:
        untrusted.encode()
    except UnicodeEncodeError:
        raise HoldError(f"{name}: has bytes that are no text", remedy="write it in UTF-8") from None


def _context(alert_id: str, reason: str, held_by: int, held_at: float) -> str:
    """What the note is sealed to: a hold that was given to somebody else, or backdated, does not open."""
    return f"hold:{alert_id}:{reason}:{held_by}:{held_at!r}"
