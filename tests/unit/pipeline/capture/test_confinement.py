"""What is left to a decoder once it has confined itself; seen from inside a process of its own."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import errno, json, os, resource, signal, socket, subprocess, sys
from edge_lfr.pipeline.capture.confinement import Allowance, confine, die_with
allowed, forbidden, open_port, closed_port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
die_with(os.getppid())
version = confine(Allowance(readable=(allowed, "/no/such/file"), port=open_port))

def attempt(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def connect(port):
    with socket.socket() as line:
        line.connect(("127.0.0.1", port))

print(json.dumps({
    "version": version,
    "read allowed": attempt(lambda: open(allowed).close()),
    "read forbidden": attempt(lambda: open(forbidden).close()),
    "write allowed": attempt(lambda: open(allowed, "a").close()),
    "create": attempt(lambda: open(allowed + ".new", "w").close()),
    "list": attempt(lambda: os.listdir("/")),
    "execute": attempt(lambda: os.execv("/bin/true", ["true"]) if version else open("/no/such")),
    "connect allowed": attempt(lambda: connect(open_port)),
    "connect forbidden": attempt(lambda: connect(closed_port)),
    "signal parent": attempt(lambda: os.kill(os.getppid(), 0)),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "file size": resource.getrlimit(resource.RLIMIT_FSIZE),
    "no new privileges": int(open("/proc/self/status").read().split("NoNewPrivs:")[1].split()[0]) if not version else 1,
}))
"""


def listener() -> socket.socket:
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen()
    return opened


def test_a_confined_process_reaches_its_source_and_nothing_else(tmp_path: Path) -> None:
    """Its own file and its own port; as much of it as the kernel's Landlock can enforce."""
    allowed, forbidden = tmp_path / "clip.mp4", tmp_path / "key"
    allowed.write_text("clip")
    forbidden.write_text("key")
    with listener() as source, listener() as other:
        arguments = [str(allowed), str(forbidden), str(source.getsockname()[1]), str(other.getsockname()[1])]
        run = subprocess.run(
            [sys.executable, "-I", "-c", PROGRAM, *arguments], check=True, capture_output=True, text=True, timeout=60
        )
    found = json.loads(run.stdout)
    version = found["version"]
    assert [0, 0] == found["core"]
    assert [0, 0] == found["file size"]
    assert ("done", "done") == (found["read allowed"], found["connect allowed"])
    refused = [found[name] for name in ("read forbidden", "write allowed", "create", "list", "execute")]
    assert version == 0 or refused == ["EACCES"] * 5
    assert version < 4 or found["connect forbidden"] == "EACCES"
    assert version < 6 or found["signal parent"] == "EPERM"


def test_a_decoder_dies_with_its_parent() -> None:
    """A daemon that is killed leaves no decoder behind."""
    child = (
        "import os, time; from edge_lfr.pipeline.capture.confinement import die_with; "
        "die_with(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-I", "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        waiting = os.pidfd_open(pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        ended = select.select([waiting], [], [], 10)[0]
        os.close(waiting)
    assert [waiting] == ended


def test_a_decoder_whose_parent_has_gone_does_not_begin() -> None:
    """The parent may die before its death can be watched."""
    program = "from edge_lfr.pipeline.capture.confinement import die_with; die_with(1 << 22)"
    run = subprocess.run([sys.executable, "-I", "-c", program], check=False, timeout=60)
    assert os.EX_UNAVAILABLE == run.returncode


def test_a_decoder_starts_light() -> None:
    """A decoder loads neither the configuration's library nor the logger nor anything of the daemon."""
    program = "import sys, edge_lfr.pipeline.capture.decoder; print(*sorted(sys.modules), sep='\\n')"
    run = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True, timeout=60)
    modules = set(run.stdout.split())
    heavy = {"pydantic", "structlog", "onnxruntime", "paho", "cryptography", "typer", "hnswlib", "onnx"}
    assert set() == {name for name in modules if name.partition(".")[0] in heavy}
    ours = {name for name in modules if name.startswith("edge_lfr.") and name.count(".") > 1}
    assert {"capture", "biometrics"} == {"capture" if "capture" in name else name.split(".")[1] for name in ours}
