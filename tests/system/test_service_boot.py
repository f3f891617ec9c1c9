"""
The service on a machine that boots systemd: installed, started, watched, stopped, taken away again.

One machine for the whole file, as a box lives: each test takes it as the one before has left it.
"""

import grp
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.pipeline.reporting.messages import AlertMessage
from simulators.appliance import eventually
from simulators.installed import CONFIG, UNIT, Box
from simulators.machine import ROOT, Machine, put_environment
from simulators.van import Van

pytestmark = [pytest.mark.machine, pytest.mark.shared]

ALERT = AlertMessage.model_fields["schema_version"].default
"""What the control room's lines call an alert."""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, shared_models: Path, shared_data: Path) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    made = folder / "made"
    made.mkdir()
    van = Van(made, shared_models, shared_data / "london", 1)
    people = sorted(path.name for path in (shared_data / "london" / "neutral").iterdir())[:3]
    van.show(people[:2], seconds=2.0)
    van.watchlist(people[1:])
    with Machine(folder / "machine", [ROOT, shared_models, made]) as machine:
        put_environment(machine)
        machine.done("cp", "-r", f"{made}/street", f"{made}/list", "/srv/")
        yield Box(machine, shared_models)


def test_installing_says_what_it_does(box: Box) -> None:
    """A first run makes user, folders, key and unit; the service is enabled and not started."""
    said = box.install()
    assert "systemd-sysusers" in said
    assert "made the key" in said
    assert "enabled" == box.machine.done("systemctl", "is-enabled", UNIT).strip()
    assert "inactive" == box.show("ActiveState")
    assert "active" == box.machine.done("systemctl", "is-active", "edge-lfr-dead-man.timer").strip()
    assert "edge-lfr-technician" in box.machine.done("id", "--name", "--groups", "edge-lfr")


def test_a_configuration_that_must_not_run_is_not_tried_again(box: Box) -> None:
    """Exit status 78 ends it: the service has failed, once, and says why."""
    box.machine.write("/etc/edge-lfr/edge-lfr.toml", CONFIG.replace('"training"', '"nowhere"'))
    box.shorten(RestartSec="100ms")
    assert 0 != box.machine.run("systemctl", "start", UNIT).returncode
    assert os.EX_CONFIG == int(box.show("ExecMainStatus"))
    assert "failed" == box.show("ActiveState")
    assert "0" == box.show("NRestarts")
    assert "mode: found 'nowhere'; allowed: training, operational" in box.journal()


def test_it_starts(box: Box) -> None:
    """Without a watchlist it is up and disarmed; `systemctl start` returns when everything has been proved."""
    box.open_control_van()
    box.configure()
    box.install("--models", str(box.models), "--start")
    assert "active" == box.show("ActiveState")
    assert box.show("StatusText").startswith("disarmed")
    assert box.machine.done("edge-lfr", "status").startswith("disarmed")


def test_installing_again_changes_nothing(box: Box) -> None:
    """Whatever a site has edited stays, and so does the key; the daemon goes on."""
    look = ("sh", "-c", "sha256sum $(find /etc/edge-lfr /etc/credstore.encrypted /etc/systemd/system -type f)")
    before, pid = box.machine.done(*look), box.show("MainPID")
    said = box.install()
    assert before == box.machine.done(*look)
    assert pid == box.show("MainPID")
    assert "install -D" not in said
    assert "made the key" not in said


