"""
Alerts that are stored and have no line, and deeds that have their line already: a run that was killed left them.

The outbox says what there is; the ledger is read from its end until each was found, or until it is older than all of
them. So it costs as much as was written since, and nothing has to be remembered beside the two.
"""

from collections.abc import Iterator, Mapping

import structlog

from edge_lfr.clock import Clock
from edge_lfr.daemon.noting.chronicle import line_of
from edge_lfr.errors import LedgerError, OutboxError, ReportingError, SealBrokenError
from edge_lfr.governance.ledger.backwards import lines_backwards
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import read_line
from edge_lfr.pipeline.reporting.deeds import Deeds
from edge_lfr.pipeline.reporting.messages import AlertMessage, SightingMessage, parse
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.rows import LoadedRow, RowKind

log = structlog.get_logger()

_MARKS = tuple(f'"event":"{event}"'.encode() for event in (LedgerEvent.ALERT, LedgerEvent.SIGHTING))


def unnoted(
    outbox: Outbox, ledger: Ledger | None, clock: Clock
) -> tuple[tuple[LedgerEvent, Mapping[str, Fact | None]], ...]:
    """
    Event and facts of every alert and sighting that the outbox has and the ledger has not, oldest first.

    What cannot be read now is looked at by the next start.
    """
    if ledger is None:
        return ()
    try:
        # The line alone is kept: with its pictures a message is 100 kB, and there may be a month of them.
        missing = {(message.alert_id, message.seq): line_of(message) for message in _stored(outbox)}
        for alert_id, sequence in _noted(ledger, clock) if missing else ():
            missing.pop((alert_id, sequence), None)
            if not missing:
                break
    except (OutboxError, LedgerError) as error:
        log.error("ledger.not-compared", reason=error.message)
        return ()
    if missing:
        log.warning("ledger.alerts-unnoted", alerts=len(missing))
    return tuple(reversed(missing.values()))


def forget_noted(deeds: Deeds, ledger: Ledger, clock: Clock) -> None:
    """
    Take off the deeds whose line a killed process wrote; by whoever holds the state folder.

    A line is never older than its deed, so those before the oldest are not read; where the clock went back in between,
    a deed is told twice, and none is left out.

    Raises:
        OutboxError, LedgerError: One of the two cannot be read, or the outbox not be written.
    """
    untold = deeds.untold()
    if not untold:
        return
    first, missing = min(deed.at for deed in untold), {deed.id for deed in untold}
    noted: set[str] = set()
    for untrusted in lines_backwards(ledger.path, clock):
        line = read_line(untrusted)
        if line is None:
            continue
        if line.facts.get("deed") in missing:
            noted.add(str(line.facts["deed"]))
        if line.at < first or noted == missing:
            break
    deeds.told(noted)


def _stored(outbox: Outbox) -> Iterator[AlertMessage | SightingMessage]:
    for row_id in outbox.in_time():
        try:
            row = outbox.load(row_id)
            if row is not None:
                yield _message_of(row)
        except (SealBrokenError, ReportingError) as error:
            if isinstance(error, OutboxError):
                raise
            log.error("ledger.alert-unreadable", code=error.code)


def _message_of(row: LoadedRow) -> AlertMessage | SightingMessage:
    if row.kind is RowKind.SIGHTING:
        return parse(SightingMessage, row.message)
    return parse(AlertMessage, row.message)


def _noted(ledger: Ledger, clock: Clock) -> Iterator[tuple[str, int]]:
    for untrusted in lines_backwards(ledger.path, clock):
        if any(mark in untrusted for mark in _MARKS):
            line = read_line(untrusted)
            if line is not None:
                yield str(line.facts.get("alert")), int(line.facts.get("sequence", 0))
