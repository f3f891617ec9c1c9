"""`scripts/install` and `scripts/uninstall` on files alone; tests/system/test_service_boot.py has them on a machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str, *arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts" / name), *arguments],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its mode and when it was written."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def program(path: Path, text: str) -> Path:
    """A shell script at *path* that is run instead of the real thing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The file system of an image that is being built; only what the scripts look at."""
    for folder in ("usr/lib", "etc", "var/lib"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/group").write_text("root:x:0:\nvideo:x:44:\n")
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    return tmp_path


@pytest.mark.root
def test_an_image_gets_everything_but_a_key(image: Path) -> None:
    """Files in their places, the service enabled; a key belongs to one box."""
    done = script("install", "--root", str(image), "--without-environment")
    assert 0 == done.returncode, done.stderr
    wanted = {
        "usr/lib/systemd/system/edge-lfr.service",
        "usr/lib/systemd/system/edge-lfr-dead-man.service",
        "usr/lib/systemd/system/edge-lfr-dead-man.timer",
        "usr/lib/sysusers.d/edge-lfr.conf",
        "usr/lib/tmpfiles.d/edge-lfr.conf",
        "usr/local/bin/edge-lfr",
        "etc/edge-lfr/edge-lfr.toml",
        "etc/systemd/system/edge-lfr.service.d/addresses.conf",
        "etc/systemd/system/multi-user.target.wants/edge-lfr.service",
        "etc/systemd/system/multi-user.target.wants/edge-lfr-dead-man.service",
        "etc/systemd/system/timers.target.wants/edge-lfr-dead-man.timer",
    }
    assert set() == wanted - set(files_below(image))
    assert not (image / "etc/credstore.encrypted/edge-lfr.kek").exists()


@pytest.mark.root
def test_a_second_run_writes_nothing(image: Path) -> None:
    """Also not over what a site has edited."""
    script("install", "--root", str(image), "--without-environment")
    edited = image / "etc/systemd/system/edge-lfr.service.d/addresses.conf"
    edited.write_text("[Service]\nIPAddressAllow=198.51.100.7\n")
    before = files_below(image)
    assert 0 == script("install", "--root", str(image), "--without-environment").returncode
    assert before == files_below(image)


@pytest.mark.root
def test_uninstalling_takes_away_what_installing_put_there(image: Path) -> None:
    """With --purge nothing is left that has the name, but the user in an image's own table."""
    before = files_below(image)
    script("install", "--root", str(image), "--without-environment")
    assert 0 == script("uninstall", "--root", str(image), "--yes").returncode
    assert (image / "etc/edge-lfr/edge-lfr.toml").exists()
    done = script("uninstall", "--root", str(image), "--purge", "--yes")
    assert 0 == done.returncode, done.stderr
    assert set() == {path for path in set(files_below(image)) - set(before) if "edge-lfr" in path}


@pytest.mark.root
@pytest.mark.parametrize(
    ("wipe", "said"),
    [
        pytest.param(None, "no program to destroy it", id="no program"),
        pytest.param("exit 74", "still there; nothing was removed", id="a program that fails"),
    ],
)
def test_a_list_that_cannot_be_destroyed_keeps_everything(image: Path, wipe: str | None, said: str) -> None:
    """A watchlist that stays: it is said, and not a file is removed."""
    script("install", "--root", str(image), "--without-environment")
    (image / "var/lib/edge-lfr/training/watchlist").mkdir(parents=True)
    (image / "var/lib/edge-lfr/training/watchlist/key").write_bytes(b"wrapped")
    if wipe is not None:
        program(image / "opt/edge-lfr/bin/python", wipe)
    before = files_below(image)
    done = script("uninstall", "--root", str(image), "--purge", "--yes")
    assert os.EX_IOERR == done.returncode
    assert said in done.stderr
    assert before == files_below(image)


@pytest.mark.root
@pytest.mark.parametrize(("answer", "status"), [("exit 0", os.EX_OK), ("exit 65", os.EX_IOERR)])
def test_a_service_without_its_models_is_not_enabled(image: Path, answer: str, status: int) -> None:
    """Models that do not install end the run with what to look at; those that do let it go on."""
    program(image / "opt/edge-lfr/bin/python", f'case "$*" in *"models install"*) {answer} ;; esac')
    (image / "var/lib/edge-lfr/models").mkdir(parents=True)
    done = script("install", "--root", str(image), "--without-environment", "--models", str(image))
    assert status == done.returncode, done.stderr
    assert ("the models were not installed" in done.stderr) is (status != os.EX_OK)
    wants = "etc/systemd/system/multi-user.target.wants/edge-lfr.service"
    assert (wants in files_below(image)) is (status == os.EX_OK)


def would(name: str, *arguments: str) -> list[str]:
    """What a dry run says that would be done; its last line says that nothing was."""
    done = script(name, *arguments, "--dry-run")
    assert 0 == done.returncode, done.stderr
    *lines, last = done.stderr.splitlines()
    assert f"{name}: nothing was changed" == last
    assert [] == [line for line in lines if not line.startswith(f"{name}: would ")]
    return [line.removeprefix(f"{name}: would ") for line in lines]


