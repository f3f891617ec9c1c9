"""
The taking of one watchlist: references enter, rows of a new list leave, sealed in the order of the source.

Lanes take references side by side. What they have taken and nobody has sealed yet is bounded, and so is what waits for
them in memory. The matrix of all templates is this load's until `destroy`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from queue import SimpleQueue
from threading import Event
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.config.faces import QualityConfig
from edge_lfr.pipeline.enrolment_lane import EnrolmentLane, TakenReference
from edge_lfr.watchlist.bundle.composition import DatedPictures
from edge_lfr.watchlist.enrolling.decoding import PictureDecoder
from edge_lfr.watchlist.enrolling.report import EntryResult, RowOutcome, RowResult
from edge_lfr.watchlist.enrolling.sources import EnrolmentSource, SourceReference
from edge_lfr.watchlist.sealed.new_list import NewList

AHEAD: Final = 8
"""References a lane may be ahead of the sealing: a huge picture does not stop the other lane, and what waits is some
pictures of at most 20 kB (chosen, not measured)."""

WAITING_BYTES: Final = 64 * 1024 * 1024
"""Encoded pictures that may wait in memory for a lane; one reference alone may be larger. Three of the largest that are
taken, so that two lanes still work side by side, and thousands of usual ones: `AHEAD` bounds those. Chosen."""

Progress = Callable[[int, int], None]
"""Told after each row: rows done, rows in all."""


@dataclass(frozen=True, slots=True)
class _Taking:
    """One reference that a lane works on, or that waits for one or for its turn to be sealed."""

    number: int
    first: int
    """Its first row of the matrix, as if all pictures before it were enrolled."""

    held_bytes: int
    taken_on: dict[int, date | None]
    """When each picture was taken, by its line."""

    taken: "Future[TakenReference]"


@dataclass(frozen=True, slots=True)
class SealedReference:
    """One reference in the list: its rows of the matrix, and the lines that they came from."""

    reference_id: str
    rows: range
    lines: tuple[int, ...]


class EnrolmentLoad:
    """One run of `enrol`."""

    def __init__(
        self,
        source: EnrolmentSource,
        new: NewList,
        lanes: Sequence[EnrolmentLane],
        *,
        dimension: int,
        quality: QualityConfig,
        progress: Progress,
    ) -> None:
        """
        Take the memory for all templates.

        Args:
            source: Nobody has asked it for references yet.

            new: Where they are sealed.

            lanes: As many threads take references.

            dimension: Of the templates.

            quality: What is good enough.

            progress: Told after each row.
        """
        self.results: list[RowResult] = []
        self.entries: list[EntryResult] = []
        self.sealed: list[SealedReference] = []
        self.listed: list[DatedPictures] = []
        """Of the sealed references; of their pictures those that were enrolled."""

        self._source = source
        self._new = new
        self._lanes = lanes
        self._quality = quality
        self._progress = progress
        self._taking: deque[_Taking] = deque()
        self._held_bytes = 0
        self._is_stopped = Event()
        self._free: SimpleQueue[tuple[EnrolmentLane, PictureDecoder]] = SimpleQueue()
        self._matrix: NDArray[np.float32] = locked_zeros((source.picture_count, dimension), np.float32)
        self._filled = 0

    @property
    def templates(self) -> NDArray[np.float32]:
        """float32 (n, d): what was sealed, a view of the matrix."""
        return self._matrix[: self._filled]

    def take_all(self) -> None:
        """Look at every picture, reference by reference, and seal each reference when its templates are there."""
        with ExitStack() as held:
            held.enter_context(_one_thread_a_call())
            for lane in self._lanes:
                self._free.put((lane, held.enter_context(PictureDecoder())))
            pool = ThreadPoolExecutor(len(self._lanes), thread_name_prefix="enrolment")
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
            held_bytes, taken_on = self._source.bytes_of(number), {row.line: row.taken_on for row in reference.rows}
            self._taking.append(_Taking(number, first, held_bytes, taken_on, taken))
            self._held_bytes += held_bytes
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
            len(self._taking) >= AHEAD * len(self._lanes) or self._held_bytes + coming > WAITING_BYTES
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
        entry = self._source.entries[taking.number]
        self.entries.append(EntryResult.of(entry.reference_id, reference.results))
        for result in reference.results:
            self.results.append(result)
            self._progress(len(self.results), self._source.picture_count)
        count = len(reference.lines)
        if not count:
            self._new.require_present()
            return
        first, rows = taking.first, range(self._filled, self._filled + count)
        if rows.start != first:
            self._matrix[rows.start : rows.stop] = self._matrix[first : first + count]
            self._matrix[max(first, rows.stop) : first + count] = 0
        self._filled = rows.stop
        self._new.add(entry, self._matrix[rows.start : rows.stop], reference.picture)
        self.listed.append(DatedPictures(entry, tuple(taking.taken_on[line] for line in reference.lines)))
        self.sealed.append(SealedReference(entry.reference_id, rows, reference.lines))

    def destroy(self) -> None:
        """Zero everything biometric that this load or its lanes still hold."""
        self._matrix[...] = 0
        for lane in self._lanes:
            lane.destroy()


@contextmanager
def _one_thread_a_call() -> Iterator[None]:
    """Keep the image library from spreading single calls over cores on which the other lanes work."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
