"""Where a measurement stands: what is missing is told before anything is made."""

from pathlib import Path

import pytest

from edge_lfr.evaluation.bench.ground import BenchError, prepared_ground


@pytest.mark.parametrize(("present", "missing"), [((), "models"), (("models",), "data"), (("data",), "models")])
def test_a_missing_folder_is_named(present: tuple[str, ...], missing: str, tmp_path: Path) -> None:
    """The error says which of the two folders is missing, and with which option another one is named."""
    for name in present:
        (tmp_path / name).mkdir()
    with pytest.raises(BenchError, match=f"no folder .*{missing}$") as told, prepared_ground(tmp_path):
        pass
    assert "--shared DIR" in told.value.advice
