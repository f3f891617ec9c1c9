"""Boxes, polygons and sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.biometrics.geometry import BoxXYXY, PixelBox, PolygonXY, SizeWH

coordinates = st.floats(-3000, 3000, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn) -> BoxXYXY:
    x0, y0 = draw(coordinates), draw(coordinates)
    return BoxXYXY(x0, y0, x0 + draw(st.floats(0.5, 500)), y0 + draw(st.floats(0.5, 500)))


def test_a_box_left_of_the_picture_is_clipped_before_it_is_rounded() -> None:
    """A face at the edge keeps the part that is in the picture: -3.5 never becomes 65533."""
    box = BoxXYXY(-3.5, 10.2, 20.7, 30.0)
    assert PixelBox(0, 10, 21, 30) == box.clipped_to(SizeWH(640, 480)).to_pixels()


@given(boxes())
def test_a_clipped_box_lies_inside(box: BoxXYXY) -> None:
    """Whatever the box, its clipped part can be used to slice the picture."""
    size = SizeWH(640, 480)
    pixels = box.clipped_to(size).to_pixels()
    assert 0 <= pixels.x0 <= pixels.x1 <= size.width
    assert 0 <= pixels.y0 <= pixels.y1 <= size.height


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_bounded(one: BoxXYXY, other: BoxXYXY) -> None:
    """Intersection over union does not depend on the order and stays within 0 and 1."""
    assert one.iou(other) == pytest.approx(other.iou(one))
    assert 0.0 <= one.iou(other) <= 1.0 + 1e-9


@given(boxes())
def test_a_box_overlaps_itself_wholly(box: BoxXYXY) -> None:
    """A box covers itself."""
    assert box.iou(box) == pytest.approx(1.0)


@given(boxes(), st.floats(0.1, 10))
def test_scaling_there_and_back_is_the_same_box(box: BoxXYXY, factor: float) -> None:
    """Detection works in another size; its boxes come back to source pixels."""
    back = box.scaled(factor, factor).scaled(1 / factor, 1 / factor)
    assert (back.x0, back.y1) == pytest.approx((box.x0, box.y1), abs=1e-6)


def test_a_polygon_contains_its_middle_and_not_its_outside() -> None:
    """The zone of recognition is the inside of its corners, also where it is concave."""
    zone = PolygonXY(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0)))
    assert zone.contains(0.5, 0.25)
    assert not zone.contains(0.5, 0.9)
    assert not zone.contains(1.5, 0.5)


def test_a_polygon_scales_to_the_picture() -> None:
    """Corners are shares, so that they survive another resolution."""
    triangle = PolygonXY(((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)))
    assert [[0, 0], [1280, 0], [640, 720]] == triangle.in_pixels(SizeWH(1280, 720)).tolist()
