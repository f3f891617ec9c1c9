"""An appliance that technicians can ask: real store, nets, loop and requests, and a device that can be lost."""

from collections.abc import Mapping
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import Arena
from edge_lfr.biometrics.samples import AlignedFace
from edge_lfr.config.faces import DetectionConfig
from edge_lfr.config.load import load_config
from edge_lfr.config.models import Provider
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.daemon.arming.oversight import Overseer
from edge_lfr.daemon.assembly import Nets
from edge_lfr.daemon.control.protocol import Request, Verb
from edge_lfr.daemon.control.requests import Requests
from edge_lfr.daemon.ending.certifier import Certifier
from edge_lfr.daemon.ending.wiping import Wiping
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.operation import Operation
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.errors import InferenceError
from edge_lfr.governance.clock_note import TrustedTime
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.trust import SigningKey, TrustStore
from edge_lfr.governance.trust_folder import folder_digest
from edge_lfr.inference.catalogue import CalibrationRow
from edge_lfr.inference.packs import OpenPack
from edge_lfr.inference.session import open_session
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.identification.embedding import Embedder
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.terms import Mode
from edge_lfr.watchlist.wiping.certificate import WipeCause
from simulators.appliance import IDENTITY, LIVE_IDENTITY
from simulators.camera import SimulatedCamera
from simulators.clock import StoppedClock
from simulators.nets import ScriptedSession, embedder_like, entry_of, yunet_like
from simulators.vitals import health_of
from simulators.watchlists import entry, new_store, picture, templates

CONFIG = """
mode = "training"
force = "testshire"
device = "van-1"
state_directory = "STATE"
[[cameras]]
id = "north"
source = "nowhere.mp4"
[reporting.broker]
host = "127.0.0.1"
[trust]
directory = "STATE/trust.d"
"""
FLOOR = CalibrationRow(templates=1000, threshold=0.6, false_alerts_per_1000=1.0, evidence="extrapolated")
SLOTS = 2
TECHNICIAN = 1000
"""Who asks, and whose process the appliance is unless a test says otherwise."""


class FragileSession(ScriptedSession):
    """A net of the tiny pack's embedder whose device can be lost."""

    is_lost = False

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        if self.is_lost:
            message = "the device is lost"
            raise InferenceError(message)
        super().run_into(feed, out)

    @property
    def neutral_runs(self) -> int:
        """Those with nobody's face: one grey."""
        return sum(bool(feed.min() == feed.max()) for feed in self.feeds)


