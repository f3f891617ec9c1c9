"""The ring around a place."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.governance.authority.place import LonLat, require_ring

SQUARE: tuple[LonLat, ...] = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(
    "points",
    [
        SQUARE,
        SQUARE[::-1],
        SQUARE[:3],
        ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (1.0, 0.5), (0.0, 2.0)),
        ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 1.0)),
    ],
)
def test_a_ring_encloses_one_area(points: tuple[LonLat, ...]) -> None:
    """In either direction, with a dent, with a point on a straight side."""
    assert points == require_ring(points)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ((*SQUARE, SQUARE[0]), "leave out the last point"),
        ((*SQUARE, SQUARE[2]), "two points are the same"),
        ((SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]), "crosses itself"),
        (((0.0, 0.0), (1.0, 0.0), (2.0, 0.0)), "lie on one another"),
        (((0.0, 0.0), (2.0, 0.0), (1.0, 0.0), (1.0, 1.0)), "lie on one another"),
        (((0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (1.0, 0.0), (0.0, 1.0)), "crosses itself"),
        (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (2.0, 0.0)), "lie on one another"),
    ],
)
def test_what_is_no_ring_is_refused(points: tuple[LonLat, ...], reason: str) -> None:
    """Closed twice, crossing or touching itself, or flat."""
    with pytest.raises(ValueError, match=reason):
        require_ring(points)


@given(st.integers(3, 64), st.floats(0.0, 6.28), st.integers(1, 63))
def test_a_round_place_is_a_ring_wherever_it_begins(corners: int, turn: float, first: int) -> None:
    """Neither the first point nor the direction matters."""
    angles = [turn + 2 * math.pi * corner / corners for corner in range(corners)]
    points = tuple((math.cos(angle), math.sin(angle)) for angle in angles)
    shifted = points[first % corners :] + points[: first % corners]
    assert shifted == require_ring(shifted)
    assert shifted[::-1] == require_ring(shifted[::-1])


@given(st.permutations(SQUARE))
def test_of_all_orders_of_four_corners_those_that_go_around_are_rings(points: list[LonLat]) -> None:
    """Two that lie across must not follow one another."""
    goes_around = all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in pairwise(points))
    try:
        require_ring(tuple(points))
    except ValueError:
        assert not goes_around
    else:
        assert goes_around
