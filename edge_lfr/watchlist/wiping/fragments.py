"""
Short fragments of a watchlist, taken before it is destroyed, and the search that must not find them afterwards.

A fragment has 16 bytes, so a copy of it at whatever address holds one aligned 8-byte word whole, beginning in its first
eight bytes. A table of those eight words of every fragment is compared with every aligned word of the haystack in one
pass; what passes is compared by a keyed digest of the 16 bytes. The fragments themselves are not kept: the words are
mixed and the digests are keyed, so that the table is not what its own search finds.
"""

import hashlib
import os
from collections.abc import Iterable
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist

FRAGMENT_BYTES: Final = 16
WORD: Final = 8

OVERLAP: Final = FRAGMENT_BYTES + WORD
"""What two neighbouring pieces of a haystack share, so that a fragment on their border is found."""

MAX_ROWS: Final = 1_000
"""Rows of templates, and as many pictures, that fragments are taken of."""

MIN_DIFFERENT_BYTES: Final = 9
"""In a fragment; one with fewer, such as a run of zeros, could stand anywhere. Chosen, not measured."""

_KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 16
_TABLE_BITS: Final = 20
_SHIFT: Final = np.uint64(64 - _TABLE_BITS)
_STEP_WORDS: Final = 1 << 17
"""Small enough for the caches: nearly twice as fast as one pass over a large piece."""

Words = NDArray[np.uint64]


