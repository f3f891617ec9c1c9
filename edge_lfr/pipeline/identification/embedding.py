"""
Aligned samples enter, one batch over faces and cameras, and probes leave; the input buffer is zeroed before they do.

The net writes its vectors into the arena that the probes are slots of, and they are normalised in place: above the
runtime no second copy of a vector ever exists.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import Arena, Slot
from edge_lfr.biometrics.features import Probe
from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.biometrics.samples import AlignedFace
from edge_lfr.config.models import Provider
from edge_lfr.errors import InferenceError
from edge_lfr.inference.allocator import CACHED_BYTES
from edge_lfr.inference.catalogue import EmbedderSpec
from edge_lfr.inference.session import PROVIDER_NAMES, Session

NEUTRAL_PIXEL: Final = 128.0
"""The grey that the runtime's own buffers are overwritten with; nobody's face."""


CPU_FACES: Final = 4
"""Faces in one run on the CPU. Seen on two cores, elapsed: 24 ms a face alone, 18.5 in pairs and fours, 19 to 20 in
eights and sixteens, whose memory comes in blocks so large that the process grew by one of them every now and then."""


class Embedder:
    """Turns samples into unit vectors, in slots of an arena that it allocates once."""

    def __init__(self, session: Session, spec: EmbedderSpec, pack_digest: str, slots: int) -> None:
        self._session = session
        self._spec = spec
        self._pack_digest = pack_digest
        self._slots = slots
        # Nets that end in a pooling layer return (n, d, 1, 1).
        is_on_cpu = session.provider == PROVIDER_NAMES[Provider.CPU]
        self._largest_run = spec.fixed_batch or (min(CPU_FACES, slots) if is_on_cpu else slots)
        self._tail = (spec.dimension,) + (1,) * (len(session.outputs[0].shape) - 2)
        self._input: NDArray[np.float32] = locked_zeros((slots, 3, spec.size, spec.size), np.float32)
        self._scratch: NDArray[np.float32] = locked_zeros((slots, spec.dimension), np.float32)
        self._owed = 0
        """Faces in the largest run since the last neutral one; 0 for none."""
        self.arena: Arena[np.float32] = Arena(slots, (spec.dimension,), np.float32)

    def extract(self, samples: Sequence[AlignedFace]) -> tuple[Probe, ...]:
        """
        Embed all *samples*: on an accelerator in one batch of exactly their number, on the CPU a few at a time.

        Args:
            samples: At most as many as this embedder has slots; they stay the caller's.

        Returns:
            One probe a sample, in the same order; the caller owns and destroys them.

        Raises:
            InferenceError: The net failed, or gave a vector that is not finite or has no length; no probe is left.

            ArenaExhaustedError: More probes are alive than this embedder has slots.
        """
        count = len(samples)
        if count == 0:
            return ()
        slots: list[Slot[np.float32]] = []
        try:
            for _ in samples:
                slots.append(self.arena.take())  # noqa: PERF401 - what was taken must be known when a later take fails
            for row, sample in enumerate(samples):
                self._fill(self._input[row], sample.pixels)
            self._embed(slots)
            for slot in slots:
                _normalise(slot.array)
        except BaseException:
            for slot in slots:
                slot.destroy()
            raise
        finally:
            self._input[: min(count, self._slots)] = 0
        return tuple(
            Probe(track_id=sample.track_id, pack_digest=self._pack_digest, slot=slot)
            for sample, slot in zip(samples, slots, strict=True)
        )

    def warm_up(self) -> None:
        """
        Make each run of a few faces and the largest one, with nobody's face; in the thread that will embed.

        The runtime lays out its memory for each shape at the first run, and the C library has blocks for each thread.
        Afterwards a neutral run of the same shape goes over the same places, and no first face waits longer than the
        others.
        """
        largest = self._largest_run
        for count in sorted({*range(1, min(CPU_FACES, largest) + 1), largest}):
            self._run_neutrally(count)

    def flush(self) -> None:
        """
        Overwrite what the runtime keeps of the last samples, with a neutral run.

        On accelerators, and with C libraries that overwrite nothing, copies stay until the next run of the same shape:
        there it is as large as the largest since. Where the session overwrites what it frees, no copy was found even
        before (`scripts/retention_search`); what runs there, one face at least, goes over what the net's threads keep
        between runs, and over blocks so small that the C library may set them aside (see `inference.allocator`).
        """
        if self._owed:
            for count in self._neutral_batches():
                self._run_neutrally(count)
        self._owed = 0

    def _neutral_batches(self) -> Iterable[int]:
        if not self._session.overwrites_freed:
            return (self._owed,)
        fitting = CACHED_BYTES // (self._spec.dimension * self._scratch.itemsize)
        return range(1, max(min(fitting, self._owed), 1) + 1)

    def _run_neutrally(self, count: int) -> None:
        self._input[:count] = (NEUTRAL_PIXEL - self._spec.mean) / self._spec.scale
        try:
            self._run(count, self._scratch[:count])
        finally:
            self._input[:count] = 0
            self._scratch[:count] = 0

    def _fill(self, row: NDArray[np.float32], pixels_bgr: NDArray[np.uint8]) -> None:
        ordered = pixels_bgr if self._spec.colour == "bgr" else pixels_bgr[:, :, ::-1]
        np.copyto(row, ordered.transpose(2, 0, 1))
        if self._spec.mean != 0.0:
            row -= self._spec.mean
        if self._spec.scale != 1.0:
            row /= self._spec.scale

    def _embed(self, slots: Sequence[Slot[np.float32]]) -> None:
        count = len(slots)
        self._owed = max(self._owed, min(count, self._largest_run))
        rows = self._adjacent_rows(slots)
        if rows is not None:
            self._run(count, rows)
            return
        # Some probe of an earlier pass is still alive in between: take the way round, and leave nothing on it.
        try:
            self._run(count, self._scratch[:count])
            for slot, vector in zip(slots, self._scratch, strict=False):
                np.copyto(slot.array, vector)
        finally:
            self._scratch[:count] = 0

    def _run(self, count: int, out: NDArray[np.float32]) -> None:
        for start in range(0, count, self._largest_run):
            rows = slice(start, min(start + self._largest_run, count))
            self._session.run_into(self._input[rows], out[rows].reshape(-1, *self._tail))

    def _adjacent_rows(self, slots: Sequence[Slot[np.float32]]) -> NDArray[Any] | None:
        block = self.arena.block
        first = (slots[0].array.ctypes.data - block.ctypes.data) // block.strides[0]
        expected = range(block[first].ctypes.data, block.ctypes.data + block.nbytes, block.strides[0])
        found = [slot.array.ctypes.data for slot in slots]
        return block[first : first + len(slots)] if found == list(expected[: len(slots)]) else None


def _normalise(vector: NDArray[np.float32]) -> None:
    """Give *vector* unit length in place; sums without a temporary, which would be a copy of the vector."""
    squared = float(np.dot(vector, vector))
    if not 0.0 < squared < np.inf:  # so written, it refuses NaN too
        message = "the embedder gave a vector that is not finite or has no length"
        raise InferenceError(message)
    vector /= np.float32(squared**0.5)
