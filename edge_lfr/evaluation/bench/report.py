"""What every measurement comes to: rows of a name, a value and, where one was set, a target that it must reach."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; the form is the same for everything that measures."""

    name: str
    value: float | str | None
    """None: it could not be measured, which never reaches a target."""

    unit: str
    target: str | None
    """In words, such as `<= 1.15`; None where the figure is only shown."""

    ok: bool

    @classmethod
    def shown(cls, name: str, value: float | str | None, unit: str = "") -> Self:
        """Give a figure without a target."""
        return cls(name, value, unit, None, ok=True)

    @classmethod
    def at_most(cls, name: str, value: float | None, limit: float, unit: str = "") -> Self:
        """Hold a figure to an upper limit."""
        return cls(name, value, unit, f"<= {limit:g}", ok=value is not None and value <= limit)

    @classmethod
    def at_least(cls, name: str, value: float | None, limit: float, unit: str = "") -> Self:
        """Hold a figure to a lower limit."""
        return cls(name, value, unit, f">= {limit:g}", ok=value is not None and value >= limit)

    @classmethod
    def exactly(cls, name: str, value: float | None, wanted: float, unit: str = "") -> Self:
        """Hold a count to one value."""
        return cls(name, value, unit, f"= {wanted:g}", ok=value == wanted)


@dataclass(frozen=True, slots=True)
class Report:
    """The rows of one measurement, in the order in which they are read."""

    rows: tuple[Row, ...]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        return cls(tuple(rows))

    @property
    def is_ok(self) -> bool:
        """Every target was reached."""
        return all(row.ok for row in self.rows)

    def as_json(self) -> dict[str, object]:
        """The one form in which programs read a measurement: `{"rows": [...]}`."""
        return {"rows": [asdict(row) for row in self.rows]}


class Witness(Protocol):
    """Whoever follows a long measurement."""

    def stage(self, text: str) -> None:
        """Something new has begun."""
        ...

    def count(self, done: int, total: int) -> None:
        """So much of the present stage is done."""
        ...
