"""A load told to a technician: short, by id, and with what he has to act upon."""

import pytest

from edge_lfr.cli.watchlist.enrolment_report import MAX_SHOWN, say_warnings, write_report
from edge_lfr.watchlist.enrolling.report import RowOutcome, RowResult
from simulators.reports import enrolled, made_report


def test_a_load_is_told_on_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, quality, what to expect; an unlawful entry once with its rules, a rejected picture with its reason."""
    report = made_report(
        *(enrolled(line, f"REF-{line}", eyes=30.0 + line) for line in range(20)),
        RowResult(20, "REF-X", RowOutcome.UNLAWFUL, reasons=("expired", "approval")),
        RowResult(21, "REF-X", RowOutcome.UNLAWFUL, reasons=("expired", "approval")),
        RowResult(22, "REF-Y", RowOutcome.QUALITY_DARK, 31.0),
    )

    write_report(report)
    say_warnings(report)

    told = capsys.readouterr()
    assert "references: 20\n" in told.out
    assert "unlawful references: 1\n" in told.out
    assert "px between eyes: 30, 39, 48\n" in told.out
    assert "  categories: 20 suspect\n" in told.out
    assert "  oldest picture: 2020-01-31\n" in told.out
    assert "expected false alerts: at most 108 in a day of 8 h" in told.out
    assert [["REF-X", "expired,", "approval"]] == [line.split() for line in told.out.splitlines() if "REF-X" in line]
    assert [["22", "REF-Y", "quality-dark", "31"]] == [
        line.split() for line in told.out.splitlines() if "REF-Y" in line
    ]
    assert "nobody will be found by 2 references: REF-X, REF-Y" in told.err
    assert len(told.out.splitlines()) < 30


def test_what_does_not_fit_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """At most so many rows of each kind, and the number of the others."""
    count = MAX_SHOWN + 7
    report = made_report(
        *(RowResult(one, f"LAW-{one}", RowOutcome.UNLAWFUL, reasons=("expired",)) for one in range(count)),
        *(RowResult(count + one, f"BAD-{one}", RowOutcome.NO_FACE) for one in range(count)),
    )

    write_report(report)

    told = capsys.readouterr()
    assert (MAX_SHOWN, MAX_SHOWN) == (told.out.count("LAW-"), told.out.count("BAD-"))
    assert "and 7 more unlawful references" in told.err
    assert "and 7 more rejected rows" in told.err
    assert "expected false alerts: -\n" in told.out
    assert "px between eyes: " not in told.out
