"""What the pages say is so: their commands exist, their files exist."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md")
PROGRAM = Path(sys.executable).with_name("edge-lfr")
OPTION_WORDS = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def commands_in(page: str) -> list[str]:
    """Every `edge-lfr ...` or `scripts/...` that stands at the start of a line of a fenced block, or in back quotes."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
    in_blocks = re.findall(r"^(?:\$ )?((?:edge-lfr |scripts/\w)[^\n#]*)", fenced, flags=re.MULTILINE)
    in_text = re.findall(r"`((?:edge-lfr |scripts/\w)[^`\n]*)`", text)
    return [command.strip() for command in in_blocks + in_text]


@cache
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


ALL_COMMANDS = sorted({command for page in PAGES for command in commands_in(page)})


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_a_command_on_a_page_exists(command: str) -> None:
    """A newcomer may type what the pages show: the command exists and knows the options."""
    words = shlex.split(command)
    verbs = []
    for word in words[1:]:
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        verbs.append(word)
    base = (str(PROGRAM),) if words[0] == "edge-lfr" else (str(ROOT / words[0]),)
    shown = help_of((*base, *verbs[:2]) if words[0] == "edge-lfr" else base)
    if shown.returncode != 0:  # the second word was an argument, not a verb
        shown = help_of((*base, *verbs[:1]))
    assert 0 == shown.returncode, shown.stderr
    unknown = [option for option in OPTION_WORDS.findall(command) if option not in shown.stdout and option != "--help"]
    assert [] == unknown


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    """A relative link names a file of this checkout."""
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [] == [target for target in targets if not (ROOT / target).exists()]


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