class HangingCamera(SimulatedCamera):
    """One whose driver hangs when it is stopped, until it is let go."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.may_stop = Event()
        self.may_stop.set()

    def stop(self) -> None:
        self.may_stop.wait()
        super().stop()


class Box:
    """The parts, none of them started; close it when done."""

    def __init__(
        self,
        folder: Path,
        *,
        config: str = CONFIG,
        floor: CalibrationRow = FLOOR,
        clock: StoppedClock | None = None,
        trust: TrustStore | None = None,
        own_uid: int | None = TECHNICIAN,
    ) -> None:
        self.clock = StoppedClock() if clock is None else clock
        file = folder / "edge-lfr.toml"
        file.write_text(config.replace("STATE", str(folder.parent)))
        self.config = load_config(file, {})
        identity = IDENTITY if self.config.mode is Mode.TRAINING else LIVE_IDENTITY
        detector, embedder = yunet_like(), embedder_like()
        pack_entry = entry_of(detector, embedder).model_copy(update={"calibration": (floor,)})
        self.session = FragileSession((1, 3, 112, 112), out=np.ones((1, 128), np.float32))
        pack = OpenPack(
            entry=pack_entry,
            digest=pack_entry.digest,
            detector=open_session(detector, Provider.CPU, 1),
            embedder=self.session,
        )
        self.nets = Nets(
            detector=FaceDetector(pack.detector, pack_entry.detector, DetectionConfig()),
            aligner=Aligner(pack_entry.embedder, SLOTS),
            embedder=Embedder(pack.embedder, pack_entry.embedder, pack.digest, SLOTS),
            pack_digest=pack.digest,
        )
        self.health = health_of(folder, self.clock)
        self.health.mode = self.config.mode
        self.camera = HangingCamera(
            self.config.cameras[0],
            on_frame=self._notify,
            on_discard=self.health.counters.discard,
            clock=self.clock,
        )
        cameras: Any = {"north": self.camera}
        self.loop = PathLoop(cameras, self.clock, self.health.latency, warm_up=lambda: None, on_broken=lambda: None)
        self.health.pack, self.health.cameras, self.health.loop = pack, cameras, self.loop
        self.store = new_store(folder, mode=self.config.mode)
        self.store.clock = self.clock
        self.mandate = Mandate(
            config=self.config,
            trust=TrustStore() if trust is None else trust,
            trust_digest=folder_digest(self.config.trust.directory),
            device_fingerprint=None,
            watch=TrustedTime.begin(folder, clock=self.clock, kernel=self.clock),
        )
        self.health.mandate = self.mandate
        alerts = AlertWriter(
            self.config.reporting,
            identity,
            self.health.outbox,
            self.clock,
            retention=self.config.retention.chosen,
        )
        reporter = DaemonReporter(alerts, self.health.counters, self.health.latency, self.clock, keep_track_ends=False)
        self.chronicle = Chronicle(self.health.recorder, self.health.counters, self.clock)
        self.operation = Operation(
            config=self.config,
            pack=pack,
            nets=self.nets,
            store=self.store,
            alerts=alerts,
            reporter=reporter,
            cameras=cameras,
            loop=self.loop,
            times=self.health.times,
            health=self.health,
            chronicle=self.chronicle,
            mandate=self.mandate,
        )
        self.wiping = Wiping(
            operation=self.operation,
            store=self.store,
            clock=self.clock,
            chronicle=self.chronicle,
            may_be_replaced=False,
        )
        self.certifier = Certifier(
            device=identity.addressee,
            store=self.store,
            folder=folder,
            kek=KeyEncryptingKey.load(folder),
            signing=SigningKey.generate(),
            on_certified=self.chronicle.proved,
        )
        self.announced = 0
        one_at_a_time = Lock()
        ending = Event()
        self.overseer = Overseer(
            mandate=self.mandate,
            operation=self.operation,
            clock=self.clock,
            one_at_a_time=one_at_a_time,
            ending=ending,
            end_list=self._end_list,
            note=self.health.recorder.note,
            on_trust=lambda _: None,
            on_changed=self._announce,
        )
        self.requests = Requests(
            overseer=self.overseer,
            one_at_a_time=one_at_a_time,
            operation=self.operation,
            health=self.health,
            outbox=self.health.outbox,
            alerts=alerts,
            wiping=self.wiping,
            certifier=self.certifier,
            chronicle=self.chronicle,
            progress=self.health.progress,
            ending=ending,
            on_changed=self._announce,
        )
        if own_uid is not None:
            self.requests.own_uid = own_uid

    def close(self) -> None:
        self.camera.may_stop.set()
        self.operation.disarm()
        self.health.outbox.close()

    def load(self, references: int) -> None:
        """Seal a list of so many, two templates each."""
        pack_digest = self.operation.pack.digest
        with self.store.create(pack_digest=pack_digest, dimension=templates(0).shape[1]) as new:
            for number in range(references):
                new.add(entry(number), templates(number), picture(number))
            new.activate()

    def run(self, references: int = 2) -> None:
        """Look at the street, with a list of so many."""
        self.load(references)
        self.operation.take_watchlist()
        self.operation.wake()

    def embed(self) -> None:
        """Let somebody's sample go through the net: a neutral run is owed now."""
        arena: Arena[np.uint8] = Arena(1, (112, 112, 3), np.uint8)
        sample = AlignedFace(track_id=1, slot=arena.take())
        sample.pixels[:, ::2] = 200
        for probe in self.nets.embedder.extract([sample]):
            probe.destroy()
        sample.destroy()

    def ask(self, verb: str, **args: object) -> Mapping[str, object]:
        """As the control socket does."""
        return self.requests.handlers()[verb](Request(verb=Verb(verb), args=args, peer_uid=TECHNICIAN))

    def _notify(self) -> None:
        self.loop.notify()

    def _end_list(self, cause: WipeCause, by: Actor) -> None:
        self.requests.end_list(cause, by)

    def _announce(self) -> None:
        self.announced += 1
