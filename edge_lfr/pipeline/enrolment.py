"""
A watchlist source enters, a sealed list and a report leave: the stages of the live path, for pictures of references.

    picture -> pixels -> face -> quality -> aligned sample -> template -> sealed row

References are taken side by side, one in each lane, and sealed in the order of the source. Pixels, samples and probes
are destroyed as soon as the next stage has them, and the matrix of all templates when the list is sealed. Whatever
happens on the way, the list before stays live until the new one is whole: a source that is a stream was then read to
its end, so that one which is cut off, or ends badly, leaves nothing.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from edge_lfr.config.faces import DetectionConfig, QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.enrolment_lane import EnrolmentLane
from edge_lfr.pipeline.enrolment_load import EnrolmentLoad, Progress
from edge_lfr.watchlist.bundle.composition import compose
from edge_lfr.watchlist.enrolling.expected_alerts import DAY_HOURS, expected_false_alerts
from edge_lfr.watchlist.enrolling.lookalikes import far_rows, near_pairs
from edge_lfr.watchlist.enrolling.report import EnrolmentReport, Lookalikes, PicturesDiffer, RowOutcome
from edge_lfr.watchlist.enrolling.sources import EnrolmentSource
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.store import SealedStore

MAX_LANES: Final = 8
"""Each has a child of some 90 MB and buffers of its own, and one user's pipes have a limit together. Chosen."""


@dataclass(frozen=True, slots=True)
class EnrolmentStages:
    """One model pack, and the lanes in which references are taken side by side."""

    entry: PackEntry
    lanes: tuple[EnrolmentLane, ...]

    @classmethod
    def of(cls, pack: OpenPack, detection: DetectionConfig, *, lanes: int = 1) -> Self:
        """
        Make the lanes.

        Args:
            pack: Its nets are shared; with more than one lane on a CPU, open them with one thread each.

            detection: As the daemon's.

            lanes: How many references are taken at once.
        """
        return cls(entry=pack.entry, lanes=tuple(EnrolmentLane(pack, detection) for _ in range(lanes)))


def lane_count(threads: int) -> int:
    """
    How many lanes enrol side by side: one a core, with nets of one thread each.

    Args:
        threads: As `models.threads` says it; 0 takes all cores that this process may use.
    """
    return min(threads or len(os.sched_getaffinity(0)), MAX_LANES)


def enrol(
    source: EnrolmentSource,
    store: SealedStore,
    stages: EnrolmentStages,
    *,
    quality: QualityConfig,
    decision: DecisionConfig,
    accept_partial: bool = False,
    wipe_at: datetime | None = None,
    origin: Origin | None = None,
    hours: float = DAY_HOURS,
    progress: Progress = lambda _done, _total: None,
) -> EnrolmentReport:
    """
    Enrol every picture of *source* and make the result the live list.

    Args:
        source: Its references are asked for in the calling thread, their pictures in the lanes'.

        store: Where the list goes.

        stages: Of the pack that the daemon will use.

        quality: The same demands as on live faces.

        decision: Its threshold and margin decide what is a lookalike.

        accept_partial: Activate although some rows failed; the report says which. When false, one failed row keeps the
            list before live.

        wipe_at: After this time (aware) the list must not exist; None for a list without an end.

        origin: The bundle that *source* is; None for a folder, whose list is searched in training only.

        hours: A day of operation, for the false alerts that the report tells to expect.

        progress: Told after each row.

    Returns:
        The report. Nothing is activated when no row was enrolled, and then the list before stays live.

    Raises:
        ModelContractError: The pack has no calibration for so many templates.
        ConfigError: The configured threshold lies below the floor for so many templates.
        WatchlistStorageError, DaemonBusyError: The store cannot be written.
        WatchlistEndedError: *wipe_at* has come.
        WatchlistWipedError: Somebody wiped the store meanwhile; nothing is live.
        InferenceError: The runtime failed.
        Exception: Whatever *source* raises; the list before is still live, and of the new one nothing is left.
    """
    started = time.monotonic()
    # A pack without any calibration, and a threshold below the floor of any list, are refused before the work.
    stages.entry.floor(1).threshold_for(decision.threshold)
    dimension = stages.entry.embedder.dimension
    with store.create(pack_digest=stages.entry.digest, dimension=dimension, wipe_at=wipe_at, origin=origin) as new:
        load = EnrolmentLoad(source, new, stages.lanes, dimension=dimension, quality=quality, progress=progress)
        try:
            load.take_all()
            found = _found(load, stages.entry, decision)
            expected = None if found.floor is None else expected_false_alerts(found.floor, hours=hours)
            list_id = None
            if load.sealed and (accept_partial or all(row.outcome is RowOutcome.ENROLLED for row in load.results)):
                list_id = new.activate(lookalikes=[frozenset({pair.first, pair.second}) for pair in found.lookalikes])
            return EnrolmentReport(
                list_id=list_id,
                rows=tuple(sorted(load.results, key=lambda result: result.line)),
                entries=tuple(load.entries),
                lookalikes=found.lookalikes,
                has_more_lookalikes=found.are_more,
                pictures_differ=found.pictures_differ,
                threshold=found.threshold,
                expected_false_alerts=expected,
                composition=compose(load.listed, store.clock.utc_now()),
                seconds=time.monotonic() - started,
            )
        finally:
            load.destroy()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a comparison of all templates with one another found."""

    floor: CalibrationRow | None = None
    threshold: float | None = None
    lookalikes: tuple[Lookalikes, ...] = ()
    are_more: bool = False
    pictures_differ: tuple[PicturesDiffer, ...] = ()


def _found(load: EnrolmentLoad, pack: PackEntry, decision: DecisionConfig) -> _Found:
    """
    Compare the templates with one another.

    Raises:
        ModelContractError, ConfigError: What the daemon would refuse is refused here: the list before is still live.
    """
    if not load.sealed:
        return _Found()
    floor = pack.floor(len(load.templates))
    threshold = floor.threshold_for(decision.threshold)
    owners = [owner for owner, reference in enumerate(load.sealed) for _ in reference.rows]
    near = near_pairs(load.templates, owners, threshold - decision.margin)
    return _Found(
        floor=floor,
        threshold=threshold,
        lookalikes=tuple(
            Lookalikes(load.sealed[first].reference_id, load.sealed[second].reference_id, score)
            for first, second, score in near.pairs
        ),
        are_more=near.are_more,
        pictures_differ=tuple(_differing(load, threshold)),
    )


def _differing(load: EnrolmentLoad, threshold: float) -> Iterator[PicturesDiffer]:
    for reference in load.sealed:
        if len(reference.rows) > 1:
            vectors = load.templates[reference.rows.start : reference.rows.stop]
            for first, second, score in far_rows(vectors, threshold):
                lines = (reference.lines[first], reference.lines[second])
                yield PicturesDiffer(reference.reference_id, lines, score)
