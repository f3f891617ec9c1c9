"""
What is looked for, and the search itself: one pass over a haystack for thousands of exact fragments at once.

A copy of a fragment of 23 bytes or more, at whatever address it begins, holds two neighbouring 8-byte words of memory
whole, and the first of them begins within the first eight bytes of the fragment. So a table of those eight pairs of
words a fragment is compared with every aligned word of the haystack, and what passes is compared byte by byte.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

WORD: Final = 8
MIN_BYTES: Final = 24
"""Eight offsets and two words."""

OVERLAP: Final = 256
"""What two neighbouring pieces of a haystack share: a fragment on their border is found. No needle is longer."""

TABLE_BITS: Final = 20
SHIFT: Final = np.uint64(64 - TABLE_BITS)
MIXERS: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
STEP_WORDS: Final = 1 << 17
"""Small enough for the caches: nearly twice as fast as one pass over a large piece."""

Words = NDArray[np.uint64]


class Kind(StrEnum):
    """What a fragment is a fragment of."""

    PROBE = "probe"
    """The unit vector in the arena."""

    WIDE_PROBE = "probe in float64"
    """The same numbers as the gallery computes exact scores with."""

    RAW_PROBE = "raw vector"
    """The vector as the net gives it, before it is normalised."""

    CROP = "aligned crop"
    GREY_CROP = "grey crop"
    """What the quality measures make of a crop."""

    FRAME = "frame row"
    """Pixels through a face, as they came from the camera."""

    DETECTOR_INPUT = "detector input"
    """The same pixels as numbers."""

    EMBEDDER_INPUT = "embedder input"


@dataclass(frozen=True, slots=True)
class Needle:
    """One fragment of one person's data."""

    kind: Kind
    content: bytes


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a fragment lies."""

    needle: int
    """Its place in the list of needles."""

    position: int
    """In the haystack, in bytes."""


class NeedleTable:
    """Many needles, laid out so that one pass finds them all."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        """
        Raises:
            ValueError: A needle is too short to be found at every address, or too long for the overlap of two pieces.
        """
        self._needles = list(needles)
        if any(not MIN_BYTES <= len(needle) < OVERLAP for needle in self._needles):
            raise ValueError(f"a needle has {MIN_BYTES} to {OVERLAP - 1} bytes")
        self._starts = [_busiest(needle) for needle in self._needles]
        pairs = [
            needle[at : at + 2 * WORD]
            for needle, start in zip(self._needles, self._starts, strict=True)
            for at in range(start, start + WORD)
        ]
        keys = _keys(np.frombuffer(b"".join(pairs), dtype=np.uint64).reshape(-1, 2))
        order = np.argsort(keys, kind="stable")
        self._entries = order  # needle and offset in one number
        self._keys, self._begin, self._count = np.unique(keys[order], return_index=True, return_counts=True)
        self._is_possible = np.zeros(1 << TABLE_BITS, dtype=bool)
        self._is_possible[(self._keys >> SHIFT).astype(np.intp)] = True

    def search(self, haystack: bytes | bytearray | memoryview) -> list[Hit]:
        """Find every place where a needle lies whole in *haystack*, whose first byte lies at a multiple of eight."""
        words: Words = np.frombuffer(haystack, dtype=np.uint64, count=len(haystack) // WORD)
        if not self._needles or len(words) <= 1:
            return []
        pairs = np.lib.stride_tricks.sliding_window_view(words, 2)
        found = set()
        for begin in range(0, len(pairs), STEP_WORDS):
            keys = _keys(pairs[begin : begin + STEP_WORDS])
            places = np.flatnonzero(self._is_possible[(keys >> SHIFT).astype(np.intp)])
            slots = np.minimum(np.searchsorted(self._keys, keys[places]), len(self._keys) - 1)
            is_known = self._keys[slots] == keys[places]
            for place, slot in zip((places[is_known] + begin).tolist(), slots[is_known].tolist(), strict=True):
                first = int(self._begin[slot])
                for entry in self._entries[first : first + int(self._count[slot])].tolist():
                    owner, offset = divmod(entry, WORD)
                    needle, position = self._needles[owner], place * WORD - offset - self._starts[owner]
                    if position >= 0 and haystack[position : position + len(needle)] == needle:
                        found.add(Hit(owner, position))
        return sorted(found, key=lambda hit: (hit.position, hit.needle))


def _keys(pairs: Words) -> Words:
    """One number for two neighbouring words; equal pairs have equal keys, and others hardly ever."""
    keys: Words = pairs[:, 0] * MIXERS[0] + pairs[:, 1] * MIXERS[1]
    return keys


@cache
def _busiest(needle: bytes) -> int:
    """Where the most different bytes stand together: a table that begins in a flat run would match every wall."""
    return max(range(len(needle) - MIN_BYTES + 1), key=lambda at: len(set(needle[at : at + MIN_BYTES])))


def is_distinctive(content: bytes, dtype: type[np.generic]) -> bool:
    """Whether a fragment has so many different values that two people, or a person and a wall, do not share it."""
    if len(content) < MIN_BYTES:
        return False
    values = np.frombuffer(content, dtype=dtype)
    start = _busiest(content)
    return len(np.unique(values)) >= min(0.6 * len(values), 16) and len(set(content[start : start + MIN_BYTES])) >= 8


def in_text(needle: Needle) -> tuple[bytes, ...]:
    """What the fragment would look like in a text: hexadecimal, and base64 from each of its three phases."""
    turned = [needle.content[phase : phase + (len(needle.content) - phase) // 3 * 3] for phase in range(3)]
    forms: Sequence[Callable[[bytes], bytes]] = (base64.b64encode, base64.urlsafe_b64encode)
    texts = {needle.content.hex().encode(), needle.content.hex().upper().encode()}
    texts |= {form(content) for form in forms for content in turned}
    return tuple(sorted(text for text in texts if MIN_BYTES <= len(text) < OVERLAP))
