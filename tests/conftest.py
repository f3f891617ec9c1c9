"""
What all tests share: the folder of models and pictures beside the checkout, and what is said where it is missing.

The same is said where no machine can boot systemd, and where the tests do not run as root.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pytest
import structlog

from edge_lfr.inference.packs import OpenPack
from simulators.machine import why_not
from simulators.packs import install_0095, open_0095

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-shared", action="store_true", help="fail, instead of leaving tests out, where ../shared is absent"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests out, by name, where something is missing: the shared folder, root's rights, a machine to boot."""
    if not SHARED.is_dir():
        if config.getoption("--require-shared"):
            message = f"--require-shared: {SHARED} does not exist"
            raise pytest.UsageError(message)
        _leave_out(config, items, "shared", f"they need models and pictures in {SHARED}")
    if os.geteuid() != 0:
        _leave_out(config, items, "root", "they do what only root may; repeat them as root")
    if any(item.get_closest_marker("machine") for item in items):
        reason = why_not()
        if reason is not None:
            _leave_out(config, items, "machine", f"they boot systemd in a container, and {reason}")


LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()
WORKER_OUTPUT = "edge_lfr_left_out"


def _leave_out(config: pytest.Config, items: list[pytest.Item], marker: str, reason: str) -> None:
    without = [item for item in items if item.get_closest_marker(marker) is not None]
    items[:] = [item for item in items if item not in without]
    config.stash.setdefault(LEFT_OUT, {})[reason] = [item.nodeid for item in without]
    config.hook.pytest_deselected(items=without)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the process that writes the last lines."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[WORKER_OUTPUT] = session.config.stash.get(LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """All workers leave the same tests out."""
    node.config.stash.setdefault(LEFT_OUT, {}).update(getattr(node, "workeroutput", {}).get(WORKER_OUTPUT, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reason, names in config.stash.get(LEFT_OUT, {}).items():
        if names:
            terminalreporter.section("left out")
            for name in names:
                terminalreporter.line(name)
            terminalreporter.line(f"{len(names)} tests left out: {reason}")


@pytest.fixture(autouse=True)
def _logging_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command configures logging and typer sets a hook, for a process that ends with them; a test's goes on."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Real weights, with their digests in its README."""
    return SHARED / "models"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Consented and freely licensed portraits and clips."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def installed_packs(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs with `yunet-0095` in it, as `models.directory` wants it; not to be changed."""
    return install_0095(shared_models, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def pack(installed_packs: Path) -> OpenPack:
    """The real nets of `yunet-0095`, on the CPU."""
    return open_0095(installed_packs)
