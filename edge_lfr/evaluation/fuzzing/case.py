"""
One hostile thing, what came of it, and what a target is: the words that all targets and the campaign share.

A target makes sound specimens with the appliance's own code. A mutant of one enters the same code that would read it
in the field, and an outcome leaves; whatever else leaves is an escape, which the campaign counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Protocol

from edge_lfr.errors import EdgeLfrError

INCOMING = "in"
"""The folder of a case that the case itself fills: what lies there came from outside and is not left behind."""


class Verdict(StrEnum):
    """What came of a mutant."""

    REFUSED = "refused"
    UNCHANGED = "unchanged"
    """Accepted, and says exactly what a specimen says: the change was of a part that nobody reads or signs."""

    BELIEVED = "believed"
    """Accepted, and says something else, which whoever wrote it may say: it is unsigned, or was signed again."""

    FORGED = "forged"
    """Accepted, although it says something that nobody signed, or must not be accepted at all. Must never be."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """Bytes to be attempted, and how they were made."""

    untrusted: bytes = field(repr=False)
    how: str
    is_signed_anew: bool = False
    """By a key that may: to reach what lies behind the signature, as a stolen key would."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the appliance made of a mutant."""

    verdict: Verdict
    code: str = ""
    """Of a refusal."""


class Target(Protocol):
    """One kind of untrusted bytes."""

    @property
    def name(self) -> str: ...

    @property
    def specimens(self) -> Sequence[bytes]:
        """Sound ones; what is attempted first, and mutated byte by byte."""

    def structured(self, drawn: Random) -> Mutant:
        """Change a specimen as somebody would who knows its form."""

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        """
        Give a mutant to the code that reads such bytes.

        Args:
            mutant: What comes from outside.

            folder: Empty. After a refusal nothing may lie there but under `INCOMING`.

        Raises:
            Exception: Whatever escapes; the campaign counts it.
        """

    def close(self) -> None:
        """Let go of what was prepared."""


def refused(error: EdgeLfrError) -> Outcome:
    """The code of a refusal, with its reason where the error has one of a closed list."""
    reason = getattr(error, "refusal", getattr(error, "reason", None))
    return Outcome(Verdict.REFUSED, error.code if reason is None else f"{error.code}: {reason}")


def of_unsigned(*, is_same: bool) -> Outcome:
    """What was accepted, where nobody signs."""
    return Outcome(Verdict.UNCHANGED if is_same else Verdict.BELIEVED)


def of_signed(mutant: Mutant, *, is_same: bool) -> Outcome:
    """What was accepted, where somebody signs."""
    if is_same:
        return Outcome(Verdict.UNCHANGED)
    return Outcome(Verdict.BELIEVED if mutant.is_signed_anew else Verdict.FORGED)


def put_in(folder: Path, name: str, content: bytes) -> Path:
    """Lay a file into the incoming folder of a case."""
    path = folder / INCOMING / name
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


MakeTarget = Callable[[], Target]