def test_a_dry_run_of_installing_only_says(image: Path) -> None:
    """Each place is named, no file that only the run itself has, and nothing is touched."""
    before = files_below(image)
    lines = would("install", "--root", str(image))
    assert before == files_below(image)
    assert f"write {image}/usr/lib/systemd/system/edge-lfr.service" in lines
    assert f"write {image}/etc/edge-lfr/edge-lfr.toml" in lines
    assert [] == [line for line in lines if "tmp." in line]


@pytest.mark.root
@pytest.mark.parametrize("options", [(), ("--purge",)])
def test_a_dry_run_of_uninstalling_only_says(image: Path, options: tuple[str, ...]) -> None:
    """What is installed would be removed, and all of it is still there."""
    script("install", "--root", str(image), "--without-environment")
    before = files_below(image)
    lines = would("uninstall", "--root", str(image), *options)
    assert before == files_below(image)
    assert any(line.endswith(f"{image}/usr/lib/systemd/system/edge-lfr.service") for line in lines)
    assert bool(options) is any(line.endswith(f"{image}/etc/edge-lfr") for line in lines)


@pytest.mark.root
def test_uninstalling_asks(image: Path) -> None:
    """Where nobody can answer, nothing happens without --yes."""
    script("install", "--root", str(image), "--without-environment")
    before = files_below(image)
    done = script("uninstall", "--root", str(image))
    assert os.EX_USAGE == done.returncode
    assert ["uninstall: nobody can be asked here: repeat it with --yes"] == done.stderr.splitlines()
    assert before == files_below(image)


def refused(done: subprocess.CompletedProcess[str], status: int, said: str) -> None:
    """One plain sentence, and no step before it."""
    assert status == done.returncode, done.stderr
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "systemd-sysusers" not in line


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(("--unknown",), os.EX_USAGE, "unknown argument --unknown", id="no such option"),
        pytest.param(("--root",), os.EX_USAGE, "a folder is missing", id="no root"),
        pytest.param(("--models",), os.EX_USAGE, "a folder is missing", id="no models"),
        pytest.param(("--root", "/proc"), os.EX_USAGE, "/proc: no file system", id="a root without /usr"),
        pytest.param(("--root", "/absent/too"), os.EX_USAGE, "no file system", id="an absent root"),
        pytest.param(("--root", "IMAGE", "--start"), os.EX_USAGE, "do not go together", id="a start in an image"),
        pytest.param(("--root", "/", "--models", "/absent/too"), os.EX_NOINPUT, "nothing", id="absent models"),
    ],
)
def test_a_wrong_call_does_nothing(image: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    """It is refused before the first step."""
    words = [str(image) if word == "IMAGE" else word for word in arguments]
    refused(script("install", *words, "--dry-run"), status, said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--unknown",), "unknown argument"), (("--root",), "missing"), (("--root", "/proc"), "no file system")],
)
def test_a_wrong_call_removes_nothing(arguments: tuple[str, ...], said: str) -> None:
    """A root that is none does not end with the words that everything is gone."""
    refused(script("uninstall", *arguments, "--dry-run"), os.EX_USAGE, said)


@pytest.mark.parametrize("name", ["install", "uninstall"])
def test_only_root_may(tmp_path: Path, name: str) -> None:
    """Anybody else is told so, and what anybody may do."""
    program(tmp_path / "id", "echo 1000")
    done = script(name, variables={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    refused(done, os.EX_NOPERM, "needs root; --dry-run says")


def test_a_machine_without_systemd_is_refused(tmp_path: Path) -> None:
    """There is nothing that could run the service."""
    program(tmp_path / "id", "echo 0")
    for name in ("bash", "dirname"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    refused(script("install", variables={"PATH": str(tmp_path)}), os.EX_UNAVAILABLE, "this machine has no systemd")


def interpreter(path: Path, version: tuple[int, int]) -> str:
    """A Python that says it is of *version*."""
    said = f"import sys; sys.version_info = {(*version, 0)}; exec(sys.argv[1])"
    return str(program(path, f"exec '{sys.executable}' -c '{said}' \"$2\""))


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ((3, 10), "locked for 3.11 to 3.13: install one of these below /usr or /opt"),
        ((3, 11), "can only reach an interpreter below /usr or /opt"),
        ((3, 13), "can only reach an interpreter below /usr or /opt"),
        ((3, 14), "PYTHON=/usr/bin/python3.13 scripts/install"),
    ],
)
def test_an_interpreter_that_will_not_do_is_refused(tmp_path: Path, version: tuple[int, int], said: str) -> None:
    """The wrong release of Python, with a remedy; and the right one, where the service cannot reach it."""
    variables = {"PYTHON": interpreter(tmp_path / "python3", version)}
    refused(script("install", "--dry-run", variables=variables), os.EX_UNAVAILABLE, said)


def test_an_absent_interpreter_is_refused() -> None:
    """By its name."""
    variables = {"PYTHON": "/absent/python3"}
    refused(script("install", "--dry-run", variables=variables), os.EX_UNAVAILABLE, "/absent/python3: not installed")
