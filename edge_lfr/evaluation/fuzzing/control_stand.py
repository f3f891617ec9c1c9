"""
An appliance that answers at the control socket: its real requests, store, outbox, ledger and overseer, and no nets.

It is wired as the daemon wires it. Whoever asks it changes it, so that one that was changed is replaced by a new one.
"""

import threading
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.daemon.arming.oversight import Overseer
from edge_lfr.daemon.assembly import Nets
from edge_lfr.daemon.control.local_socket import ControlServer
from edge_lfr.daemon.control.requests import Requests
from edge_lfr.daemon.ending.certifier import Certifier
from edge_lfr.daemon.ending.wiping import Wiping
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.noting.recorder import Recorder
from edge_lfr.daemon.operation import Operation
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.progress import Progress
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.evaluation.fuzzing.made import ADDRESSEE, APPLIANCE, CONFIG, NOW, PACK, MadeKernel, StillClock, made_trust
from edge_lfr.governance.clock_note import TrustedTime
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.file import FILE_NAME as LEDGER
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.trust_folder import folder_digest
from edge_lfr.inference.catalogue import load_catalogue
from edge_lfr.inference.packs import OpenPack
from edge_lfr.inference.session import Session, TensorSpec
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.holds import Hold, HoldReason
from edge_lfr.pipeline.reporting.outbox import FILE_NAME as OUTBOX
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.pipeline.reporting.states import OutboxCounts
from edge_lfr.pipeline.reporting.topics import Identity
from edge_lfr.pipeline.stage_times import StageTimes
from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause

REFERENCES: Final = ("MADE-1", "MADE-2", "MADE-3")
"""Who is on the list."""

ALERT_ID: Final = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
"""Of the alert in the outbox, which is held as evidence."""

DIMENSION: Final = 8


