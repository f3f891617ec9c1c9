"""A force's own retention document: the built-in one with other words and periods."""

from pathlib import Path

from edge_lfr.config.retention import BUILT_IN, RetentionProfile, load_profile

NAME = "alerts-24h"

DAY = load_profile(NAME)
"""What a configuration has that says nothing of retention."""


def document(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the built-in document to *folder*, with each first text replaced wherever it stands."""
    text = BUILT_IN.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "retention.toml"
    path.write_text(text, encoding="utf-8")
    return path


def profile_of(folder: Path, period_s: int) -> RetentionProfile:
    """A profile whose alerts, sightings and test alerts all end after so many seconds."""
    return load_profile(NAME, document(folder, ("period_s = 86_400", f"period_s = {period_s}")))
