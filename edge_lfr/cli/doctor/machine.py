"""What the doctor looks at on the machine: where memory may leak to, whether time is right, whether there is room."""

import ctypes
import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from edge_lfr.cli.doctor.check import Check, fail, ok, warn
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.pipeline.reporting.row_room import KEPT_PER_WAITING

OLDEST_PYTHON: Final = (3, 11)
FIRST_UNTRIED_PYTHON: Final = (3, 14)

FIRST_TELEMETRY: Final = (1, 29)
"""ONNX Runtime sends telemetry by default from this release on."""

ALERT_BYTES: Final = 128 * 1024
"""The largest message, and so about the largest row of the outbox."""

LEAST_FREE_BYTES: Final = 500 << 20
"""A watchlist of 60,000 templates with pictures, twice (the old one lives until the new one is whole). Chosen."""

TIMEX_BYTES: Final = 256
"""More than `struct timex` of adjtimex(2) has on any machine."""

TIME_ERROR: Final = 5
"""adjtimex(2): the clock is not synchronised."""

UNBOUNDED: Final = resource.RLIM_INFINITY


def check_machine(config: ApplianceConfig) -> Iterator[Check]:
    """Everything that needs no model, no store and no network."""
    yield _python()
    yield _runtime()
    yield _swap()
    yield _core_dumps()
    yield _locked_memory()
    yield _clock()
    yield _disk(config)


def _python() -> Check:
    found = platform.python_version()
    if OLDEST_PYTHON <= sys.version_info[:2] < FIRST_UNTRIED_PYTHON:
        return ok("python", found)
    return fail("python", found, "use Python 3.11, 3.12 or 3.13")


def _runtime() -> Check:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        if tuple(int(part) for part in found.split(".")[:2]) >= FIRST_TELEMETRY:
            return fail("runtime", f"{name} {found} phones home", "install the release of the lock file")
        if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
            return warn("runtime", f"{name} {found}, telemetry not switched off", "set ORT_DISABLE_TELEMETRY=1")
        return ok("runtime", f"{name} {found}, telemetry off")
    return fail("runtime", "no ONNX Runtime", "install requirements-cpu.lock or requirements-gpu.lock")


def _swap() -> Check:
    areas = Path("/proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
    if not areas:
        return ok("swap", "none")
    names = ", ".join(area.split()[0] for area in areas)
    return warn("swap", f"in use: {names}; faces may be written to it", "swapoff -a, and remove it from /etc/fstab")


def _core_dumps() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    if soft == 0:
        return ok("core dumps", "off for this shell")
    remedy = "`ulimit -c 0`; the daemon does it for itself"
    return warn("core dumps", "on for this shell; a crash writes memory to disk", remedy)


def _locked_memory() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == UNBOUNDED:
        return ok("locked memory", "no limit")
    remedy = "`ulimit -l unlimited`, or LimitMEMLOCK=infinity in a systemd unit"
    return warn("locked memory", f"limit {soft // 1024} KiB; an operational start would be refused", remedy)


def _clock() -> Check:
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    if state == -1:
        return warn("clock", f"cannot be asked: {os.strerror(ctypes.get_errno())}", "look at `timedatectl`")
    if state == TIME_ERROR:
        return warn("clock", "not synchronised", "connect a time source, or set the time: `timedatectl`")
    return ok("clock", "synchronised")


def _disk(config: ApplianceConfig) -> Check:
    folder = config.state_directory
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free under {folder}"
    if free < LEAST_FREE_BYTES:
        return fail("disk", found, "free disk space: alerts could not be kept until they are delivered")
    if free < config.reporting.max_stored * (1 + KEPT_PER_WAITING) * ALERT_BYTES:
        return warn("disk", f"{found}, less than a full outbox takes", "free disk space, or lower reporting.max_stored")
    return ok("disk", found)
