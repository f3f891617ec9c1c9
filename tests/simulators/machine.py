"""
A whole machine that boots systemd: a container over this very system, of which it changes nothing.

Its root is an overlay of ours with a file system in memory on top, so nothing is downloaded and it boots within
seconds; its network is a loopback of its own. Where it cannot run, `why_not` says so in words.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
BOOT_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 20.0

PLACE: Final = "/opt/edge-lfr"
SYSTEM_PYTHON: Final = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
INTERPRETER: Final = "/usr/lib/interpreter"
PROGRAMS: Final = ("systemd-nspawn", "unshare", "nsenter")
HAS_MANAGER: Final = Path("/run/systemd/system").is_dir()
"""Where systemd runs this system, it makes a place for the container; else the container takes ours."""

TARGET: Final = """
[Unit]
Requires=sysinit.target dbus.socket systemd-journald.service
After=sysinit.target dbus.socket systemd-journald.service
AllowIsolate=yes
"""

# What the shell below gets: an empty folder, the target's text, the environment; then the command.
LAYERS: Final = """
mount -t tmpfs -o mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root" "$1/env-upper" "$1/env-work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
printf '%s' "$2" >"$1/root/etc/systemd/system/booted.target"
rm -f "$1/root/etc/machine-id" && touch "$1/root/etc/machine-id"
mkdir -p "$1/root/opt/edge-lfr"
mount -t overlay overlay -o "lowerdir=$3,upperdir=$1/env-upper,workdir=$1/env-work" "$1/root/opt/edge-lfr"
"""
OWN_RUN: Final = "mount -t tmpfs tmpfs /run\n"  # a /run on the disk is refused


class Machine:
    """Boots on entering, is gone on leaving with everything that was done in it."""

    def __init__(self, folder: Path, binds: Sequence[Path] = ()) -> None:
        """
        Args:
            folder: Empty; where its layers are mounted, for its own processes alone.

            binds: Folders that it sees, at the same place, and cannot change.
        """
        self._folder = folder
        self._binds = binds
        self._log = folder.with_suffix(".log")
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0

    def run(
        self, *command: str, user: str | None = None, timeout_s: float = 120.0, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command in it, to its end, by root or another user."""
        as_user = () if user is None else ("runuser", "--user", user, "--")
        return subprocess.run(
            ["nsenter", "--target", str(self._init), "--all", *as_user, *command],
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            input=given if given is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def done(self, *command: str, given: str | None = None, timeout_s: float = 120.0) -> str:
        """What a command that must succeed wrote."""
        finished = self.run(*command, given=given, timeout_s=timeout_s)
        assert 0 == finished.returncode, f"{command}: {finished.stdout}{finished.stderr}"
        return finished.stdout

    def write(self, path: str, text: str) -> None:
        """A file in it; its folder is made."""
        self.done("mkdir", "-p", os.path.dirname(path))  # noqa: PTH120 - a path of the machine's, not of ours
        self.done("tee", path, given=text)

    def log(self) -> str:
        """What it said while it booted."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        self._folder.mkdir()
        nspawn = [
            *("systemd-nspawn", "--quiet", "--register=no", "--link-journal=no", "--private-network", "--boot"),
            *(() if HAS_MANAGER else ("--keep-unit",)),
            *("--capability=CAP_IPC_LOCK", f"--directory={self._folder / 'root'}"),
            *("--system-call-filter=@memlock landlock_create_ruleset landlock_add_rule landlock_restrict_self",),
            *(f"--bind-ro={path}" for path in self._binds),
            *(() if SYSTEM_PYTHON.exists() else (f"--bind-ro={sys.base_prefix}:{INTERPRETER}",)),
            *("--", "systemd.unit=booted.target", "systemd.show_status=false"),
        ]
        script = f'set -eu\n{LAYERS}{"" if HAS_MANAGER else OWN_RUN}shift 3\nexec "$@"'
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh"),
                    *(str(self._folder), TARGET, sys.prefix),
                    *nspawn,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + BOOT_LIMIT_S
        while not self._has_booted():
            if self._nspawn.poll() is not None or time.monotonic() > deadline:
                self._end()
                message = f"the machine does not boot: {self.log().strip().splitlines()[-1:]}"
                raise NotBootedError(message)
            time.sleep(0.05)
        # The container's own, which lies over the kernel's: a unit with its own /proc/sys would see another one.
        self.run("umount", "/proc/sys/kernel/random/boot_id")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _has_booted(self) -> bool:
        assert self._nspawn is not None
        if not self._init:
            # nspawn's only child is the first process inside; before, the shell's are short-lived.
            children = [pid for pid in children_of(self._nspawn.pid) if name_of(pid) == "systemd"]
            self._init = children[0] if children else 0
        return bool(self._init) and self.run("systemctl", "is-active", "--quiet", "booted.target").returncode == 0

    def _end(self) -> None:
        assert self._nspawn is not None
        if self._init:
            with suppress(ProcessLookupError):
                os.kill(self._init, signal.SIGKILL)
        elif self._nspawn.poll() is None:
            self._nspawn.kill()
        self._nspawn.wait(timeout=STOP_LIMIT_S)
        self._init = 0
        if not HAS_MANAGER:
            remove_own_groups()


class NotBootedError(Exception):
    """This system cannot run it."""


def why_not() -> str | None:
    """Why no machine boots here; None where one does. Boots one, in about a second."""
    if os.geteuid() != 0:
        return "only root can boot systemd in a container"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if "\toverlay\n" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "the kernel has no overlay file system"
    with (
        tempfile.TemporaryDirectory(prefix="edge-lfr-machine-") as folder,
        (Path(tempfile.gettempdir()) / "edge-lfr-machine.lock").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers of one test run ask at the same time
        try:
            with Machine(Path(folder) / "machine"):
                return None
        except NotBootedError as error:
            return str(error)


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def remove_own_groups() -> None:
    """Take away the empty control groups that a container leaves in ours; they would refuse the next one."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, group = line.split(":", 2)
        name = controllers.removeprefix("name=") or "unified"
        for mount in (Path("/sys/fs/cgroup") / name, Path("/sys/fs/cgroup")):
            for leaf in ("payload", "supervisor"):
                top = mount / group.lstrip("/") / leaf
                for folder in sorted(top.rglob("*/"), reverse=True) if top.is_dir() else ():
                    with suppress(OSError):
                        folder.rmdir()
                with suppress(OSError):
                    top.rmdir()


def put_environment(machine: Machine) -> None:
    """
    Make of the environment that runs the tests, which lies in the machine's /opt, one as `scripts/install` makes it.

    The same packages, with the present code as an ordinary one; and the system's interpreter of the same version, since
    one in somebody's home is out of a service's reach. Where there is none, that one is seen at another place.
    """
    prefix = "/usr" if SYSTEM_PYTHON.exists() else INTERPRETER
    packages = f"{PLACE}/lib/{SYSTEM_PYTHON.name}/site-packages"
    machine.done("rm", "-f", f"{packages}/_editable_impl_edge_lfr.pth")
    machine.done("cp", "-rT", str(ROOT / "edge_lfr"), f"{packages}/edge_lfr")
    machine.done("cp", str(ROOT / "models" / "catalogue.toml"), f"{packages}/edge_lfr/inference/catalogue.toml")
    machine.done("sed", "-i", f"s|{sys.prefix}|{PLACE}|g", f"{PLACE}/bin/edge-lfr")
    machine.done("ln", "-sf", f"{prefix}/bin/{SYSTEM_PYTHON.name}", f"{PLACE}/bin/python3")
    machine.done("sed", "-i", f"s|^home = .*|home = {prefix}/bin|", f"{PLACE}/pyvenv.cfg")
