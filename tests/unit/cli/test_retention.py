"""`config retention`: the table for the impact assessment, from the document that counts."""

import json
from pathlib import Path

import pytest

from edge_lfr.cli.main import run_command
from simulators.command import CONFIG
from simulators.retention import NAME, document


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *options: str, own: bool = False) -> str:
    file = folder / "van.toml"
    file.write_text(CONFIG + ('[retention]\ndocument = "retention.toml"\n' if own else ""))
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
    """Another period and other words in the document are others in the table."""
    assert "24 hours" in shown(tmp_path, capsys, *options)
    document(tmp_path, ("period_s = 86_400", "period_s = 7_200"), ("recorded video", "no | film"))
    changed = shown(tmp_path, capsys, *options, own=True)
    assert "2 hours" in changed
    assert "recorded video" not in changed


def test_a_program_gets_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, version, digest, and every rule."""
    document(tmp_path, ("period_s = 86_400", "period_s = 7_200"))
    result = json.loads(shown(tmp_path, capsys, "--json", own=True))
    assert ("lfr.config-retention/1", NAME, "2") == (result["schema"], result["name"], result["version"])
    assert 7_200 == result["rules"]["alert"]["period_s"]
    assert 64 == len(result["digest"])
