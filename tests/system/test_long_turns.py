"""The longest legitimate work beside the path: a list of full size taken into use and wiped, with its times printed."""

import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import structlog

from edge_lfr.config.identification import GalleryConfig
from edge_lfr.daemon.arming.armament import arm
from edge_lfr.daemon.control.protocol import Verb
from edge_lfr.daemon.progress import PATH_LIMIT_S, request_limit_s
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow
from simulators.nets import embedder_like, entry_of, yunet_like
from simulators.watchlists import entry, new_store, picture

log = structlog.get_logger()

REFERENCES, TEMPLATES_EACH, DIMENSION = 2_000, 30, 256
"""60,000 templates, as of 20,000 people with three pictures each; fewer people make the list quicker."""

MARGIN = 10
"""How far every limit lies above what was measured, at least."""

ROW = CalibrationRow(templates=100_000, threshold=0.6, false_alerts_per_1000=1.0, evidence="extrapolated")


class Ticker:
    """Another thread that wants to run a hundred times a second, and notes when it did."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._ticks = [time.monotonic()]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(0.01):
            self._ticks.append(time.monotonic())

    def longest_gap_s(self) -> float:
        self._stopping.set()
        self._thread.join()
        return max(later - earlier for earlier, later in pairwise(self._ticks))


def test_a_full_list_keeps_no_thread_from_its_turn(tmp_path: Path) -> None:
    """Taking 60,000 templates into use, and wiping them, takes far less than its limit and never stops the path."""
    pack = entry_of(yunet_like(), embedder_like()).model_copy(update={"calibration": (ROW,)})
    rng = np.random.default_rng(0)
    store = new_store(tmp_path)
    with store.create(pack_digest=pack.digest, dimension=DIMENSION) as new:
        for number in range(REFERENCES):
            vectors = rng.standard_normal((TEMPLATES_EACH, DIMENSION)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            new.add(entry(number), vectors, picture(0))
        new.activate()
    ticker = Ticker()
    began_s = time.monotonic()
    armament = arm(store, pack, GalleryConfig(), Conditions())
    armed_s = time.monotonic() - began_s
    armament.destroy()
    store.wipe()
    wiped_s = time.monotonic() - began_s - armed_s
    gap_s = ticker.longest_gap_s()
    log.info("measured", armed_s=round(armed_s, 2), wiped_s=round(wiped_s, 2), longest_gap_ms=round(gap_s * 1e3))
    assert MARGIN * armed_s < request_limit_s(Verb.RELOAD)
    assert MARGIN * wiped_s < request_limit_s(Verb.WIPE)
    assert MARGIN * gap_s < PATH_LIMIT_S
