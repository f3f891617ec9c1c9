"""The unit and its companions as files: what systemd itself says about them, without booting anything."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "systemd"
UNIT = "edge-lfr.service"
DEAD_MAN = "edge-lfr-dead-man.service"
TIMER = "edge-lfr-dead-man.timer"
UNITS = (UNIT, DEAD_MAN, TIMER)
TARGETS = tuple(
    f"{name}.target"
    for name in ("basic", "local-fs", "local-fs-pre", "network", "shutdown", "sysinit", "time-set", "timers")
)
MAX_EXPOSURE = {UNIT: 1.5, DEAD_MAN: 0.6}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system with nothing but the unit, what it names, and systemd's own targets."""
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name in TARGETS:
        shutil.copy(Path("/usr/lib/systemd/system") / name, units)
    for name in UNITS:
        shutil.copy(SYSTEMD / name, units)
    program = tmp_path / "opt/edge-lfr/bin/edge-lfr"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    shutil.copytree(SYSTEMD / f"{UNIT}.d", tmp_path / "etc/systemd/system" / f"{UNIT}.d")
    return tmp_path


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that boots systemd, with the user and the unit, and no program yet."""
    with Machine(tmp_path_factory.mktemp("machine") / "root", [ROOT]) as machine:
        machine.done("groupadd", "edge-lfr-technician")
        machine.done("useradd", "--system", "edge-lfr")
        machine.done("mkdir", "-p", "/opt/edge-lfr/bin")
        machine.write(f"/etc/systemd/system/{DEAD_MAN}", (SYSTEMD / DEAD_MAN).read_text(encoding="utf-8"))
        machine.done("systemctl", "daemon-reload")
        yield machine


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "notice"},
        capture_output=True,
        text=True,
        check=False,
    )


def settings(unit: str = UNIT) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / unit).read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say(root: Path, name: str) -> None:
    """A misspelt key or an impossible value is only a warning to systemd, so any word is a failure."""
    done = analyze("verify", f"--root={root}", name)
    assert "" == done.stdout + done.stderr
    assert 0 == done.returncode


def test_systemd_would_say_something(root: Path) -> None:
    """The positive control of the test above: a misspelt key is named."""
    unit = root / "usr/lib/systemd/system" / UNIT
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))
    assert "ProtectHomes" in analyze("verify", f"--root={root}", UNIT).stderr


@pytest.mark.parametrize(("unit", "most"), MAX_EXPOSURE.items())
def test_little_is_exposed(root: Path, unit: str, most: float) -> None:
    """The score that systemd gives, with the example of a site's addresses; lower is better."""
    done = analyze("security", "--offline=true", f"--root={root}", f"--threshold={most * 10:.0f}", unit)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert float(done.stdout.rpartition(f"{unit}: ")[2].split()[0]) <= most


@pytest.mark.parametrize("unit", MAX_EXPOSURE)
def test_what_remains_exposed_is_known(root: Path, unit: str) -> None:
    """Each thing that a unit leaves open has its reason in systemd/README.md, and nothing else is open."""
    done = analyze("security", "--offline=true", f"--root={root}", "--json=short", unit)
    exposed = {check["name"] for check in json.loads(done.stdout) if check["exposure"] is not None}
    page = (SYSTEMD / "README.md").read_text(encoding="utf-8").replace(r"\|", "|")
    assert set() == {name for name in exposed if f"`{name}`" not in page}


@pytest.mark.parametrize("unit", UNITS)
def test_every_setting_is_explained(unit: str) -> None:
    """The page beside the units has a line for each setting; what is not set is not explained."""
    page = (SYSTEMD / "README.md").read_text(encoding="utf-8")
    assert [] == [name for name in settings(unit) if f"`{name}" not in page]


def test_the_dead_man_has_no_key_and_no_network() -> None:
    """To destroy needs neither; it is the daemon's user, in the daemon's folder, before the daemon at boot."""
    found, daemon = settings(DEAD_MAN), settings()
    assert set() == {"LoadCredentialEncrypted", "EnvironmentFile", "IPAddressAllow"} & set(found)
    assert ["yes"] == found["PrivateNetwork"]
    assert [UNIT] == found["Before"]
    assert ["multi-user.target"] == found["WantedBy"]
    for name in ("User", "Group", "UMask", "StateDirectory", "StateDirectoryMode"):
        assert daemon[name] == found[name]