class _NoNet:
    """Stands where a net would; nobody shows it a face."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    provider = ""
    overwrites_freed = True

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        raise AssertionError(feed.shape)

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        raise AssertionError(feed.shape, out.shape)


class _WithoutNets(Operation):
    """Opens the live list as any start does, and searches nothing with it."""

    def take_watchlist(self) -> None:
        with self.store.open():
            pass


@dataclass(frozen=True, slots=True)
class Facts:
    """What a request can change, and one that is refused must not."""

    list_id: str | None
    holds: tuple[Hold, ...]
    rows: OutboxCounts
    is_paused: bool
    is_ending: bool


class ControlStand:
    """Answers at `path` until it is closed; below a folder of its own, which is empty."""

    def __init__(self, folder: Path, *, request_limit_s: float) -> None:
        clock = StillClock()
        file = folder / "edge-lfr.toml"
        file.write_text(CONFIG, encoding="utf-8")
        (folder / "trust.d").mkdir()
        config = load_config(file, {})
        config.mode_directory.mkdir(parents=True)
        kek = KeyEncryptingKey.load(config.mode_directory, create=True)
        self._ending = threading.Event()
        self._store = SealedStore(config.watchlist_directory, kek, mode=config.mode, clock=clock)
        self._outbox = Outbox(config.mode_directory / OUTBOX, kek, config.reporting, clock)
        requests, self._operation = _requests(config, clock, self._store, self._outbox, self._ending)
        self._seal_list()
        self._outbox.store(
            b"{}",
            alert_id=ALERT_ID,
            kind=RowKind.ALERT,
            seq=self._outbox.next_seq(),
            expires_at=clock.utc_now() + timedelta(days=1),
        )
        self._outbox.holds.place(ALERT_ID, HoldReason.EVIDENCE, note="case 17/4", held_by=0, at=clock.utc_now())
        self._outbox.on_stored(self._acknowledge)
        self.path = config.control_socket
        self._server = ControlServer(self.path, requests.handlers(), request_limit_s=request_limit_s)
        self._server.start()

    def facts(self) -> Facts:
        return Facts(
            list_id=self._store.live_list_id(),
            holds=self._outbox.holds.all(),
            rows=self._outbox.counts(),
            is_paused=self._operation.is_paused,
            is_ending=self._ending.is_set(),
        )

    def close(self) -> None:
        self._server.stop()
        self._outbox.close()

    def _seal_list(self) -> None:
        pack_digest = self._operation.pack.digest
        with self._store.create(pack_digest=pack_digest, dimension=DIMENSION) as new:
            for number, reference_id in enumerate(REFERENCES):
                new.add(_entry(reference_id), np.eye(DIMENSION, dtype=np.float32)[number : number + 1], b"\xff\xd8")
            new.activate()

    def _acknowledge(self) -> None:
        """A control room that has everything at once: a test alert then waits for nobody."""
        for row in self._outbox.pending():
            self._outbox.acknowledge(row.alert_id)


def _entry(reference_id: str) -> WatchlistEntry:
    return WatchlistEntry(
        reference_id=reference_id,
        label="Made",
        category=Category.SUSPECT,
        response_code=ResponseCode.OBSERVE,
        legal_basis="made",
        requester="made",
        expires_at=NOW + timedelta(days=14),
        review_on=NOW.date() + timedelta(days=90),
        born_on=date(1990, 1, 31),
        why_here="made",
    )


def _requests(
    config: ApplianceConfig, clock: StillClock, store: SealedStore, outbox: Outbox, ending: threading.Event
) -> tuple[Requests, Operation]:
    """As `daemon.service` puts them together; without cameras, broker and the thread that proves a wipe."""
    entry, no_net = load_catalogue().pack(PACK), cast("Session", _NoNet())
    identity = Identity(force=config.force, device=config.device, mode=config.mode)
    counters, latency, times, progress = Counters(), LatencyLog(), StageTimes(), Progress()
    recorder = Recorder(
        lambda: Ledger.open(config.mode_directory / LEDGER, APPLIANCE, clock, device=ADDRESSEE), clock, config.mode
    )
    chronicle = Chronicle(recorder, counters, clock)
    alerts = AlertWriter(config.reporting, identity, outbox, clock, retention=config.retention.chosen)
    loop = PathLoop({}, clock, latency, warm_up=lambda: None, on_broken=lambda: None)
    mandate = Mandate(
        config=config,
        trust=made_trust(),
        trust_digest=folder_digest(config.trust.directory),
        device_fingerprint=APPLIANCE.fingerprint,
        watch=TrustedTime.begin(config.mode_directory, clock=clock, kernel=MadeKernel()),
    )
    health = Health(
        mode=config.mode,
        clock=clock,
        pack=OpenPack(entry=entry, digest=entry.digest, detector=no_net, embedder=no_net),
        cameras={},
        loop=loop,
        outbox=outbox,
        counters=counters,
        latency=latency,
        times=times,
        progress=progress,
        recorder=recorder,
        mandate=mandate,
    )
    operation = _WithoutNets(
        config=config,
        pack=health.pack,
        nets=cast("Nets", no_net),
        store=store,
        alerts=alerts,
        reporter=DaemonReporter(alerts, counters, latency, clock, keep_track_ends=False),
        cameras={},
        loop=loop,
        times=times,
        health=health,
        chronicle=chronicle,
        mandate=mandate,
    )
    # A wipe ends this appliance, as it does a daemon that gives its place to a new one.
    wiping = Wiping(operation=operation, store=store, clock=clock, chronicle=chronicle, may_be_replaced=True)
    certifier = Certifier(
        device=ADDRESSEE,
        store=store,
        folder=config.mode_directory,
        kek=KeyEncryptingKey.load(config.mode_directory),
        signing=APPLIANCE,
        on_certified=chronicle.proved,
    )

    def end_list(cause: WipeCause, by: Actor) -> None:
        requests.end_list(cause, by)

    overseer = Overseer(
        mandate=mandate,
        operation=operation,
        clock=clock,
        one_at_a_time=threading.Lock(),
        ending=ending,
        end_list=end_list,
        note=recorder.note,
        on_trust=lambda _: None,
        on_changed=lambda: None,
    )
    requests = Requests(
        operation=operation,
        health=health,
        outbox=outbox,
        alerts=alerts,
        wiping=wiping,
        certifier=certifier,
        chronicle=chronicle,
        overseer=overseer,
        progress=progress,
        ending=ending,
        on_changed=lambda: None,
        one_at_a_time=overseer.one_at_a_time,
    )
    return requests, operation
