"""What a rehearsal leaves behind when its watchlist cannot be wiped: never nothing said."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_lfr.evaluation.processes import RehearsalError
from edge_lfr.evaluation.rehearsal import rehearsal


def test_a_watchlist_that_stays_is_an_error(tmp_path: Path) -> None:
    """Without a configuration the appliance's verb fails: whoever rehearsed must know that the list is still there."""
    with pytest.raises(RehearsalError, match="watchlist ended with status"), rehearsal(tmp_path) as staged:
        staged.has_watchlist = True


def test_it_does_not_hide_what_failed_before(tmp_path: Path) -> None:
    """The first failure is the one that is told, and the list that stays is in the log."""

    def fail_with_a_list() -> None:
        with rehearsal(tmp_path) as staged:
            staged.has_watchlist = True
            raise ZeroDivisionError

    with capture_logs() as lines, pytest.raises(ZeroDivisionError):
        fail_with_a_list()
    assert ["rehearsal.watchlist-left"] == [line["event"] for line in lines if line["log_level"] == "error"]
