"""`scripts/install` and `scripts/uninstall` on files alone; tests/system/test_service_boot.py has them on a machine."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts" / name), *arguments],
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
        "usr/lib/sysusers.d/edge-lfr.conf",
        "usr/lib/tmpfiles.d/edge-lfr.conf",
        "usr/local/bin/edge-lfr",
        "etc/edge-lfr/edge-lfr.toml",
        "etc/systemd/system/edge-lfr.service.d/addresses.conf",
        "etc/systemd/system/multi-user.target.wants/edge-lfr.service",
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
def test_a_list_that_cannot_be_destroyed_keeps_everything(image: Path) -> None:
    """No program, and a watchlist: it is said, and not a file is removed."""
    script("install", "--root", str(image), "--without-environment")
    (image / "var/lib/edge-lfr/training/watchlist").mkdir(parents=True)
    (image / "var/lib/edge-lfr/training/watchlist/key").write_bytes(b"wrapped")
    before = files_below(image)
    done = script("uninstall", "--root", str(image), "--purge", "--yes")
    assert os.EX_IOERR == done.returncode
    assert "a watchlist" in done.stderr
    assert before == files_below(image)


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


def test_uninstalling_asks(image: Path) -> None:
    """Where nobody can answer, nothing happens without --yes."""
    done = script("uninstall", "--root", str(image))
    assert os.EX_USAGE == done.returncode or os.geteuid() != 0
    assert "--yes" in done.stderr or os.geteuid() != 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--unknown",),
        ("--root",),
        ("--models",),
        ("--root", "/", "--models", "/absent"),
        ("--root", "/proc", "--start"),
    ],
)
def test_a_wrong_call_does_nothing(arguments: tuple[str, ...]) -> None:
    """It is refused before the first step."""
    done = script("install", *arguments, "--dry-run")
    assert 0 != done.returncode
    assert "systemd-sysusers" not in done.stderr
