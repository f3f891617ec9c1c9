"""`config retention`: the table for the impact assessment, from the document that counts."""

import json
import os
import re
from pathlib import Path

import pytest

from edge_lfr.cli.main import run_command
from edge_lfr.config.retention_kinds import PROGRAM
from simulators.command import CONFIG
from simulators.retention import NAME, document


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *options: str, own: bool = False) -> str:
    file = folder / "van.toml"
    file.write_text(CONFIG + (f'[retention]\nprofile = "{NAME}"\ndocument = "retention.toml"\n' if own else ""))
    assert 0 == run_command(["config", "retention", "--config", str(file), *options])
    return capsys.readouterr().out


def test_every_kind_of_data_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also what is not made and what is kept: an assessment asks for all of it."""
    lines = shown(tmp_path, capsys, "--markdown").splitlines()
    table = [line for line in lines if line.startswith("| ")]
    kinds = ["alert", "sighting", "test alert", "acknowledgement", "watchlist", "ledger", "manifest", "certificate"]
    assert [*kinds, "recording", "health"] == [line.split(" | ")[0].removeprefix("| ") for line in table[2:]]
    assert {8} == {line.count("|") for line in table}
    assert any("alerts-24h" in line and "SHA-256" in line for line in lines)


@pytest.mark.parametrize("options", [(), ("--markdown",)])
def test_the_table_is_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str]) -> None:
    """Another period and another reason in the document are others in the table; all other words are the program's."""
    assert "24 hours" in shown(tmp_path, capsys, *options)
    document(tmp_path, ("period_s = 86_400", "period_s = 7_200"), ("what is not made", "what is never made"))
    changed = shown(tmp_path, capsys, *options, own=True)
    assert "2 hours" in changed
    assert "what is not made" not in changed
    for kind in PROGRAM.values():
        for said in (kind.what, kind.where, kind.until or ""):
            assert set(said.split()) <= set(changed.split())


def test_a_reason_stays_in_its_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A document begins no cell, no row and no markup of its own beside what the program says."""
    document(tmp_path, ("R3: what is not made", r"R3: a \\| b | <tr> [c] `d`"))
    table = [line for line in shown(tmp_path, capsys, "--markdown", own=True).splitlines() if line.startswith("| ")]
    cells = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table}
    assert {8} == cells
    assert r"a \\\| b \| \<tr> \[c] \`d\`" in table[-2]


def test_a_program_gets_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, version, digest, and every rule."""
    document(tmp_path, ("period_s = 86_400", "period_s = 7_200"))
    result = json.loads(shown(tmp_path, capsys, "--json", own=True))
    assert ("lfr.config-retention/1", NAME, "3") == (result["schema"], result["name"], result["version"])
    assert 7_200 == result["rules"]["alert"]["period_s"]
    assert PROGRAM["watchlist"].until == result["rules"]["watchlist"]["until"]
    assert "Alerts end 2 hours after the capture" == result["title"]
    assert 64 == len(result["digest"])


def test_a_false_end_is_refused_by_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`config check` and the table alike, exit status 78: nothing of the claim is printed."""
    document(tmp_path, ('ends = "wipe"', 'ends = "wipe"\nuntil = "six years after the load"'))
    file = tmp_path / "van.toml"
    file.write_text(CONFIG + f'[retention]\nprofile = "{NAME}"\ndocument = "retention.toml"\n')
    for command in (("check",), ("retention", "--markdown")):
        assert os.EX_CONFIG == run_command(["config", *command, "--config", str(file)])
        out, err = capsys.readouterr()
        assert "" == out
        assert "watchlist.until" in err
        assert "six years" not in err
