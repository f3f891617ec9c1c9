"""A process that writes the store is killed: the next one finds the old list, the new one or none, and never half."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simulators.killed_writer import NEW, OLD
from simulators.watchlists import entry, load, new_store

TESTS = Path(__file__).resolve().parents[1]

OLD_IDS = [entry(number).reference_id for number in OLD]
NEW_IDS = [entry(number).reference_id for number in NEW]
REST_IDS = [one for one in OLD_IDS if one != entry(1).reference_id]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TESTS)}


def killed_at_every_step(tmp_path: Path, verb: str) -> list[dict[str, Any]]:
    """Kill *verb* at each of its steps; the last report is of the run that ended by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "simulators.killed_writer", str(tmp_path), verb],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [signal.SIGKILL] * (len(reports) - 1) == [report["status"] for report in reports[:-1]]
    assert 0 == reports[-1]["status"]
    assert len(reports) > 8
    assert [] == [report for report in reports if report["partial"]]
    return reports


@pytest.mark.parametrize(("verb", "ids_after"), [("load", NEW_IDS), ("remove", REST_IDS)])
def test_a_writer_killed_at_any_step_leaves_the_old_list_or_the_new_one(
    tmp_path: Path, verb: str, ids_after: list[str]
) -> None:
    """Up to one step the old list, from then on the new one; one folder is left each time."""
    reports = killed_at_every_step(tmp_path, verb)

    is_new = [report["references"] == ids_after for report in reports]
    assert all(report["references"] in (OLD_IDS, ids_after) for report in reports)
    assert sorted(is_new) == is_new
    assert not is_new[0]
    assert is_new[-1]
    assert {1} == {report["folders"] for report in reports}


@pytest.mark.parametrize(("verb", "ids_after"), [("load", NEW_IDS), ("remove", REST_IDS)])
def test_no_list_is_live_without_its_manifest_and_no_manifest_is_of_a_list_that_never_was(
    tmp_path: Path, verb: str, ids_after: list[str]
) -> None:
    """Killed between manifest and activation, or behind it: the next opening finds exactly those of lists that were."""
    reports = killed_at_every_step(tmp_path, verb)

    assert all(report["is_in_a_manifest"] for report in reports)
    assert [2 if report["references"] == ids_after else 1 for report in reports] == [
        report["manifests"] for report in reports
    ]


@pytest.mark.parametrize("verb", ["wipe", "wipe-beside-load"])
def test_a_wipe_killed_at_any_step_leaves_the_list_or_none(tmp_path: Path, verb: str) -> None:
    """Once the key is overwritten the next process finishes the wipe; nothing comes back."""
    reports = killed_at_every_step(tmp_path, verb)

    is_gone = [report["references"] is None for report in reports]
    assert all(report["references"] in (OLD_IDS, None) for report in reports)
    assert sorted(is_gone) == is_gone
    assert is_gone[-1]
    assert [0 if gone else 1 for gone in is_gone] == [report["folders"] for report in reports]
    assert {1} == {report["manifests"] for report in reports}


def test_loads_killed_at_random_times_never_leave_half_a_list(tmp_path: Path) -> None:
    """A loader that loads one list after another is killed ten times; each time a whole list is found."""
    store = new_store(tmp_path)
    load(store, OLD)
    choice = random.Random(7)  # noqa: S311 - picks moments, not keys
    program = (
        "import sys; from pathlib import Path; from simulators.watchlists import load, new_store\n"
        "store = new_store(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "while True: load(store, range(100, 400))\n"
    )
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], env=environment(), stdout=subprocess.PIPE, text=True
        ) as loader:
            assert loader.stdout is not None
            assert "ready\n" == loader.stdout.readline()
            time.sleep(choice.uniform(0.0, 0.4))  # the moment of a kill is real time
            loader.kill()

        with store.open() as stored:
            vectors, _ = stored.vectors()
            pictures = [stored.picture(reference_id) for reference_id in stored.reference_ids]

            assert stored.references in {len(OLD), 300}
            assert (stored.references * 2, stored.references) == (len(vectors), len(pictures))
            assert [stored.list_id] == [path.name for path in (store.directory / "lists").iterdir()]
