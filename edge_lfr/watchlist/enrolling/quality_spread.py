"""The measures of enrolled pictures enter, a few percentiles of each leave: how good the pictures of a list are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Self

import numpy as np

PERCENTS: Final = (5, 50, 95)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one measure: nearest ranks, so each is a value that a picture has."""

    p5: float
    p50: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Rank *values*, at least one."""
        low, middle, high = np.percentile(np.asarray(values, dtype=np.float64), PERCENTS, method="inverted_cdf")
        return cls(float(low), float(middle), float(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySpread:
    """Of the pictures that were enrolled."""

    inter_eye_px: Spread
    """Distance between the eyes in the picture's own pixels."""

    sharpness: Spread
    """As `faces.quality.sharpness`: about 0 (blurred) to 1 (crisp)."""

    detection_score: Spread
    """The detector's own, 0 to 1."""

    def as_json(self) -> dict[str, object]:
        return {
            measure: {name: round(value, 3) for name, value in spread.items()}
            for measure, spread in asdict(self).items()
        }
