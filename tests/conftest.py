"""What all tests share: the folder of models and pictures beside the checkout, and what is said where it is missing."""

import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-shared", action="store_true", help="fail, instead of leaving tests out, where ../shared is absent"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests that need the shared folder out, by name, where there is none."""
    if SHARED.is_dir():
        return
    if config.getoption("--require-shared"):
        message = f"--require-shared: {SHARED} does not exist"
        raise pytest.UsageError(message)
    without = [item for item in items if item.get_closest_marker("shared") is not None]
    items[:] = [item for item in items if item not in without]
    config.stash[LEFT_OUT] = [item.nodeid for item in without]
    config.hook.pytest_deselected(items=without)


LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(LEFT_OUT, [])
    if not left_out:
        return
    terminalreporter.section("left out")
    for name in left_out:
        terminalreporter.line(name)
    terminalreporter.line(f"{len(left_out)} tests left out: they need models and pictures in {SHARED}")


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Real weights, with their digests in its README."""
    return SHARED / "models"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Consented and freely licensed portraits and clips."""
    return SHARED / "data"
