"""
Two processes that append to one ledger and are killed at a random instant: `python -m simulators.killed_ledger FOLDER`.

For round after round it forks two children that append without end, and tell through a pipe which lines `append` has
returned from; then it kills both. One JSON line for each round says what a verification found, how many lines were
acknowledged, and which of those are missing; in every second round the ledger is opened anew before, which mends it.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from edge_lfr.clock import SystemClock
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import read_line
from simulators.ledgers import ALERT, DAEMON, codes, new_ledger, verified

WRITERS = 2
LONGEST_S = 0.12


def append_without_end(folder: Path, first: int, told: int) -> None:
    """Lines with and without weight, each with a number of its own."""
    ledger = new_ledger(folder, SystemClock())
    number = first
    while True:
        if number % 2:
            ledger.append(LedgerEvent.SIGHTING, DAEMON, {"alert": ALERT, "sequence": number})
        else:
            facts: dict[str, Fact] = {"alert": ALERT, "watchlist_sha256": "ab" * 32, "sequence": number}
            ledger.append(LedgerEvent.ALERT, DAEMON, facts)
        os.write(told, f"{number}\n".encode())
        number += 1


def acknowledged_until_killed(folder: Path, first: int, alive_s: float) -> set[int]:
    """What two children had been told was written, when they died."""
    reading, telling = os.pipe()
    children = []
    for writer in range(WRITERS):
        child = os.fork()
        if child == 0:
            os.close(reading)
            append_without_end(folder, first + writer * 1_000_000, telling)
        children.append(child)
    os.close(telling)
    time.sleep(alive_s)
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as file:
        return {int(line) for line in file.read().split(b"\n")[:-1]}


def main(folder: Path, rounds: int) -> None:
    chance = random.Random(11)  # noqa: S311 - only to vary the instant
    new_ledger(folder, SystemClock())
    acknowledged: set[int] = set()
    for each in range(rounds):
        acknowledged |= acknowledged_until_killed(folder, each * 10_000_000, chance.uniform(0.0, LONGEST_S))
        data = new_ledger(folder, SystemClock()).path.read_bytes() if each % 2 else (folder / FILE_NAME).read_bytes()
        report = verified(data)
        lines = [line for line in map(read_line, data.splitlines()) if line is not None]
        there = [int(line.facts["sequence"]) for line in lines if "sequence" in line.facts]
        result = {
            "is_whole": report.is_whole,
            "codes": codes(report),
            "acknowledged": len(acknowledged),
            "missing": sorted(acknowledged - set(there)),
            "unreported": len(set(there) - acknowledged),
            "doubled": len(there) - len(set(there)),
        }
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
