"""When to kill: moments over the whole of a work, and many near its beginning and its end, where files change names."""

import math
import random
from typing import Final

FIRST_S: Final = 0.0002
"""The shortest time drawn, about what a signal takes; chosen, not measured."""

BEYOND: Final = 1.1
"""Moments are drawn a little beyond the measured span, since a run may take longer; chosen, not measured."""


def draw_moment(chance: random.Random, span_s: float) -> float:
    """
    Give a moment, in seconds from the beginning of a work that takes *span_s*.

    A third evenly over the whole, a third evenly over the orders of magnitude from the beginning, and a third likewise
    back from the end.
    """
    way = chance.randrange(3)
    if way == 0:
        return chance.uniform(0.0, BEYOND * span_s)
    near_s = draw_soon(chance, span_s)
    return near_s if way == 1 else max(0.0, span_s - near_s)


def draw_soon(chance: random.Random, span_s: float) -> float:
    """Give a moment within *span_s*, evenly over the orders of magnitude."""
    return FIRST_S * math.pow(max(1.0, span_s / FIRST_S), chance.random())
