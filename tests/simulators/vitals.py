"""The health of an appliance that has never looked at anything: all its real parts, none of them started."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_lfr.clock import Clock
from edge_lfr.config.capture import CameraConfig
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.daemon.noting.recorder import Recorder
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.progress import Progress
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.stage_times import StageTimes
from edge_lfr.terms import Mode
from simulators.ledgers import new_ledger
from simulators.nets import ScriptedSession, embedder_like, entry_of, yunet_like


def health_of(folder: Path, clock: Clock, camera_ids: Sequence[str] = ("north",)) -> Health:
    """Close its outbox when done."""
    reporting = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
    counters, latency = Counters(), LatencyLog()
    cameras = {
        camera_id: Camera(
            CameraConfig.model_validate({"id": camera_id, "source": "/nowhere.mp4"}),
            on_frame=lambda: None,
            on_discard=counters.discard,
            clock=clock,
        )
        for camera_id in camera_ids
    }
    entry = entry_of(yunet_like(), embedder_like())
    session = ScriptedSession((1, 3, 8, 8), out=np.zeros((1, 1), np.float32))
    return Health(
        mode=Mode.TRAINING,
        clock=clock,
        pack=OpenPack(entry=entry, digest=entry.digest, detector=session, embedder=session),
        cameras=cameras,
        loop=PathLoop(cameras, clock, latency, warm_up=lambda: None, on_broken=lambda: None),
        outbox=Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder, create=True), reporting, clock),
        counters=counters,
        latency=latency,
        times=StageTimes(),
        progress=Progress(),
        recorder=Recorder(lambda: new_ledger(folder, clock), clock, Mode.TRAINING),
    )