def test_the_dead_man_looks_by_a_clock_that_nobody_can_set() -> None:
    """Not by calendar times, which whoever sets the clock puts off."""
    assert {"OnBootSec": ["30s"], "OnUnitActiveSec": ["5min"]} == {
        name: value for name, value in settings(TIMER).items() if name.startswith("On")
    }


def test_the_dead_man_runs_commands_that_exist() -> None:
    """Wipe before purge: the list is worth more. A failing wipe would skip a second `ExecStart`."""
    found = settings(DEAD_MAN)
    commands = [value.split() for name in ("ExecStart", "ExecStopPost") for value in found[name]]
    assert [["watchlist", "wipe"], ["alerts", "purge"]] == [command[1:3] for command in commands]
    for command in commands:
        program = Path(sys.executable).with_name("edge-lfr")
        options = [word for word in command[3:] if word.startswith("--")]
        shown = subprocess.run([program, *command[1:3], "--help"], capture_output=True, text=True, check=False)
        assert os.EX_OK == shown.returncode, shown.stderr
        assert [] == [option for option in options if option not in shown.stdout]


@pytest.mark.machine
@pytest.mark.parametrize("failing", ["watchlist", "alerts", "neither"])
def test_what_fails_keeps_the_other_from_nothing(machine: Machine, failing: str) -> None:
    """As systemd runs it: both commands, in their order, and a failure of either is one of the unit."""
    program = f'#!/bin/sh\necho "{failing}: $1 $2"\ntest "$1" != {failing}\n'
    machine.write("/opt/edge-lfr/bin/edge-lfr", program)
    machine.done("chmod", "0755", "/opt/edge-lfr/bin/edge-lfr")
    assert (failing == "neither") is (0 == machine.run("systemctl", "start", DEAD_MAN).returncode)
    said = machine.done("journalctl", "--unit", DEAD_MAN, "--no-pager", "--output=cat").splitlines()
    expected = [f"{failing}: watchlist wipe", f"{failing}: alerts purge"]
    assert expected == [line for line in said if line.startswith(f"{failing}: ")]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Type", ["notify"]),
        ("NotifyAccess", ["main"]),
        ("Restart", ["on-failure"]),
        ("RestartPreventExitStatus", ["78"]),
        ("WatchdogSec", ["30s"]),
        ("LimitMEMLOCK", ["infinity"]),
        ("LimitCORE", ["0"]),
        ("MemorySwapMax", ["0"]),
        ("UMask", ["0077"]),
        ("StateDirectoryMode", ["0700"]),
    ],
)
def test_the_unit_keeps_its_promises(name: str, values: list[str]) -> None:
    """What the other pages and the program rely on."""
    assert values == settings()[name]


def test_the_runtime_finds_its_processor() -> None:
    """`ProcSubset=pid` would hide /proc/cpuinfo, and the runtime might then choose slow kernels."""
    assert "ProcSubset" not in settings()


def test_environment_is_complete() -> None:
    """Telemetry off, freed memory overwritten, one thread for the matrix product, no bytecode written."""
    variables = dict(value.split("=", 1) for value in settings()["Environment"])
    assert "glibc.malloc.perturb=255" in variables.pop("GLIBC_TUNABLES").split(":")
    assert {"ORT_DISABLE_TELEMETRY": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"} == variables


@pytest.mark.root
def test_users_and_folders_come_to_be(tmp_path: Path) -> None:
    """sysusers and tmpfiles take the files without a word, and make what they say."""
    for folder, name in (("sysusers.d", "sysusers"), ("tmpfiles.d", "tmpfiles")):
        place = tmp_path / "usr/lib" / folder / "edge-lfr.conf"
        place.parent.mkdir(parents=True)
        shutil.copy(SYSTEMD / f"edge-lfr.{name}", place)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\nvideo:x:44:\n")
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        done = subprocess.run(
            [*command, f"--root={tmp_path}", "edge-lfr.conf"], capture_output=True, text=True, check=True
        )
        assert "rror" not in done.stderr
        assert "ailed" not in done.stderr
    users = (tmp_path / "etc/passwd").read_text()
    assert "edge-lfr:x:" in users
    assert users.rstrip().endswith("/usr/sbin/nologin")
    assert "video:x:44:edge-lfr" in (tmp_path / "etc/group").read_text()
    assert {"etc/edge-lfr": "750", "etc/edge-lfr/trust.d": "755", "var/lib/edge-lfr": "700"} == {
        path: f"{(tmp_path / path).stat().st_mode & 0o777:o}"
        for path in ("etc/edge-lfr", "etc/edge-lfr/trust.d", "var/lib/edge-lfr")
    }
