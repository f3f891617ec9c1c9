"""From raw outputs to boxes: the two families' arithmetic, and which boxes survive one another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH
from edge_lfr.errors import InferenceError
from edge_lfr.inference.catalogue import DetectorKind
from edge_lfr.inference.contract import SCRFD_COLUMNS, STRIDES, YUNET_COLUMNS
from edge_lfr.pipeline.faces.decoding import Detections, Floats, decoder_for, suppress_overlaps

SIZE = SizeWH(96, 64)


def empty_outputs(columns: tuple[int, ...], anchors: int) -> list[Floats]:
    return [
        np.zeros(
            (1, (SIZE.height // STRIDES[i % 3]) * (SIZE.width // STRIDES[i % 3]) * anchors, column), dtype=np.float32
        )
        for i, column in enumerate(columns)
    ]


def test_yunet_cell_becomes_a_box() -> None:
    """Cell (5, 2) of stride 16: centre, size and landmarks as published, score the root of the product."""
    outputs = empty_outputs(YUNET_COLUMNS, 1)
    row = 2 * (SIZE.width // 16) + 5
    outputs[1][0, row], outputs[4][0, row] = 0.9, 0.4
    outputs[7][0, row] = (0.5, 0.25, np.log(2.0), np.log(3.0))
    outputs[10][0, row] = np.arange(10) / 10
    found = decoder_for(DetectorKind.YUNET, SIZE).decode(outputs, 0.5)
    assert [0.6] == pytest.approx(found.scores.tolist())
    centre_x, centre_y = 5.5 * 16, 2.25 * 16
    assert [centre_x - 16, centre_y - 24, centre_x + 16, centre_y + 24] == pytest.approx(found.boxes_xyxy[0].tolist())
    expected = [((5 + 2 * i / 10) * 16, (2 + (2 * i + 1) / 10) * 16) for i in range(5)]
    assert np.allclose(expected, found.landmarks_xy[0])


@pytest.mark.parametrize("batched", [True, False])
def test_scrfd_cell_becomes_a_box(batched: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The second box of cell (1, 1) of stride 32: distances to four sides, with and without a batch axis."""
    outputs = empty_outputs(SCRFD_COLUMNS, 2)
    row = (1 * (SIZE.width // 32) + 1) * 2 + 1
    outputs[2][0, row] = 0.7
    outputs[5][0, row] = (0.5, 0.25, 1.0, 0.75)
    outputs[8][0, row] = [0.1, -0.1] * 5
    given_outputs = outputs if batched else [output[0] for output in outputs]
    found = decoder_for(DetectorKind.SCRFD, SIZE).decode(given_outputs, 0.5)
    assert [0.7] == pytest.approx(found.scores.tolist())
    assert [32 - 16, 32 - 8, 32 + 32, 32 + 24] == pytest.approx(found.boxes_xyxy[0].tolist())
    assert np.allclose([(35.2, 28.8)] * 5, found.landmarks_xy[0])


def test_score_at_the_limit_is_kept_and_below_is_not() -> None:
    """The limit belongs to the kept side."""
    outputs = empty_outputs(YUNET_COLUMNS, 1)
    outputs[0][0, :2, 0], outputs[3][0, :2, 0] = (0.25, 0.24), 1.0
    assert 1 == len(decoder_for(DetectorKind.YUNET, SIZE).decode(outputs, 0.5).scores)


def test_scores_are_clipped_to_a_share() -> None:
    """A sigmoid that overshoots by a rounding error does not make a score above one."""
    outputs = empty_outputs(YUNET_COLUMNS, 1)
    outputs[0][0, 0], outputs[3][0, 0] = 1.0001, 1.0001
    assert [1.0] == decoder_for(DetectorKind.YUNET, SIZE).decode(outputs, 0.5).scores.tolist()


def test_box_that_is_no_number_is_an_error() -> None:
    """An exponent that overflows is a broken net, not a very large face."""
    outputs = empty_outputs(YUNET_COLUMNS, 1)
    outputs[0][0, 0], outputs[3][0, 0] = 1.0, 1.0
    outputs[6][0, 0, 2] = np.inf
    with pytest.raises(InferenceError, match="no number"):
        decoder_for(DetectorKind.YUNET, SIZE).decode(outputs, 0.5)


boxes = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40)), max_size=25)


@given(boxes, st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_survivors_do_not_overlap_and_the_others_do(untrusted: list[tuple[int, int, int, int]], max_iou: float) -> None:
    """No two kept boxes overlap too much; every dropped one overlaps a better kept one too much; the best is kept."""
    rows = [(x, y, x + width, y + height) for x, y, width, height in untrusted]
    found = Detections(
        boxes_xyxy=np.array(rows, dtype=np.float32).reshape(-1, 4),
        landmarks_xy=np.zeros((len(rows), 5, 2), dtype=np.float32),
        scores=np.linspace(1.0, 0.5, len(rows), dtype=np.float32),
    )
    kept = suppress_overlaps(found, max_iou)
    shapes = [BoxXYXY(*(float(value) for value in row)) for row in rows]
    assert sorted(kept) == kept
    assert kept[:1] == list(range(len(rows)))[:1]
    for row in range(len(rows)):
        overlaps = [shapes[row].iou(shapes[better]) for better in kept if better < row]
        assert (row in kept) == all(overlap <= max_iou + 1e-6 for overlap in overlaps)
