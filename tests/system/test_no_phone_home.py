"""What a run asks of the kernel: no connection but to its broker, no file written but in its own folders."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_lfr.evaluation.processes import Children, start_broker
from simulators.issuer import bundle_of
from simulators.watchlists import CSV_HEADER, csv_row

PROGRAM = Path(sys.executable).with_name("edge-lfr")
PICTURES = 15

WATCHED = "%network,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,symlinkat,linkat,truncate"

ADDRESS = re.compile(r"sin6?_port=htons\((\d+)\), (?:sin_addr=inet_addr|inet_pton\(AF_INET6, )\(?\"([0-9a-f.:]+)\"")
UNIX_ADDRESS = re.compile(r"sa_family=AF_UNIX, sun_path=\"?([^\"}]*)")
OPENED = re.compile(r"openat\((?:AT_FDCWD|\d+)<([^>]*)>, \"([^\"]*)\", ([A-Z_|]+)")
CHANGED = re.compile(r"(?:mkdir|rename|unlink|symlink|link|creat|truncate)(?:at2?)?\((.*)")
PLACED = re.compile(r"(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?\"([^\"]*)\"")
CHANGING_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}

NOT_FILES = ("/dev/null", "/dev/tty", "/proc/")
"""Written to without anything being kept."""

LOOKUP_SOCKETS = ("/var/run/nscd/socket", "/run/systemd/userdb", "/run/dbus")
"""Local services that the C library asks for names of users and groups."""


@dataclass(frozen=True)
class Calls:
    """The traced system calls of one run, one line each."""

    lines: tuple[str, ...]

    def remote_addresses(self) -> set[tuple[str, int]]:
        """Where the run connected or sent to, without the pairs of sockets that it made with itself."""
        own_ports = {
            int(port) for line in self.lines if re.search(r"\bgetsockname\b", line) for port, _ in ADDRESS.findall(line)
        }
        reached = {
            (host, int(port))
            for line in self.lines
            if re.search(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(", line)
            for port, host in ADDRESS.findall(line)
        }
        return {(host, port) for host, port in reached if not (host == "127.0.0.1" and port in own_ports)}

    def unix_sockets(self) -> set[str]:
        return {
            path
            for line in self.lines
            if re.search(r"\b(?:connect|bind|sendto|sendmsg)\(", line)
            for path in UNIX_ADDRESS.findall(line)
        }

    def written(self) -> set[str]:
        """Every path that was opened for writing, made, moved or removed."""
        return set(self._written())

    def _written(self) -> Iterator[str]:
        for line in self.lines:
            for folder, name, flags in OPENED.findall(line):
                if CHANGING_FLAGS & set(flags.split("|")):
                    yield str(Path(folder, name))
            changed = CHANGED.search(line)
            if changed is not None and "openat" not in line:
                yield from (str(Path(folder or "/", name)) for folder, name in PLACED.findall(changed[1]))


def appliance(folder: Path, models: Path, port: int) -> Path:
    """A configuration with everything inside *folder* and a folder of pictures for a camera."""
    config = folder / "appliance.toml"
    config.write_text(
        f"""\
mode = "training"
force = "test"
device = "van"
state_directory = "state"
runtime_directory = "run"

[models]
pack = "yunet-0095"
directory = "{models}"

[[cameras]]
id = "street"
source = "pictures/"

[reporting.broker]
host = "127.0.0.1"
port = {port}

[trust]
directory = "trust.d"
""",
        encoding="utf-8",
    )
    return config


@pytest.mark.shared
def test_a_run_talks_to_its_broker_alone_and_writes_in_its_own_folders(
    tmp_path: Path, shared_models: Path, shared_data: Path
) -> None:
    """From start to end, with an alert on the way: no look-up, no telemetry, no cache, no log file."""
    own, installed = tmp_path / "own", tmp_path / "installed"
    (own / "pictures").mkdir(parents=True)
    person = min((shared_data / "london" / "smiling").glob("*.jpg"))
    for number in range(PICTURES):
        shutil.copy(person, own / "pictures" / f"{number:03d}.jpg")
    watchlist = tmp_path / "watchlist"
    watchlist.mkdir()
    shutil.copy(shared_data / "london" / "neutral" / person.name, watchlist / "1.jpg")
    (watchlist / "watchlist.csv").write_text(f"{CSV_HEADER}\n{csv_row('r-1', '1.jpg')}\n", encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    with Children(tmp_path, environment) as children:
        port = start_broker(children, tmp_path)
        config = str(appliance(own, installed, port))
        children.run("install", [str(PROGRAM), "models", "install", str(shared_models), "--config", config])
        bundle = str(bundle_of(watchlist, own, device="test/van"))
        children.run("load", [str(PROGRAM), "watchlist", "load", bundle, "--config", config])
        trace = tmp_path / "trace"
        traced = [
            "strace",
            "--follow-forks",
            "--seccomp-bpf",
            "-y",
            "-s",
            "4096",
            "-e",
            f"trace={WATCHED}",
            "-o",
            str(trace),
        ]
        output = children.run("run", [*traced, str(PROGRAM), "run", "--once", "--config", config])
    calls = Calls(tuple(trace.read_text(encoding="utf-8", errors="replace").splitlines()))
    assert 1 == json.loads(output.strip().rpartition("\n")[2])["alerts"]
    assert {("127.0.0.1", port)} == calls.remote_addresses()
    assert set() == {path for path in calls.unix_sockets() if not path.startswith((str(own), *LOOKUP_SOCKETS))}
    assert set() == {path for path in calls.written() if not path.startswith((f"{own}/", *NOT_FILES))}
    assert not (tmp_path / "home").exists()


def test_the_search_finds_what_it_is_for() -> None:
    """Positive control: a look-up, a foreign socket and a cache file show up, the run's own socket pair does not."""
    own_port = '{sa_family=AF_INET, sin_port=htons(40001), sin_addr=inet_addr("127.0.0.1")}'
    name_server = '{sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}'
    calls = Calls(
        (
            f"7 getsockname(5<TCP:[1]>, {own_port}, [16]) = 0",
            f"7 connect(6<TCP:[2]>, {own_port}, 16) = 0",
            f"8 connect(7<UDP:[3]>, {name_server}, 16 <unfinished ...>",
            '8 connect(8<UNIX:[4]>, {sa_family=AF_UNIX, sun_path="/run/other"}, 110) = 0',
            '8 openat(AT_FDCWD</home/a>, ".cache/id", O_WRONLY|O_CREAT|O_CLOEXEC, 0644) = 9</home/a/.cache/id>',
            '8 openat(AT_FDCWD</home/a>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 9</etc/hosts>',
            '8 mkdir("/home/a/.cache", 0777) = 0',
        )
    )
    assert {("192.0.2.1", 53)} == calls.remote_addresses()
    assert {"/run/other"} == calls.unix_sockets()
    assert {"/home/a/.cache/id", "/home/a/.cache"} == calls.written()


def test_strace_is_there() -> None:
    """Without it nothing above would have been looked at."""
    assert 0 == subprocess.run(["strace", "--version"], capture_output=True, check=False).returncode
