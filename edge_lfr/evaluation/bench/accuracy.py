"""
Let people walk by, and hold the alerts against the truth.

People who are pictured twice walk four times with the one picture; half of them are enrolled with the other. Strangers
walk once. They walk several at a time through made clips (`evaluation.walkby`: motion blur, lack of focus, changing
light, a lamp post and one another in the way, H.264), from far to near; in each of the four rounds the nearest is
another distance. The appliance sees every frame (`accuracy_watch`). Nobody returns within the time of one alert.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.evaluation.bench.accuracy_clips import Order, Studio
from edge_lfr.evaluation.bench.accuracy_findings import find, rows
from edge_lfr.evaluation.bench.accuracy_people import Crowd, Size, gather, rounds
from edge_lfr.evaluation.bench.accuracy_watch import Appliance, Record
from edge_lfr.evaluation.bench.ground import BenchError, Ground, prepared_ground
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.truth import Truth
from edge_lfr.evaluation.walkby.people import write_watchlist
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.enrolment import EnrolmentStages, enrol
from edge_lfr.watchlist.enrolling.folder import read_source
from edge_lfr.watchlist.enrolling.report import EnrolmentReport
from edge_lfr.watchlist.sealed.store import SealedStore

SEED: Final = 20_240
"""Who is listed, who walks when and how: all chance comes from here."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a measurement is."""

    size: Size
    blocks: int
    """Clips a round, so that one is drawn while another is looked at."""

    near_px: tuple[int, ...]
    """Width of a face where the picture ends, round by round."""

    allowed_missed_share: float
    """Of the mated passages."""


FULL: Final = Plan(Size(pictured_twice=None, strangers=300, fillers=None, rounds=4), 3, (56, 84, 108, 140), 6 / 204)
QUICK: Final = Plan(Size(pictured_twice=6, strangers=4, fillers=24, rounds=2), 1, (108, 140), 6 / 204)


def measure_accuracy(shared: Path, witness: Witness, *, is_quick: bool) -> Report:
    """
    Let people walk by, and hold the alerts against the truth.

    Args:
        shared: Folder with `data/` and `models/`.

        witness: Told what happens.

        is_quick: A few people and two rounds; the targets are the same shares.

    Raises:
        EdgeLfrError: It cannot be measured here.
    """
    return measure(shared, witness, QUICK if is_quick else FULL)


def measure(shared: Path, witness: Witness, plan: Plan) -> Report:
    """Measure as `measure_accuracy` does, as much as is planned."""
    rng = np.random.default_rng(SEED)
    with prepared_ground(shared) as ground, ExitStack() as parts:
        witness.stage("choosing people")
        crowd = gather(ground.shared, plan.size, rng)
        orders = [
            Order(walkers, near_px, SEED + 100 * number + block)
            for number, (near_px, clips) in enumerate(
                zip(plan.near_px, rounds(crowd, plan.size, plan.blocks, rng), strict=True)
            )
            for block, walkers in enumerate(clips)
        ]
        studio = parts.enter_context(Studio.opened(ground.folder / "clips", ground.shared / "data", orders))
        config = ground.config(
            cameras=[{"id": "street", "source": str(ground.folder / "clips"), "playback": "every-frame"}]
        )
        pack = ground.open_pack(threads=1)  # the other core draws
        witness.stage(f"enrolling {len(crowd.cast.listed)} people")
        enrolled = _enrol(ground, config, pack, crowd, witness)
        appliance, armament = parts.enter_context(Appliance.armed(config, pack))
        facts = [
            Row.shown("pictures in the watchlist", len(enrolled.rows), "pictures"),
            Row.shown("templates in the gallery", enrolled.enrolled_templates, "templates"),
            Row.shown("people who walk and are listed", len(crowd.reference_ids), "people"),
            Row.shown("people who walk and are enrolled", _walking(crowd, enrolled), "people"),
            Row.shown("threshold", armament.threshold, "cosine"),
            Row.shown("evidence for the threshold", armament.floor.evidence),
        ]
        watched = _watch(appliance, studio, orders, witness)
        counts = appliance.counters.snapshot()
        messages = appliance.messages
    findings = find(watched)
    mated = sum(one.is_mated for one in findings.walked)
    allowed = int(plan.allowed_missed_share * mated)
    return Report.of(
        [
            *rows(findings, crowd.group_by_key, allowed_misses=allowed),
            *facts,
            Row.shown("frames", sum(record.frames for _, record in watched), "frames"),
            Row.shown("comparisons", sum(len(record.looks) for _, record in watched), "looks"),
            Row.shown("comparisons postponed", counts.get("discard.look-postponed", 0), "looks"),
            Row.shown("alerts and sightings in the outbox", messages, "messages"),
        ]
    )


def _enrol(ground: Ground, config: ApplianceConfig, pack: OpenPack, crowd: Crowd, witness: Witness) -> EnrolmentReport:
    """Load the watchlist as `edge-lfr watchlist load` does."""
    folder = ground.folder / "watchlist"
    write_watchlist(crowd.cast, folder, clock=SystemClock())
    store = SealedStore(config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory, create=True))
    report = enrol(
        read_source(folder),
        store,
        EnrolmentStages.of(pack, config.detection),
        quality=config.quality,
        decision=config.decision,
        accept_partial=True,
        progress=witness.count,
    )
    if not report.is_activated:
        message = "nobody could be enrolled"
        raise BenchError(message)
    return report


def _walking(crowd: Crowd, enrolled: EnrolmentReport) -> int:
    return len(set(crowd.reference_ids.values()) - set(enrolled.failed_references))


def _watch(appliance: Appliance, studio: Studio, orders: list[Order], witness: Witness) -> list[tuple[Truth, Record]]:
    """Look at every clip of the studio."""
    total = sum(order.frames for order in orders)
    done = 0
    watched = []
    for number, (order, clip) in enumerate(zip(orders, studio.clips(), strict=True), start=1):
        witness.stage(
            f"clip {number} of {len(orders)}: {len(clip.truth.passages)} passages, faces up to {order.near_px} px"
        )
        record = appliance.watch(clip.path, _counting(witness, done, total))
        if record.frames != order.frames or len(clip.truth.passages) != len(order.walkers):
            raise BenchError(f"clip {number} was not seen whole: {record.frames} of {order.frames} frames")
        done += record.frames
        watched.append((clip.truth, record))
    return watched


def _counting(witness: Witness, before: int, total: int) -> Callable[[int], None]:
    """Tell the frames of one clip as a part of all."""
    return lambda frames: witness.count(before + frames, total)
