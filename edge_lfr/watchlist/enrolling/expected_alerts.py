"""A row of the pack's calibration enters, the false alerts to expect in a day leave, with the evidence they rest on."""

import math
from dataclasses import dataclass
from typing import Final

from edge_lfr.inference.catalogue import CalibrationRow

PASSAGES_PER_HOUR: Final = 15_000
"""The design load; the busiest hour of 277 published deployments had 11,930."""

DAY_HOURS: Final = 8.0
"""The longest of these deployments ran for 8.6 hours, half of them for less than 5.6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFalseAlerts:
    """How often an officer will be sent to somebody who is not listed."""

    alerts: float
    """In the whole day."""

    is_bound: bool
    """Whether `alerts` is the upper end of a 95 % bound; else it is an expectation that nobody has bounded."""

    hours: float
    passages_per_hour: int
    templates: int
    """Up to so many are covered."""

    worst_group: str | None
    """The labelled group that decided; None: groups were not told apart."""

    evidence: str
    """`measured` or `extrapolated`, as `CalibrationRow.evidence`."""

    @property
    def in_words(self) -> str:
        """One line for the briefing."""
        count = math.ceil(round(self.alerts, 6))  # the last digits of a product of floats are no alert
        basis = ["95 % bound" if self.is_bound else "not bounded"]
        if self.worst_group is not None:
            basis.append("worst group")
        return (
            f"{'at most' if self.is_bound else 'about'} {count} in a day of {round(self.hours, 2):g} h at "
            f"{self.passages_per_hour:,} passages an hour ({', '.join(basis)}; {self.evidence})"
        )

    def as_json(self) -> dict[str, object]:
        return {
            "alerts": round(self.alerts, 3),
            "is_bound": self.is_bound,
            "hours": self.hours,
            "passages_per_hour": self.passages_per_hour,
            "templates": self.templates,
            "worst_group": self.worst_group,
            "evidence": self.evidence,
            "in_words": self.in_words,
        }


def expected_false_alerts(
    row: CalibrationRow, *, hours: float = DAY_HOURS, passages_per_hour: int = PASSAGES_PER_HOUR
) -> ExpectedFalseAlerts:
    """
    Tell how many false alerts to expect in a day at the row's threshold, or at any higher one.

    As if every passer-by were of the worst labelled group and not listed. The bound is one of the expectation: a single
    day may by chance have more.

    Args:
        row: `PackEntry.floor` for the number of templates.

        hours: Of operation; above 0.

        passages_per_hour: People that pass the cameras.

    Raises:
        ValueError: *hours* or *passages_per_hour* is not above 0 (a caller's mistake).
    """
    if not (hours > 0 and passages_per_hour > 0):
        raise ValueError(f"expected hours and passages above 0, found {hours} and {passages_per_hour}")
    per_1000 = row.false_alerts_per_1000 if row.upper_per_1000 is None else row.upper_per_1000
    return ExpectedFalseAlerts(
        alerts=per_1000 * hours * passages_per_hour / 1000,
        is_bound=row.upper_per_1000 is not None,
        hours=hours,
        passages_per_hour=passages_per_hour,
        templates=row.templates,
        worst_group=row.worst_group,
        evidence=row.evidence,
    )
