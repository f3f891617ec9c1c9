"""An appliance under an overseer: real store, documents, clock watch and operation; time goes as a test says."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_lfr.daemon.arming.oversight import Overseer
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.ledger.events import Fact, LedgerEvent, check_facts
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.trust import TrustStore
from edge_lfr.pipeline.capture.source import CameraState
from edge_lfr.watchlist.wiping.certificate import WipeCause
from simulators.deployments import MEASURED, Deployment
from simulators.operations import CONFIG, Box

OPERATIONAL = CONFIG.replace('"training"', '"operational"').replace(
    '"STATE/trust.d"', f'"STATE/officers/trust.d"\nprotection_officer = "{AgeIdentity.generate().recipient.text}"'
)
TECHNICIAN = Actor.of_uid(1000)


@dataclass(frozen=True)
class Noted:
    """A line as the ledger would have it: what it may not have is refused here, too."""

    event: LedgerEvent
    who: Actor
    facts: dict[str, Any]


class Overseen:
    """A deployment in operation, or a list for training, and whoever looks after it."""

    def __init__(self, folder: Path, *, operational: bool = True) -> None:
        self.deployment = Deployment(folder)
        self.clock = self.deployment.clock
        self.folder = self.deployment.folder if operational else folder / "training"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if not operational:
            self.deployment.store.directory = self.folder / "watchlist"
            self.deployment.issuer = self.deployment.trainer
        self.box = Box(
            self.folder,
            config=OPERATIONAL if operational else OPERATIONAL.replace('"operational"', '"training"'),
            floor=MEASURED,
            clock=self.clock,
            trust=self.deployment.force.trust,
        )
        self.deployment.store = self.box.store
        self.operation, self.mandate, self.health = self.box.operation, self.box.mandate, self.box.health
        self.noted: list[Noted] = []
        self.trusted: list[TrustStore] = []
        self.wipes: list[WipeCause] = []
        self.disk_fails = False
        self.notes_fail = False
        self.one_at_a_time = threading.Lock()
        self.overseer = Overseer(
            mandate=self.mandate,
            operation=self.operation,
            clock=self.clock,
            one_at_a_time=self.one_at_a_time,
            ending=threading.Event(),
            end_list=self._end_list,
            note=self._note,
            on_trust=self.trusted.append,
            on_changed=lambda: None,
        )
        self.overseer.begin()

    def close(self) -> None:
        self.box.close()

    def pass_time(self, seconds: float, *, step_s: float = 0.0) -> None:
        """Let time pass, have the clock set by *step_s* at its end, and look."""
        self.clock.advance(seconds)
        if step_s:
            self.clock.step(step_s)
        self.overseer.look()

    @property
    def is_searching(self) -> bool:
        """A list is open, and the path searches it."""
        return self.health.armament is not None and self.operation.loop.is_searching

    @property
    def holds_nothing(self) -> bool:
        """No decrypted list, no path, no camera that runs."""
        return (
            self.health.armament is None
            and not self.operation.loop.is_searching
            and self.box.camera.status.state is CameraState.STOPPED
        )

    def notices(self) -> tuple[str, ...]:
        """What is said, and stops nothing."""
        return self.health.notices

    def events(self, event: LedgerEvent) -> list[dict[str, Any]]:
        """The facts of every line of this kind."""
        return [noted.facts for noted in self.noted if noted.event is event]

    def _note(self, event: LedgerEvent, who: Actor, **facts: Fact | None) -> None:
        if self.notes_fail:
            message = "nothing can be noted"
            raise OSError(message)
        said = {name: fact for name, fact in facts.items() if fact is not None}
        check_facts(event, said)
        self.noted.append(Noted(event, who, said))

    def _end_list(self, cause: WipeCause, by: Actor) -> object:
        if self.disk_fails:
            message = "the disk is gone"
            raise OSError(message)
        self.wipes.append(cause)
        return self.box.wiping.wipe(cause, by)


def authorised(folder: Path, expiries: Sequence[datetime] = ()) -> Overseen:
    """In operation, authorised and loaded; the window opens in an hour. One suspect for each expiry, or two."""
    van = Overseen(folder)
    van.deployment.install()
    seal(van, expiries)
    van.overseer.recheck(TECHNICIAN)
    return van


def seal(van: Overseen, expiries: Sequence[datetime] = ()) -> None:
    """Put another list in place: one suspect for each expiry, or two who do not expire in time."""
    deployment = van.deployment
    if not expiries:
        deployment.load()
        return
    with deployment.store.create(
        pack_digest=deployment.pack.digest,
        dimension=deployment.pack.embedder.dimension,
        wipe_at=deployment.wipe_at,
        origin=deployment.origin(),
    ) as new:
        deployment.fill(new, expiries)
        new.activate()
