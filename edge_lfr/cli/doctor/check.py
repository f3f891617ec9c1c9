"""One line of the doctor's table, and how a check that meets an error becomes one."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from edge_lfr.errors import EdgeLfrError


class Verdict(StrEnum):
    """What a check concludes."""

    OK = "ok"
    WARN = "warn"
    """The appliance runs, and somebody should know this first."""

    FAIL = "fail"
    """Do not deploy."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about it."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, Verdict.OK, found)


def warn(name: str, found: str, remedy: str) -> Check:
    """It runs all the same."""
    return Check(name, Verdict.WARN, found, remedy)


def fail(name: str, found: str, remedy: str) -> Check:
    """Do not deploy."""
    return Check(name, Verdict.FAIL, found, remedy)


def guarded(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """Pass the checks on; an error of the tree becomes one that failed, with the error's own remedy."""
    try:
        yield from checks
    except EdgeLfrError as error:
        yield fail(name, error.message, error.advice)
