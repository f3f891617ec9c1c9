"""Whether a configuration lets more through than the calibration did."""

import pytest
from pydantic import BaseModel

from edge_lfr.config.faces import LooksConfig, QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow
from simulators.nets import embedder_like, entry_of, yunet_like

MEASURED = CalibrationRow(
    templates=100,
    threshold=0.5,
    false_alerts_per_1000=0.4,
    upper_per_1000=0.9,
    worst_group="east",
    evidence="measured",
)

LAXER = {
    "min_inter_eye_px": 12.9,
    "max_yaw_share": 0.46,
    "pitch_range": (0.2, 0.86),
    "max_roll_deg": 41.0,
    "min_sharpness": 0.21,
    "brightness_range": (24.0, 235.0),
    "min_contrast": 9.0,
    "min_inside_share": 0.8,
    "min_detection_score": 0.59,
}

STRICTER = {
    "min_inter_eye_px": 14.0,
    "max_yaw_share": 0.4,
    "pitch_range": (0.3, 0.8),
    "max_roll_deg": 30.0,
    "min_sharpness": 0.3,
    "brightness_range": (30.0, 230.0),
    "min_contrast": 11.0,
    "min_inside_share": 0.9,
    "min_detection_score": 0.7,
}


def floor_of(conditions: Conditions) -> CalibrationRow:
    return conditions.floor(entry_of(yunet_like(), embedder_like(), calibration=(MEASURED,)), 7)


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        (Conditions(decision=DecisionConfig(required_hits=1)), ["decision.required_hits"]),
        (Conditions(looks=LooksConfig(max_looks=11)), ["looks.max_looks"]),
        *((Conditions(quality=QualityConfig(**{name: value})), [f"quality.{name}"]) for name, value in LAXER.items()),
    ],
)
def test_what_is_laxer_takes_the_bound_away(conditions: Conditions, names: list[str]) -> None:
    """Nobody has measured it: no bound, no evidence, and the setting has a name; the threshold stays the floor."""
    assert names == list(conditions.laxer())
    floor = floor_of(conditions)
    assert (0.5, None, "extrapolated") == (floor.threshold, floor.upper_per_1000, floor.evidence)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(),
        Conditions(
            decision=DecisionConfig(required_hits=3, threshold=0.9),
            looks=LooksConfig(max_looks=9),
            quality=QualityConfig(**STRICTER),
        ),
    ],
)
def test_what_is_as_strict_keeps_it(conditions: Conditions) -> None:
    """The defaults are the calibration's, and whoever asks for more gets no less."""
    assert MEASURED == floor_of(conditions)


def test_every_limit_has_a_side() -> None:
    """A limit of quality that is added later must say which way it is laxer."""
    fields: type[BaseModel] = QualityConfig
    assert set(fields.model_fields) == set(LAXER) == set(STRICTER)
