"""A force's own retention document: the built-in one with other names, reasons and periods."""

from pathlib import Path

from edge_lfr.config.retention import BUILT_IN, RetentionProfile, load_profile

NAME = "ours-24h"
"""Of the first profile of the force's own document."""

DAY = load_profile("alerts-24h")
"""What a configuration has that says nothing of retention."""


def document(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the built-in document to *folder*, as `ours-`, with each first text replaced wherever it stands."""
    text = BUILT_IN.read_text(encoding="utf-8").replace('name = "alerts-', 'name = "ours-')
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "retention.toml"
    path.write_text(text, encoding="utf-8")
    return path


def profile_of(folder: Path, period_s: int) -> RetentionProfile:
    """A profile whose alerts, sightings and test alerts all end after so many seconds."""
    return load_profile(NAME, document(folder, ("period_s = 86_400", f"period_s = {period_s}")))
