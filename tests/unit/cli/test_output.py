"""Results for people and for programs."""

import json
from collections.abc import Iterator

import pytest

from edge_lfr.cli.check import Check, Verdict, guarded, ok
from edge_lfr.cli.output import write_fields, write_json, write_table
from edge_lfr.errors import ConfigError


def test_a_result_for_a_program_names_its_form(capsys: pytest.CaptureFixture[str]) -> None:
    """One object on one line, whose first member is the schema."""
    write_json("thing/1", {"name": "Zo\u00eb"})
    out = capsys.readouterr().out
    assert 1 == out.count("\n")
    assert [("schema", "lfr.thing/1"), ("name", "Zo\u00eb")] == list(json.loads(out).items())


def test_fields_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Sections stand below one another; nothing is a hyphen, zero is a value."""
    write_fields({"a": 0, "b": None, "c": {"d": True, "e": 0.25}, "f": [{"g": "h"}], "i": [1, 2], "j": []})
    expected = ["a: 0", "b: -", "c:", "  d: yes", "  e: 0.25", "f:", "  g: h", "i: 1, 2", "j: -"]
    assert expected == capsys.readouterr().out.splitlines()


def test_a_table_interprets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup is text."""
    write_table(("name",), [("[red]x[/red]",)])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_a_check_that_meets_an_error_has_failed() -> None:
    """What was found before stays, and the error's remedy becomes the check's."""

    def checks() -> Iterator[Check]:
        yield ok("first", "well")
        raise ConfigError("broken", remedy="mend it")  # noqa: EM101  (the words are the law)

    expected = [Check("first", Verdict.OK, "well"), Check("all", Verdict.FAIL, "broken", "mend it")]
    assert expected == list(guarded("all", checks()))