class Fragments:
    """What is looked for; `destroy` when the search is over."""

    def __init__(self, key: bytes, mixed: Words, digests: NDArray[np.uint8]) -> None:
        """
        Build the table.

        Args:
            key: Secret of this table, 32 bytes: the mixer of the words, and the key of the digests.

            mixed: uint64 (n, 8): the eight words of each fragment, mixed. Locked; owned by this table from now on.

            digests: uint8 (n, 16): the keyed digest of each fragment.
        """
        self._key = key
        self._mixed = mixed
        self._digests = digests
        self._mixer = _mixer_of(key)
        flat = mixed.reshape(-1)
        order = np.argsort(flat, kind="stable")
        self._owners = order // WORD
        self._offsets = order % WORD
        self._sorted: Words = locked_zeros((len(flat),), np.uint64)
        np.take(flat, order, out=self._sorted)
        self._is_possible = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._is_possible[(self._sorted >> _SHIFT).astype(np.intp)] = True

    def __len__(self) -> int:
        return len(self._digests)

    @classmethod
    def of(cls, fragments: Iterable[bytes], key: bytes | None = None) -> Self:
        """
        A table of these fragments, of 16 bytes each; ones that say nothing are left out.

        Raises:
            ValueError: One has another length (a caller's mistake).
        """
        key = os.urandom(_KEY_BYTES) if key is None else key
        distinct = [fragment for fragment in dict.fromkeys(fragments) if _is_distinctive(fragment)]
        mixed: Words = locked_zeros((len(distinct), WORD), np.uint64)
        digests = np.zeros((len(distinct), _DIGEST_BYTES), dtype=np.uint8)
        for number, fragment in enumerate(distinct):
            for offset in range(WORD):
                mixed[number, offset] = np.frombuffer(fragment, dtype="<u8", count=1, offset=offset)[0]
            digests[number] = np.frombuffer(_digest(key, fragment), dtype=np.uint8)
        mixed *= _mixer_of(key)
        return cls(key, mixed, digests)

    @classmethod
    def taken_of(cls, watchlist: StoredWatchlist, gallery: Gallery | None) -> Self:
        """
        Take one fragment each of up to 1,000 templates and of up to 1,000 pictures, spread over the list.

        Args:
            watchlist: Open.

            gallery: Which searches it, if one does: there the templates lie in another order, of which up to 1,000
                fragments are taken, too.

        Raises:
            WatchlistSealError: The list does not open.
        """
        vectors, _ = watchlist.vectors()
        try:
            fragments = [_middle(vectors[row].data.cast("B")) for row in _spread(len(vectors))]
        finally:
            vectors[...] = 0
        listed = watchlist.reference_ids
        fragments += [_middle(watchlist.picture(listed[place])) for place in _spread(len(listed))]
        if gallery is not None:
            runs = gallery.as_they_lie(MAX_ROWS)
            fragments += [bytes(run.data.cast("B")) for run in runs]
            runs[...] = 0
        return cls.of(fragments)

    def to_bytes(self) -> bytes:
        """What another process needs to go on searching; no fragment stands in it in clear."""
        return self._key + self._digests.tobytes() + self._mixed.tobytes()

    @classmethod
    def from_bytes(cls, handed_over: bytes | memoryview) -> Self:
        """
        Take over what `to_bytes` gave.

        Raises:
            ValueError: It is not a whole number of fragments.
        """
        each = _DIGEST_BYTES + WORD * WORD
        count, rest = divmod(len(handed_over) - _KEY_BYTES, each)
        if count < 0 or rest:
            message = f"expected a key and fragments of {each} bytes, found {len(handed_over)}"
            raise ValueError(message)
        key = bytes(handed_over[:_KEY_BYTES])
        digests = np.frombuffer(handed_over, dtype=np.uint8, count=count * _DIGEST_BYTES, offset=_KEY_BYTES)
        mixed: Words = locked_zeros((count, WORD), np.uint64)
        begin = _KEY_BYTES + count * _DIGEST_BYTES
        mixed[...] = np.frombuffer(handed_over, dtype="<u8", count=count * WORD, offset=begin).reshape(count, WORD)
        return cls(key, mixed, digests.reshape(count, _DIGEST_BYTES).copy())

    def count_in(self, haystack: bytes | bytearray | memoryview) -> int:
        """How often a fragment lies whole in *haystack*, whose first byte lies at a multiple of eight."""
        if not len(self):
            return 0
        view = memoryview(haystack)
        words: Words = np.frombuffer(view, dtype="<u8", count=len(view) // WORD)
        return sum(
            self._count_at(view, begin, words[begin : begin + _STEP_WORDS])
            for begin in range(0, len(words), _STEP_WORDS)
        )

    def destroy(self) -> None:
        """Zero the table."""
        for array in (self._mixed, self._sorted, self._digests):
            array[...] = 0

    def _count_at(self, haystack: memoryview, begin: int, words: Words) -> int:
        mixed = words * self._mixer
        places = np.flatnonzero(self._is_possible[(mixed >> _SHIFT).astype(np.intp)])
        first = np.searchsorted(self._sorted, mixed[places], side="left")
        last = np.searchsorted(self._sorted, mixed[places], side="right")
        found = 0
        for place, low, high in zip(places.tolist(), first.tolist(), last.tolist(), strict=True):
            found += any(self._lies_at(haystack, (begin + place) * WORD, entry) for entry in range(low, high))
        return found

    def _lies_at(self, haystack: memoryview, word_at: int, entry: int) -> bool:
        at = word_at - int(self._offsets[entry])
        if at < 0 or at + FRAGMENT_BYTES > len(haystack):
            return False
        expected = bytes(self._digests[int(self._owners[entry])])
        return expected == _digest(self._key, bytes(haystack[at : at + FRAGMENT_BYTES]))


def _spread(count: int) -> list[int]:
    """At most `MAX_ROWS` of so many places, from the first to the last."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(MAX_ROWS, count))})


def _middle(content: memoryview | bytes) -> bytes:
    """Sixteen bytes out of the middle: headers that all pictures share stand at the beginning."""
    begin = max(0, len(content) // 2 - FRAGMENT_BYTES // 2)
    return bytes(content[begin : begin + FRAGMENT_BYTES])


def _is_distinctive(fragment: bytes) -> bool:
    return len(fragment) == FRAGMENT_BYTES and len(set(fragment)) >= MIN_DIFFERENT_BYTES


def _digest(key: bytes, fragment: bytes) -> bytes:
    return hashlib.blake2b(fragment, key=key, digest_size=_DIGEST_BYTES).digest()


def _mixer_of(key: bytes) -> np.uint64:
    """An odd number: multiplying by it gives different words different values."""
    return np.uint64(int.from_bytes(key[:WORD], "little") | 1)
