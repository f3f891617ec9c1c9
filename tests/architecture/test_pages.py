"""What the pages say is so: their commands exist, their files exist."""

import csv
import io
import os
import re
import shlex
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from edge_lfr.cli.main import run_command
from edge_lfr.config.load import load_config
from edge_lfr.watchlist.enrolling.folder import read_source

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "systemd/README.md",
    "models/README.md",
    "watchlists/README.md",
)
OPTION_WORDS = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def commands_in(page: str) -> list[str]:
    """Every `edge-lfr ...` or `scripts/...` that stands at the start of a line of a fenced block, or in back quotes."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    in_blocks = re.findall(r"^(?:\$ )?((?:edge-lfr |scripts/\w)[^\n#]*)", fenced, flags=re.MULTILINE)
    in_text = re.findall(r"`((?:edge-lfr |scripts/\w)[^`\n]*)`", text)
    return [command.strip() for command in in_blocks + in_text]


def help_of(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, "--help"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


COMMANDS = sorted({command for page in PAGES for command in commands_in(page)})
UNDERSTOOD = {"--help"}


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("edge-lfr ")])
def test_a_command_on_a_page_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer may type what the pages show: noun and verb exist and know the options."""
    verbs = list(takewhile(re.compile(r"[a-z][a-z-]*").fullmatch, shlex.split(command)[1:]))
    status = run_command([*verbs[:2], "--help"])
    if status != os.EX_OK:  # the second word was an argument
        status = run_command([*verbs[:1], "--help"])
    shown = capsys.readouterr().out
    assert os.EX_OK == status
    assert set() == set(OPTION_WORDS.findall(command)) - set(OPTION_WORDS.findall(shown)) - UNDERSTOOD


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("scripts/")])
def test_a_script_on_a_page_exists(command: str) -> None:
    """The script is there, may be run, and names the options in its help."""
    script, *_ = shlex.split(command)
    assert os.access(ROOT / script, os.X_OK)
    text = (ROOT / script).read_text(encoding="utf-8")
    assert set() == set(OPTION_WORDS.findall(command)) - set(OPTION_WORDS.findall(text)) - UNDERSTOOD


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    """A relative link names a file of this checkout."""
    path = ROOT / page
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [] == [target for target in targets if not (path.parent / target).exists()]


def readme_block(language: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert block is not None
    return block[1]


def test_the_configuration_of_the_readme_is_one(tmp_path: Path) -> None:
    """A newcomer may copy it as it stands."""
    (tmp_path / "van.toml").write_text(readme_block("toml"), encoding="utf-8")
    assert ["gate"] == [camera.id for camera in load_config(tmp_path / "van.toml", {}).cameras]


def test_the_watchlist_of_the_readme_is_one(tmp_path: Path) -> None:
    """Columns, categories and response codes are those that a load accepts."""
    rows = list(csv.DictReader(io.StringIO(readme_block("csv"))))
    (tmp_path / "watchlist.csv").write_text(readme_block("csv"), encoding="utf-8")
    for row in rows:
        (tmp_path / row["picture"]).touch()
    assert len(rows) == len(read_source(tmp_path).rows)


def test_the_path_of_the_readme_is_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    """What the page shows is what the program prints."""
    assert os.EX_OK == run_command(["pipeline", "show"])
    assert capsys.readouterr().out.strip() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_architecture_page_draws_the_tree_that_is_there() -> None:
    """Every file in the drawn tree exists, and every package of the program is drawn."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"^```\nedge_lfr/\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert block is not None
    parents: list[str] = []
    drawn = set()
    for line in block[1].splitlines():
        match = re.match(r"^([│ ]*)[├└]── ([\w./]+)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        parents = [*parents[:depth], match[2].rstrip("/")]
        drawn.add("/".join(parents))
    assert [] == sorted(name for name in drawn if not (ROOT / "edge_lfr" / name).exists())
    packages = {
        path.parent.relative_to(ROOT / "edge_lfr").as_posix() for path in (ROOT / "edge_lfr").rglob("__init__.py")
    } - {"."}
    assert set() == packages - drawn


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file()))
def test_every_script_explains_itself(script: str) -> None:
    """`--help` prints what a script is for, without doing it."""
    path = ROOT / "scripts" / script
    is_python = "python" in path.read_text(encoding="utf-8").partition("\n")[0]
    shown = help_of((sys.executable, str(path)) if is_python else (str(path),))
    assert 0 == shown.returncode, shown.stderr
    assert "Usage" in shown.stdout or "usage" in shown.stdout
