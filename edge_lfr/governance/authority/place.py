"""The place of a deployment: a name and the ring of points around it, on the map as people draw it."""

from itertools import combinations
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

Lon = Annotated[float, Field(ge=-180.0, le=180.0, allow_inf_nan=False)]
Lat = Annotated[float, Field(ge=-90.0, le=90.0, allow_inf_nan=False)]
LonLat: TypeAlias = tuple[Lon, Lat]

FEWEST_POINTS: Final = 3
MOST_POINTS: Final = 64
"""A street corner has some ten (chosen, not measured)."""


def require_ring(points: tuple[LonLat, ...]) -> tuple[LonLat, ...]:
    """
    Require that *points*, joined in order and back to the first, enclose one area.

    The map is taken to be flat, and the ring not to cross the date line.

    Raises:
        ValueError: The first point is repeated, two are the same, the ring crosses or touches itself, or is a line.
    """
    if points[0] == points[-1]:
        message = "leave out the last point: the ring closes by itself"
        raise ValueError(message)
    if len(set(points)) != len(points):
        message = "two points are the same"
        raise ValueError(message)
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    for (first, edge), (second, other) in combinations(enumerate(edges), 2):
        is_next = second - first == 1
        is_last = (first, second) == (0, len(edges) - 1)
        if is_next or is_last:
            start, corner, end = (*edge, other[1]) if is_next else (*other, edge[1])
            if _side(start, corner, end) == 0 and not _is_between(start, corner, end):
                message = "two sides lie on one another"
                raise ValueError(message)
        elif _touch(edge, other):
            message = "the ring crosses itself: give the points in the order in which they are walked"
            raise ValueError(message)
    return points


Ring = Annotated[
    tuple[LonLat, ...], Field(min_length=FEWEST_POINTS, max_length=MOST_POINTS), AfterValidator(require_ring)
]


def _side(start: LonLat, end: LonLat, point: LonLat) -> float:
    """Above 0: *point* lies left of the way from *start* to *end*; 0: on its line."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])


def _is_between(start: LonLat, point: LonLat, end: LonLat) -> bool:
    """Of three points on one line: whether *point* lies on the way from *start* to *end*."""
    return (point[0] - start[0]) * (end[0] - point[0]) + (point[1] - start[1]) * (end[1] - point[1]) >= 0


def _touch(edge: tuple[LonLat, LonLat], other: tuple[LonLat, LonLat]) -> bool:
    sides = (_side(*edge, other[0]), _side(*edge, other[1]), _side(*other, edge[0]), _side(*other, edge[1]))
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    ends = ((edge, other[0]), (edge, other[1]), (other, edge[0]), (other, edge[1]))
    return any(
        side == 0 and _is_between(line[0], point, line[1]) for side, (line, point) in zip(sides, ends, strict=True)
    )