def test_the_daemon_has_no_rights(box: Box) -> None:
    """No capability, no way to new ones, a filter of system calls; and its own user."""
    lines = box.machine.done("cat", f"/proc/{box.show('MainPID')}/status").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    assert {0} == {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")}
    assert "1" == status["NoNewPrivs"].strip()
    assert "2" == status["Seccomp"].strip()
    assert box.machine.done("id", "--user", "edge-lfr").strip() == status["Uid"].split()[0]


def test_the_sandbox_is_real(box: Box) -> None:
    """In the daemon's own view of the files, even root writes only where the unit says, and executes nothing there."""
    inside = ("nsenter", "--target", box.show("MainPID"), "--mount", "--")
    for folder in ("/etc/edge-lfr", "/opt/edge-lfr/bin", "/usr/lib", "/srv", "/var/log", "/boot"):
        assert "Read-only file system" in box.machine.run(*inside, "touch", f"{folder}/mark").stderr
    assert "" == box.machine.done(*inside, "find", "/root", "/home", "-mindepth", "1")
    for folder in ("/var/lib/edge-lfr", "/run/edge-lfr", "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - the unit's own
        box.machine.done(*inside, "cp", "/usr/bin/true", f"{folder}/mark")
        assert "Permission denied" in box.machine.run(*inside, f"{folder}/mark").stderr
        box.machine.done(*inside, "rm", f"{folder}/mark")


def test_technicians_may_ask_and_others_may_not(box: Box) -> None:
    """The group of the socket decides."""
    box.machine.done("useradd", "--groups", "edge-lfr-technician", "technician")
    box.machine.done("useradd", "visitor")
    assert 0 == box.machine.run("edge-lfr", "status", user="technician").returncode
    assert 0 != box.machine.run("edge-lfr", "status", user="visitor").returncode


def test_the_doctor_sees_what_the_daemon_sees(box: Box) -> None:
    """As root it runs as the daemon's user, with the daemon's key and the daemon's certificate."""
    shown = json.loads(box.machine.run("edge-lfr", "doctor", "--json").stdout)
    checks = {check["name"]: check for check in shown["checks"]}
    assert checks["key"]["found"].startswith("from a systemd credential")
    assert "control.van:8883 answers, TLSv1.3" == checks["broker"]["found"]
    assert [] == [check for check in shown["checks"] if check["verdict"] == "fail"]


def test_an_alert_reaches_the_control_room(box: Box) -> None:
    """A list is sealed by the daemon's user, its person walks by, and the control room acknowledges. Once."""
    box.listen()
    assert eventually(lambda: bool(box.seen()))
    box.load("/srv/list")
    assert eventually(lambda: any(seen.get("event") == "acknowledged" for seen in box.seen()), 60.0), box.journal()
    assert 1 == sum(seen["schema"] == ALERT for seen in box.seen())
    assert box.machine.done("edge-lfr", "alerts", "test").startswith("alert_id")


def test_one_that_stands_still_is_killed_and_started_again(box: Box) -> None:
    """The watchdog ends a stopped process within its time, and the next one is armed from the sealed store."""
    box.shorten(WatchdogSec="5s", RestartSec="100ms")
    box.machine.done("systemctl", "restart", UNIT)
    pid = box.show("MainPID")
    assert "0" == box.show("NRestarts")
    box.machine.done("kill", "-STOP", pid)
    assert box.comes_to("NRestarts", "1", 60.0)
    assert box.comes_to("ActiveState", "active", 60.0)
    assert pid != box.show("MainPID")
    assert "Watchdog timeout" in box.journal()
    assert not box.show("StatusText").startswith("disarmed")


def test_a_killed_one_is_started_again(box: Box) -> None:
    """Whatever kills it, nobody needs to come by; its decoders do not outlive it."""
    pid, restarts = box.show("MainPID"), int(box.show("NRestarts"))
    box.machine.done("kill", "-KILL", pid)
    assert box.comes_to("NRestarts", str(restarts + 1))
    assert box.comes_to("ActiveState", "active", 60.0)
    assert 1 == sum(" run " in command for command in box.children())


def test_it_stops(box: Box) -> None:
    """A stop is in order: no failure, no child, no socket; the sealed list stays for the next start."""
    box.machine.done("systemctl", "stop", UNIT)
    assert "inactive" == box.show("ActiveState")
    assert "success" == box.show("Result")
    assert [] == box.children()
    assert "" == box.machine.run("ls", "/run/edge-lfr").stdout
    assert 0 == box.machine.run("sh", "-c", "ls /var/lib/edge-lfr/training/watchlist/*").returncode


def test_the_dead_man_destroys_what_is_due(box: Box) -> None:
    """As its unit, without its key, the daemon down: a list that nobody can say the end of; the other one stays."""
    folder = "/var/lib/edge-lfr/operational/watchlist/lists/0123456789abcdef"
    box.machine.done("sh", "-euc", f"mkdir -p {folder}; echo wrapped >{folder}/key.wrapped")
    box.machine.done("chown", "-R", "edge-lfr:", "/var/lib/edge-lfr/operational")
    done = box.machine.run("systemctl", "start", "edge-lfr-dead-man.service")
    said = box.machine.done("journalctl", "--unit", "edge-lfr-dead-man.service", "--no-pager", "--output=cat")
    assert 0 == done.returncode, said
    assert "destroyed, since the end has come (operational): 1 lists" in said
    assert 0 != box.machine.run("test", "-e", folder).returncode
    assert 0 == box.machine.run("sh", "-c", "ls /var/lib/edge-lfr/training/watchlist/lists/*/key.wrapped").returncode


def test_uninstalling_destroys_the_list_and_keeps_the_rest(box: Box) -> None:
    """Programs and unit go; configuration and what was not delivered stay until somebody says otherwise."""
    done = box.machine.run(str(ROOT / "scripts" / "uninstall"), "--yes")
    assert 0 == done.returncode, done.stderr
    assert ": 1 lists, 1 keys" in done.stderr
    assert done.stderr.index("watchlist wipe") < done.stderr.index("systemctl stop")
    assert "not-found" == box.show("LoadState")
    gone = ("/opt/edge-lfr/bin", "/usr/local/bin/edge-lfr", "/usr/lib/sysusers.d/edge-lfr.conf")
    assert [] == [path for path in gone if 0 == box.machine.run("test", "-e", path).returncode]
    assert 0 == box.machine.run("test", "-e", "/etc/edge-lfr/edge-lfr.toml").returncode


def test_a_purge_leaves_nothing(box: Box) -> None:
    """Not a file with its name, nor its user, nor its group."""
    done = box.machine.run(str(ROOT / "scripts" / "uninstall"), "--purge", "--yes")
    assert 0 == done.returncode, done.stderr
    found = box.machine.run("find", "/etc", "/usr/lib", "/usr/local", "/var/lib", "/run/systemd", "-name", "*edge-lfr*")
    others = ("/run/systemd/", "/etc/mosquitto/")  # what a test or the control van has put there
    assert [] == [line for line in found.stdout.splitlines() if not line.startswith(others)]
    assert 0 != box.machine.run("id", "edge-lfr").returncode
    assert "edge-lfr-technician" not in {group.gr_name for group in grp.getgrall()}
    assert "" == box.machine.run("getent", "group", "edge-lfr-technician").stdout
