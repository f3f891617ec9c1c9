"""Run the daemon on a looped clip and watch what it holds."""

from pathlib import Path

from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.bench.report import Report, Witness


def measure_memory(shared: Path, witness: Witness, *, is_quick: bool) -> Report:
    """Run the daemon on a looped clip and watch what it holds."""
    raise BenchError(f"not measured yet: {(shared, witness, is_quick)!r}")
