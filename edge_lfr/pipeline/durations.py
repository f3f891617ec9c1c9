"""The latest of many durations, in memory that is taken once; and percentiles of them."""

from array import array
from collections.abc import Sequence
from typing import Final, TypeVar

Number = TypeVar("Number", int, float)

KEPT: Final = 2_000
"""Latest durations that percentiles are taken of: some three minutes of frames, months of alerts."""


class DurationLog:
    """
    Counts durations and keeps the latest; the caller sees to it that one thread uses it at a time.

    Numbers in an array from the first moment: a list of them grew for as long as it took to fill, block by block
    between what the path takes and frees.
    """

    __slots__ = ("_latest_ns", "count", "total_ns")

    def __init__(self) -> None:
        self.count = 0
        self.total_ns = 0
        self._latest_ns = array("q", bytes(KEPT * 8))

    def add(self, duration_ns: int) -> None:
        self._latest_ns[self.count % KEPT] = duration_ns
        self.count += 1
        self.total_ns += duration_ns

    def latest_ns(self) -> "array[int]":
        """Copy the latest, in no order."""
        return self._latest_ns[: self.count]


def nearest_rank(ordered: Sequence[Number], percent: int) -> Number:
    """Give the smallest value that at least *percent* of the values do not exceed; *ordered* holds at least one."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]
