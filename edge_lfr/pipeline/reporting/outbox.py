"""
Durable store-and-forward: a message that was stored here is sent until it is acknowledged or its time is over.

When the disk refuses, a bounded number of messages waits in memory, is sent from there, and goes to the disk as soon as
it takes them again: a full disk loses nothing while the daemon lives.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from edge_lfr.clock import Clock
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.config.retention import RetentionProfile
from edge_lfr.errors import OutboxError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.signed import Refusal
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.pipeline.reporting.deeds import Deeds
from edge_lfr.pipeline.reporting.holds import Holds
from edge_lfr.pipeline.reporting.row_room import Fill, OutboxFullError
from edge_lfr.pipeline.reporting.rows import LoadedRow, NewRow, PendingRow, Purged, RowFile, RowKind, RowState, is_open
from edge_lfr.pipeline.reporting.signed_ids import SignedIds
from edge_lfr.pipeline.reporting.spooled import Spooled
from edge_lfr.pipeline.reporting.states import OutboxCounts
from edge_lfr.pipeline.reporting.ulid import new_ulid

MAX_SPOOLED: Final = 256
"""Messages in memory at most, 32 MiB; ten times the alerts of the busiest published deployment."""

GIVE_WAY_S: Final = 0.001
"""Between two rows that are brought to the disk: a lock that is taken again at once is had by nobody else. Chosen."""

FILE_NAME: Final = "outbox.sqlite"


class Outbox:
    """
    Rows on disk, and a spool in memory for when the disk refuses.

    Any thread may call. Ids of rows on disk are positive, of spooled ones negative.
    """

    def __init__(
        self,
        path: Path,
        kek: KeyEncryptingKey,
        config: ReportingConfig,
        clock: Clock,
        *,
        retention: RetentionProfile | None = None,
    ) -> None:
        """
        Open the file *path* (`FILE_NAME` in the mode's folder), or create it; *retention* as for `RowFile`.

        Raises:
            OutboxError: It is damaged or cannot be written.
        """
        self._file = RowFile(path, kek, max_rows=config.max_stored, retention=retention)
        self._clock = clock
        self.holds: Final = Holds(self._file, kek)
        self.deeds: Final = Deeds(self._file)
        self._is_clean = True
        self.boot_id: Final = new_ulid(clock.utc_now())
        self._changed = threading.Condition()
        self._last_seq = 0
        self._lost = 0
        self._spool: dict[int, Spooled] = {}
        self._next_spool_id = -1
        self._moved: dict[int, int] = {}
        self._unwritten: dict[int, RowState] = {}
        self._ids = SignedIds(self._file)
        self._arrivals: dict[int, int] = {}
        self._listener: Callable[[], None] | None = None
        self._latest_counts: OutboxCounts | None = None
        self._latest_fill: Fill | None = None
        self._is_full = False
        self._log = structlog.get_logger()
        self.counts()

    def close(self) -> None:
        """Give the file back; what is only in memory is tried once more."""
        self.flush()
        with self._changed:
            if self._spool:
                self._log.error("outbox.spool-lost", rows=len(self._spool))
        self._file.close()

    def on_stored(self, listener: Callable[[], None]) -> None:
        """Have *listener* called, by the storing thread, when there is something new to send."""
        self._listener = listener

    @property
    def last_seq(self) -> int:
        return self._last_seq

    @property
    def lost(self) -> int:
        """`OutboxCounts.lost`, at no cost."""
        return self._lost

    @property
    def spooled(self) -> int:
        """`OutboxCounts.spooled`, at no cost."""
        return len(self._spool)

    @property
    def made_room(self) -> int:
        """Rows that were deleted before their time, for new ones, since this run began; at no cost."""
        return self._file.made_room

    @property
    def complaints(self) -> tuple[str, ...]:
        """Codes of what is wrong with storing; from memory, as `latest_counts`."""
        found = () if self._latest_fill is None else self._latest_fill.complaints
        return ("disk-refuses", *found) if self._spool and not self._is_full else found

    @property
    def latest_counts(self) -> OutboxCounts | None:
        """What `counts` said last; None when it could not. Waits for nobody: not for the disk, nor for who has it."""
        return self._latest_counts

    def next_seq(self) -> int:
        """The number of the next message of this run; one that is taken and never stored shows as a gap."""
        with self._changed:
            self._last_seq += 1
            return self._last_seq

    def store(
        self,
        message: bytes,
        *,
        alert_id: str,
        kind: RowKind,
        seq: int,
        expires_at: datetime,
        arrived_ns: int | None = None,
    ) -> int:
        """
        Keep a message until it is acknowledged or expires; on disk when this returns a positive id.

        *arrived_ns* is the monotonic arrival of the frame that decided, for the latency.

        Raises:
            OutboxError: Disk and spool are both full; the message is not kept.
        """
        row = NewRow(
            alert_id=alert_id,
            kind=kind,
            boot_id=self.boot_id,
            seq=seq,
            stored_at=self._clock.utc_now(),
            expires_at=expires_at,
            message=message,
        )
        try:
            row_id = self._file.insert(row)
        except OutboxError as error:
            row_id = self._keep_in_memory(row, error)
        if arrived_ns is not None:
            with self._changed:
                self._arrivals[row_id] = arrived_ns
        if self._listener is not None:
            self._listener()
        return row_id

    def _keep_in_memory(self, row: NewRow, error: OutboxError) -> int:
        with self._changed:
            self._is_full = isinstance(error, OutboxFullError)
            if len(self._spool) >= MAX_SPOOLED:
                self._lost += 1
                self._log.error("outbox.refused", rows_in_memory=len(self._spool), reason=error.message)
                raise error
            row_id = self._next_spool_id
            self._next_spool_id -= 1
            self._spool[row_id] = Spooled(row)
            if len(self._spool) == 1:
                event = "outbox.full" if self._is_full else "outbox.disk-refuses"
                self._log.error(event, reason=error.message, kept="in memory")
            return row_id

    def flush(self) -> bool:
        """
        Bring to the disk what is only in memory, oldest first; True when nothing is left.

        Others get at the outbox between two rows: a slow disk takes minutes for all of them.
        """
        moved = 0
        try:
            while self._move_oldest():
                moved += 1
                self._clock.sleep(GIVE_WAY_S)
            self._write_states()
            while self._ids.write_oldest():
                self._clock.sleep(GIVE_WAY_S)
        except OutboxError as error:
            self._is_full = isinstance(error, OutboxFullError)
            return False
        if moved:
            self._log.info("outbox.disk-accepts", rows=moved)
        return True

    def _move_oldest(self) -> bool:
        """Bring one row to the disk; False when none is in memory."""
        with self._changed:
            if not self._spool:
                return False
            spool_id, spooled = next(iter(self._spool.items()))
            self._moved[spool_id] = self._file.insert(spooled.row, spooled.state)
            del self._spool[spool_id]
            if spool_id in self._arrivals:
                self._arrivals[self._moved[spool_id]] = self._arrivals.pop(spool_id)
            return True

    def _write_states(self) -> None:
        """Bring the states of rows to the disk that it refused before."""
        while self._write_oldest_state():
            self._clock.sleep(GIVE_WAY_S)

    def _write_oldest_state(self) -> bool:
        with self._changed:
            if not self._unwritten:
                return False
            row_id, state = next(iter(self._unwritten.items()))
            if state is RowState.ACKNOWLEDGED:
                self._file.acknowledge(row_id)
            else:
                self._file.accept(row_id)
            del self._unwritten[row_id]
            return True

    def pending(self) -> tuple[PendingRow, ...]:
        """All rows that may still have to be sent, oldest first, the spooled ones last."""
        with self._changed:
            rows = [*self._file.pending(), *(kept.as_pending(row_id) for row_id, kept in self._spool.items())]
            rows = [self._up_to_date(row) for row in rows]
        return tuple(row for row in rows if is_open(row.kind, row.state))

    def _up_to_date(self, row: PendingRow) -> PendingRow:
        return replace(row, state=self._unwritten.get(row.row_id, row.state))

    def _find(self, alert_id: str) -> PendingRow | None:
        """The alert's row, on disk or in memory."""
        for row_id, kept in self._spool.items():
            if kept.row.alert_id == alert_id and kept.row.kind.wants_acknowledgement:
                return kept.as_pending(row_id)
        row = self._file.find(alert_id)
        return None if row is None else self._up_to_date(row)

    def load(self, row_id: int) -> LoadedRow | None:
        """
        Open one row; None when it is gone.

        Raises:
            SealBrokenError: It does not open with this appliance's key.
        """
        if row_id > 0:
            return self._file.load(row_id)
        with self._changed:
            kept = self._spool.get(row_id)
        if kept is None:
            return None
        row = kept.row
        return LoadedRow(row_id, row.alert_id, row.kind, row.expires_at, row.message)

    def in_time(self) -> tuple[int, ...]:
        """Rows of all alerts and sightings on the disk whose time is not over, newest first."""
        return self._file.in_time()

    def mark_accepted(self, row_id: int) -> int | None:
        """
        The broker took the row and had a subscriber.

        Returns:
            Arrival of the deciding frame, monotonic nanoseconds, the first time a row of this run is accepted.
        """
        with self._changed:
            row_id = self._moved.pop(row_id, row_id)
            kept = self._spool.get(row_id)
            if kept is not None and kept.state is RowState.STORED:
                kept.state = RowState.ACCEPTED
            elif row_id > 0 and row_id not in self._unwritten:
                try:
                    self._file.accept(row_id)
                except OutboxError:
                    self._unwritten[row_id] = RowState.ACCEPTED
            return self._arrivals.pop(row_id, None)

    def acknowledge(self, alert_id: str) -> bool:
        """The control room has the alert; False when there is no such alert here."""
        with self._changed:
            row = self._find(alert_id)
            if row is None:
                return False
            kept = self._spool.get(row.row_id)
            if kept is not None:
                kept.state = RowState.ACKNOWLEDGED
            else:
                try:
                    self._file.acknowledge(row.row_id)
                except OutboxError:
                    self._unwritten[row.row_id] = RowState.ACKNOWLEDGED
                else:
                    self._unwritten.pop(row.row_id, None)  # that the broker accepted it is of no interest any more
            self._changed.notify_all()
        return True

    def state_of(self, alert_id: str) -> RowState | None:
        """How far an alert has come; None when it is not here."""
        with self._changed:
            row = self._find(alert_id)
        return None if row is None else row.state

    def wait_acknowledged(self, alert_id: str, timeout_s: float) -> RowState | None:
        """Wait until the alert is acknowledged, at most *timeout_s*; how far it has come then."""
        with self._changed:
            self._changed.wait_for(lambda: self.state_of(alert_id) is RowState.ACKNOWLEDGED, timeout_s)
        return self.state_of(alert_id)

    def purge(self, verdict: TimeVerdict) -> Purged:
        """
        Delete what has outlived its time and is not held; what nobody had acknowledged until then is a loud loss.

        Raises:
            OutboxError: The disk refuses; nothing is deleted.
        """
        self._write_states()
        with self._changed:
            while self._write_oldest_state():
                pass  # what came meanwhile: a row whose state is not on the disk would count as lost
            held_ids = self.holds.alert_ids() if self._spool else frozenset()
            expired = {
                row_id: kept
                for row_id, kept in self._spool.items()
                if kept.is_over(verdict) and kept.row.alert_id not in held_ids
            }
            lost = [kept.row for kept in expired.values() if is_open(kept.row.kind, kept.state)]
            purged = self._file.purge(verdict, lost, in_memory=len(expired)).plus(len(expired), len(lost))
            for row_id in expired:
                del self._spool[row_id]
            self._lost += purged.lost
        if purged.lost:
            self._log.error("outbox.lost", rows=purged.lost, reason="expired before anybody acknowledged")
        if purged.deleted or purged.held:
            self._forget_the_deleted()
        if purged.is_clean is not self._is_clean:
            self._is_clean = purged.is_clean
            self._log.warning("outbox.log", is_cut=purged.is_clean)
        return purged

    def _forget_the_deleted(self) -> None:
        """No answer comes any more for what is neither on its way nor waiting: let go of what was kept for it."""
        with self._changed:
            open_ids = {row.row_id for row in self.pending()}
            self._arrivals = {row_id: at_ns for row_id, at_ns in self._arrivals.items() if row_id in open_ids}
            self._moved = {old_id: row_id for old_id, row_id in self._moved.items() if row_id in open_ids}

    def counts(self) -> OutboxCounts:
        """
        Rows by state, spooled ones included in theirs.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._changed:
            try:
                states = self._file.count_by_state(self._unwritten)
                self._latest_fill = self._file.fill()
            except OutboxError:
                self._latest_counts = None
                raise
            for kept in self._spool.values():
                states[kept.state] += 1
            self._latest_counts = OutboxCounts(
                stored=states[RowState.STORED],
                accepted=states[RowState.ACCEPTED],
                acknowledged=states[RowState.ACKNOWLEDGED],
                spooled=len(self._spool),
                lost=self._lost,
            )
            return self._latest_counts

    def oldest_age_s(self) -> float | None:
        """How long the oldest message has waited for the broker, seconds since it came; None when none waits."""
        with self._changed:
            starts = [kept.row.stored_at for kept in self._spool.values() if kept.state is RowState.STORED]
            first = self._file.first_stored(self._unwritten)
        if first is not None:
            starts.append(first)
        return max(0.0, (self._clock.utc_now() - min(starts)).total_seconds()) if starts else None

    def remember(self, message_id: str, expires_at: datetime) -> Refusal | None:
        """Keep the id of a signed message until it expires: `governance.signed.SeenIds`."""
        return self._ids.remember(message_id, expires_at)
