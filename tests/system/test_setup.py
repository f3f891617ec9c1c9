"""`scripts/setup --into` in a copy of the checkout: what it asks pip for, and when for nothing; its pip takes notes."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "models/catalogue.toml", "scripts/setup")
LOCK, PROJECT = "--requirement", "--force-reinstall"

PIP = """
import os, pathlib, sys, sysconfig

with open(os.environ["NOTES"], "a") as notes:
    print(*sys.argv[1:], file=notes)
for kind, name in (("cpu", "onnxruntime"), ("gpu", "onnxruntime_gpu")):
    if f"requirements-{kind}.lock" in sys.argv:
        (pathlib.Path(sysconfig.get_path("purelib")) / f"{name}-1.0.dist-info").mkdir(exist_ok=True)
sys.exit(int(os.environ.get("PIP_STATUS", "0")))
"""

# Makes environments with the pip above; is the real interpreter in everything else.
PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
  {python} -m venv --without-pip "$3" && cp -r {pip} "$3"/lib/python3*/site-packages/
else
  exec {python} "$@"
fi
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of what an environment is made from."""

    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / "into"

    def setup(self, kind: str = "cpu", *, pip_status: int = 0) -> list[str]:
        """Run the script; gives what pip was asked for: the lock file's packages, this project, or nothing."""
        notes = self.folder / "notes"
        notes.write_text("")
        done = subprocess.run(
            [str(self.folder / "scripts/setup"), "--into", str(self.environment), kind],
            env={
                **os.environ,
                "PYTHON": str(self.folder / "python"),
                "NOTES": str(notes),
                "PIP_STATUS": str(pip_status),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert pip_status == done.returncode, done.stderr
        asked = [line.split() for line in notes.read_text().splitlines()]
        return [option for words in asked for option in (LOCK, PROJECT) if option in words]

    def runtimes(self) -> list[str]:
        """The builds of the runtime that lie in the environment."""
        return [path.name for path in self.environment.glob("lib/*/site-packages/onnxruntime*")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name in (*SOURCES, *(path.name for path in ROOT.glob("requirements-*.lock"))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "edge_lfr", tmp_path / "edge_lfr", ignore=shutil.ignore_patterns("__pycache__"))
    pip = tmp_path / "stand-in/pip"
    pip.mkdir(parents=True)
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(PIP)
    (tmp_path / "python").write_text(PYTHON.format(python=sys.executable, pip=pip))
    (tmp_path / "python").chmod(0o755)
    return Checkout(tmp_path)


def test_a_second_run_installs_nothing(checkout: Checkout) -> None:
    """Under a daemon that runs, no file of its program is touched; what Python itself has compiled is no change."""
    assert [LOCK, PROJECT] == checkout.setup()
    (checkout.folder / "edge_lfr/__pycache__").mkdir()
    (checkout.folder / "edge_lfr/__pycache__/daemon.pyc").write_bytes(b"compiled")
    before = {path: path.lstat().st_mtime_ns for path in checkout.environment.rglob("*")}
    assert [] == checkout.setup()
    assert before == {path: path.lstat().st_mtime_ns for path in checkout.environment.rglob("*")}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("edge_lfr/clock.py", [PROJECT]),
        ("models/catalogue.toml", [PROJECT]),
        ("requirements-cpu.lock", [LOCK, PROJECT]),
        ("pyproject.toml", [LOCK, PROJECT]),
        ("requirements-gpu.lock", []),
    ],
)
def test_what_has_changed_is_installed(checkout: Checkout, name: str, asked: list[str]) -> None:
    """Another lock file brings its packages, another line of the program the program; once."""
    checkout.setup()
    with (checkout.folder / name).open("a") as file:
        file.write("# changed\n")
    assert asked == checkout.setup()
    assert [] == checkout.setup()


def test_a_new_file_is_installed(checkout: Checkout) -> None:
    """So is one that was removed: both are another program."""
    checkout.setup()
    (checkout.folder / "edge_lfr/new.py").touch()
    assert [PROJECT] == checkout.setup()
    (checkout.folder / "edge_lfr/new.py").unlink()
    assert [PROJECT] == checkout.setup()


def test_an_install_that_failed_is_repeated(checkout: Checkout) -> None:
    """What pip did not finish does not count as done."""
    checkout.setup(pip_status=1)
    assert [LOCK, PROJECT] == checkout.setup()
    (checkout.folder / "edge_lfr/new.py").touch()
    assert [PROJECT] == checkout.setup(pip_status=1)
    assert [PROJECT] == checkout.setup()


def test_one_environment_holds_one_runtime(checkout: Checkout) -> None:
    """For the GPU's it is made anew, since the two builds overwrite each other's files; and then the GPU's stays."""
    checkout.setup("cpu")
    assert [LOCK, PROJECT] == checkout.setup("gpu")
    for kind in ("gpu", "cpu"):
        assert [] == checkout.setup(kind)
        assert ["onnxruntime_gpu-1.0.dist-info"] == checkout.runtimes()


def test_an_environment_of_a_replaced_interpreter_is_made_anew(checkout: Checkout) -> None:
    """A new release of the system brings another Python, which does not see the packages of the one before."""
    checkout.setup()
    (packages,) = checkout.environment.glob("lib/*")
    packages.rename(packages.with_name("python3.9"))
    assert [LOCK, PROJECT] == checkout.setup()
    assert not packages.with_name("python3.9").exists()
