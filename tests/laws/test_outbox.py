"""The outbox never loses and never doubles, whatever happens in whatever order."""

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.rows import RowKind, RowState
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
TTL_S = 100


class OutboxMachine(RuleBasedStateMachine):
    """An outbox beside the simplest model of one: a dictionary of states, and another of what only a hold keeps."""

    alerts = Bundle("alerts")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.clock = StoppedClock()
        self.outbox = self.open()
        self.model: dict[str, RowState] = {}
        self.expiry: dict[str, float] = {}
        self.held: set[str] = set()
        self.over: dict[str, RowState] = {}
        self.is_refusing = False
        self.lost = 0
        self.number = 0

    def open(self) -> Outbox:
        return Outbox(self.path / "outbox.sqlite", KeyEncryptingKey.load(self.path, create=True), CONFIG, self.clock)

    @rule(target=alerts)
    def store(self) -> str:
        self.number += 1
        alert_id = f"a{self.number}"
        self.outbox.store(
            alert_id.encode(),
            alert_id=alert_id,
            kind=RowKind.ALERT,
            seq=self.outbox.next_seq(),
            expires_at=self.clock.utc_now() + timedelta(seconds=TTL_S),
        )
        self.model[alert_id] = RowState.STORED
        self.expiry[alert_id] = self.clock.elapsed_ns / 1e9 + TTL_S
        return alert_id

    @rule(alert_id=alerts)
    def accept(self, alert_id: str) -> None:
        for row in self.outbox.pending():
            if row.alert_id == alert_id:
                self.outbox.mark_accepted(row.row_id)
                self.model[alert_id] = RowState.ACCEPTED

    @rule(alert_id=consumes(alerts))
    def acknowledge(self, alert_id: str) -> None:
        assert (alert_id in self.model or alert_id in self.over) is self.outbox.acknowledge(alert_id)
        for known in (self.model, self.over):
            if alert_id in known:
                known[alert_id] = RowState.ACKNOWLEDGED

    @rule(alert_id=alerts)
    def hold(self, alert_id: str) -> None:
        if alert_id in self.model and alert_id not in self.held and not self.is_refusing:
            self.outbox.holds.place(alert_id, HoldReason.EVIDENCE, note="case", held_by=0, at=self.clock.utc_now())
            self.held.add(alert_id)

    @rule(alert_id=alerts)
    def release(self, alert_id: str) -> None:
        if alert_id in self.held and not self.is_refusing:
            self.outbox.holds.release(alert_id, by=Actor.of_uid(0), at=self.clock.utc_now())
            self.held.remove(alert_id)

    @rule()
    def fill_the_disk(self) -> None:
        self.refuse(is_refusing=True)

    @rule()
    def free_the_disk(self) -> None:
        self.refuse(is_refusing=False)
        assert self.outbox.flush()

    def refuse(self, *, is_refusing: bool) -> None:
        self.outbox._file._db.execute(f"PRAGMA query_only = {int(is_refusing)}")
        self.is_refusing = is_refusing

    @rule()
    def restart(self) -> None:
        if not self.is_refusing:
            self.outbox.close()
            self.outbox = self.open()
            self.lost = 0

    @rule()
    def let_time_pass(self) -> None:
        if not self.is_refusing:
            self.clock.advance(TTL_S / 3)
            self.outbox.purge(believing(self.clock))
            now_s = self.clock.elapsed_ns / 1e9
            for alert_id in [alert_id for alert_id in self.model if self.expiry[alert_id] <= now_s]:
                state = self.model.pop(alert_id)
                self.lost += state is not RowState.ACKNOWLEDGED
                self.over[alert_id] = state
            self.over = {alert_id: state for alert_id, state in self.over.items() if alert_id in self.held}

    @invariant()
    def what_is_there_is_what_should_be(self) -> None:
        known = self.model | self.over
        assert known == {alert_id: self.outbox.state_of(alert_id) for alert_id in known}
        assert self.held == self.outbox.holds.alert_ids()
        counts = self.outbox.counts()
        assert len(self.model) == counts.stored + counts.accepted + counts.acknowledged
        assert self.lost == counts.lost

    @invariant()
    def what_is_pending_is_what_nobody_has_acknowledged(self) -> None:
        waiting = sorted(row.alert_id for row in self.outbox.pending())
        assert sorted(key for key, state in self.model.items() if state is not RowState.ACKNOWLEDGED) == waiting
        for row in self.outbox.pending():
            loaded = self.outbox.load(row.row_id)
            assert loaded is not None
            assert row.alert_id.encode() == loaded.message

    def teardown(self) -> None:
        self.refuse(is_refusing=False)
        self.outbox.close()
        self.folder.cleanup()


TestOutboxNeverLosesOrDoubles = OutboxMachine.TestCase
TestOutboxNeverLosesOrDoubles.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
