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
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.config.faces import DetectionConfig, QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.enrolment_lane import EnrolmentLane, TakenReference
from edge_lfr.watchlist.decoding import PictureDecoder
from edge_lfr.watchlist.enrolment_source import EnrolmentSource, SourceReference
from edge_lfr.watchlist.expected_alerts import DAY_HOURS, expected_false_alerts
from edge_lfr.watchlist.lookalikes import far_rows, near_pairs
from edge_lfr.watchlist.new_list import NewList
from edge_lfr.watchlist.report import EnrolmentReport, EntryResult, Lookalikes, PicturesDiffer, RowOutcome, RowResult
from edge_lfr.watchlist.store import SealedStore

AHEAD: Final = 8
"""References a lane may be ahead of the sealing: a huge picture does not stop the other lane, and what waits is some
pictures of at most 20 kB (chosen, not measured)."""

WAITING_BYTES: Final = 64 * 1024 * 1024
"""Encoded pictures that may wait in memory for a lane; one reference alone may be larger. Three of the largest that are
taken, so that two lanes still work side by side, and thousands of usual ones: `AHEAD` bounds those. Chosen."""

MAX_LANES: Final = 8
"""Each has a child of some 90 MB and buffers of its own, and one user's pipes have a limit together. Chosen."""

Progress = Callable[[int, int], None]
"""Told after each row: rows done, rows in all."""


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

        hours: A day of operation, for the false alerts that the report tells to expect.

        progress: Told after each row.

    Returns:
        The report. Nothing is activated when no row was enrolled, and then the list before stays live.

    Raises:
        ModelContractError: The pack has no calibration for so many templates.
        ConfigError: The configured threshold lies below the floor for so many templates.
        WatchlistStorageError, DaemonBusyError: The store cannot be written.
        WatchlistWipedError: Somebody wiped the store meanwhile; nothing is live.
        InferenceError: The runtime failed.
        Exception: Whatever *source* raises; the list before is still live, and of the new one nothing is left.
    """
    started = time.monotonic()
    # A pack without any calibration, and a threshold below the floor of any list, are refused before the work.
    stages.entry.floor(1).threshold_for(decision.threshold)
    with store.create(pack_digest=stages.entry.digest, dimension=stages.entry.embedder.dimension) as new:
        load = _Load(source, new, stages, quality, progress)
        try:
            load.take_all()
            return load.conclude(decision, accept_partial=accept_partial, hours=hours, started=started)
        finally:
            load.destroy()


@dataclass(frozen=True, slots=True)
class _Taking:
    """One reference that a lane works on, or that waits for one or for its turn to be sealed."""

    number: int
    first: int
    """Its first row of the matrix, as if all pictures before it were enrolled."""

    held_bytes: int
    taken: "Future[TakenReference]"


@dataclass(frozen=True, slots=True)
class _Sealed:
    """One reference in the list: its rows of the matrix, and the lines that they came from."""

    number: int
    rows: range
    lines: tuple[int, ...]


class _Load:
    """One run of `enrol`; holds the matrix, and what lanes have taken and nobody has sealed yet."""

    def __init__(
        self,
        source: EnrolmentSource,
        new: NewList,
        stages: EnrolmentStages,
        quality: QualityConfig,
        progress: Progress,
    ) -> None:
        self._source = source
        self._new = new
        self._stages = stages
        self._quality = quality
        self._progress = progress
        self._results: list[RowResult] = []
        self._entries: list[EntryResult] = []
        self._sealed: list[_Sealed] = []
        self._taking: deque[_Taking] = deque()
        self._held_bytes = 0
        self._is_stopped = Event()
        self._free: SimpleQueue[tuple[EnrolmentLane, PictureDecoder]] = SimpleQueue()
        self._matrix: NDArray[np.float32] = locked_zeros(
            (source.picture_count, stages.entry.embedder.dimension), np.float32
        )
        self._filled = 0

    def take_all(self) -> None:
        """Look at every picture, reference by reference, and seal each reference when its templates are there."""
        with ExitStack() as held:
            held.enter_context(_one_thread_a_call())
            for lane in self._stages.lanes:
                self._free.put((lane, held.enter_context(PictureDecoder())))
            pool = ThreadPoolExecutor(len(self._stages.lanes), thread_name_prefix="enrolment")
            try:
                self._take_side_by_side(pool)
            finally:
                self._is_stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _take_side_by_side(self, pool: ThreadPoolExecutor) -> None:
        number = first = 0
        self._make_room(number)
        for reference in self._source.references():
            rows = range(first, first + len(reference.rows))
            if reference.number != number or rows.stop > self._source.picture_count:
                message = "a source gave references in another order than entries, or more pictures than it said"
                raise ValueError(message)
            taken = pool.submit(self._take, reference, self._matrix[rows.start : rows.stop])
            self._taking.append(_Taking(number, first, self._source.bytes_of(number), taken))
            self._held_bytes += self._source.bytes_of(number)
            number, first = number + 1, rows.stop
            del reference  # or its pictures would stay while the next ones are asked for
            self._make_room(number)
        while self._taking:
            self._seal(self._taking.popleft())
        if number != len(self._source.entries):
            message = "a source gave fewer references than entries"
            raise ValueError(message)

    def _make_room(self, number: int) -> None:
        """Seal what was taken first, until reference *number* may wait beside what is left; before it is asked for."""
        coming = self._source.bytes_of(number) if number < len(self._source.entries) else 0
        while self._taking and (
            len(self._taking) >= AHEAD * len(self._stages.lanes) or self._held_bytes + coming > WAITING_BYTES
        ):
            self._seal(self._taking.popleft())

    def _take(self, reference: SourceReference, out: NDArray[np.float32]) -> TakenReference:
        if reference.refused:
            return TakenReference(
                tuple(
                    RowResult(row.line, row.reference_id, RowOutcome.UNLAWFUL, reasons=reference.refused)
                    for row in reference.rows
                ),
                lines=(),
                picture=b"",
            )
        lane, decoder = self._free.get()
        try:
            return lane.take(reference.rows, decoder, self._quality, out, self._is_stopped.is_set)
        finally:
            self._free.put((lane, decoder))

    def _seal(self, taking: _Taking) -> None:
        """Move a reference's templates up to those before it, and seal it; in the order of the source."""
        reference = taking.taken.result()
        self._held_bytes -= taking.held_bytes
        self._entries.append(EntryResult.of(self._source.entries[taking.number].reference_id, reference.results))
        for result in reference.results:
            self._results.append(result)
            self._progress(len(self._results), self._source.picture_count)
        count = len(reference.lines)
        if not count:
            self._new.require_present()
            return
        first, rows = taking.first, range(self._filled, self._filled + count)
        if rows.start != first:
            self._matrix[rows.start : rows.stop] = self._matrix[first : first + count]
            self._matrix[max(first, rows.stop) : first + count] = 0
        self._filled = rows.stop
        self._new.add(self._source.entries[taking.number], self._matrix[rows.start : rows.stop], reference.picture)
        self._sealed.append(_Sealed(taking.number, rows, reference.lines))

    def conclude(
        self, decision: DecisionConfig, *, accept_partial: bool, hours: float, started: float
    ) -> EnrolmentReport:
        """Compare the templates with one another, activate the list, and report."""
        rejected = any(result.outcome is not RowOutcome.ENROLLED for result in self._results)
        lookalikes: tuple[Lookalikes, ...] = ()
        are_more = False
        differing: tuple[PicturesDiffer, ...] = ()
        threshold = expected = None
        if self._filled:
            # What the daemon would refuse is refused here, while the list before is still live.
            floor = self._stages.entry.floor(self._filled)
            threshold, expected = floor.threshold_for(decision.threshold), expected_false_alerts(floor, hours=hours)
            lookalikes, are_more = self._lookalikes(threshold - decision.margin)
            differing = self._pictures_differ(threshold)
        list_id = None
        if self._filled and (accept_partial or not rejected):
            list_id = self._new.activate(lookalikes=[frozenset({pair.first, pair.second}) for pair in lookalikes])
        return EnrolmentReport(
            list_id=list_id,
            rows=tuple(sorted(self._results, key=lambda result: result.line)),
            entries=tuple(self._entries),
            lookalikes=lookalikes,
            has_more_lookalikes=are_more,
            pictures_differ=differing,
            threshold=threshold,
            expected_false_alerts=expected,
            seconds=time.monotonic() - started,
        )

    def destroy(self) -> None:
        """Zero everything biometric that this load or its lanes still hold."""
        self._matrix[...] = 0
        for lane in self._stages.lanes:
            lane.destroy()

    def _lookalikes(self, least_score: float) -> tuple[tuple[Lookalikes, ...], bool]:
        owners = [0] * self._filled
        for reference in self._sealed:
            for row in reference.rows:
                owners[row] = reference.number
        entries = self._source.entries
        near = near_pairs(self._matrix[: self._filled], owners, least_score)
        lookalikes = tuple(
            Lookalikes(entries[first].reference_id, entries[second].reference_id, score)
            for first, second, score in near.pairs
        )
        return lookalikes, near.are_more

    def _pictures_differ(self, threshold: float) -> tuple[PicturesDiffer, ...]:
        return tuple(self._differing(threshold, (one for one in self._sealed if len(one.rows) > 1)))

    def _differing(self, threshold: float, references: Iterable[_Sealed]) -> Iterable[PicturesDiffer]:
        for reference in references:
            vectors = self._matrix[reference.rows.start : reference.rows.stop]
            for first, second, score in far_rows(vectors, threshold):
                lines = (reference.lines[first], reference.lines[second])
                yield PicturesDiffer(self._source.entries[reference.number].reference_id, lines, score)


@contextmanager
def _one_thread_a_call() -> Iterator[None]:
    """Keep the image library from spreading single calls over cores on which the other lanes work."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
