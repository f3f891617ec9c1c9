"""
What a pack's calibration holds for: how many looks, how many hits and which faces; a configuration may ask for others.

A floor that is taken under laxer conditions loses its bound and its evidence, and the doctor says why.
"""

from dataclasses import dataclass, field
from typing import Final

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.faces import LooksConfig, QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry

LEAST_HITS: Final = 2
MOST_LOOKS: Final = 10
"""
A passage counts as two comparisons, from the model in `evaluation.calibration`: two agreeing hits among ten looks.

Its faces were held to the limits that are the defaults of `QualityConfig`.
"""

_AT_LEAST: Final = ("min_inter_eye_px", "min_sharpness", "min_contrast", "min_inside_share", "min_detection_score")
_AT_MOST: Final = ("max_yaw_share", "max_roll_deg")
_WITHIN: Final = ("pitch_range", "brightness_range")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under which probes are compared and decided; the defaults are those of the calibration."""

    decision: DecisionConfig = field(default_factory=DecisionConfig)
    looks: LooksConfig = field(default_factory=LooksConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)

    @classmethod
    def of(cls, config: ApplianceConfig) -> "Conditions":
        return cls(decision=config.decision, looks=config.looks, quality=config.quality)

    def laxer(self) -> tuple[str, ...]:
        """Name every setting that lets more through than the calibration did; none: it holds."""
        found = []
        if self.decision.required_hits < LEAST_HITS:
            found.append("decision.required_hits")
        if self.looks.max_looks > MOST_LOOKS:
            found.append("looks.max_looks")
        limits, calibrated = self.quality, QualityConfig()
        found += [f"quality.{name}" for name in _AT_LEAST if getattr(limits, name) < getattr(calibrated, name)]
        found += [f"quality.{name}" for name in _AT_MOST if getattr(limits, name) > getattr(calibrated, name)]
        for name in _WITHIN:
            (lowest, highest), (least, most) = getattr(limits, name), getattr(calibrated, name)
            if lowest < least or highest > most:
                found.append(f"quality.{name}")
        return tuple(found)

    def floor(self, entry: PackEntry, templates: int) -> CalibrationRow:
        """
        Give the pack's floor for so many templates; extrapolated and without bound where the calibration was stricter.

        Raises:
            ModelContractError: The pack has no calibration for so many.
        """
        row = entry.floor(templates)
        if not self.laxer():
            return row
        return row.model_copy(update={"evidence": "extrapolated", "upper_per_1000": None})
