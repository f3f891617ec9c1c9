"""
The proof that a provider does what it was asked for: one profiled run, and a look at who executed the convolutions.

A runtime that cannot use the accelerator (an old driver, a missing library) leaves nodes to the CPU without a word;
the list of registered providers does not show it, the profile of a run does.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_lfr.errors import ProviderError

PROBE_SIDE: Final = 64
"""Stands in for free heights and widths: the least that every stride of a detector divides twice."""


def prove_placement(create: Callable[[Any], Any], options: Any, shape: tuple[int | None, ...], provider: str) -> None:  # noqa: ANN401 - the runtime publishes no types
    """
    Run the net once in a profiled session of its own and check that *provider* executed every convolution.

    Args:
        create: Opens the net with the given session options.

        options: Session options to profile with; not to be used for another session afterwards.

        shape: Of the net's input; None is a free dimension.

        provider: Name of the provider as the runtime writes it.

    Raises:
        ProviderError: Another provider executed a convolution, or none was executed at all.
    """
    with tempfile.TemporaryDirectory(prefix="edge-lfr-placement-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = create(options)
        sides = [1 if axis == 0 else PROBE_SIDE if side is None else side for axis, side in enumerate(shape)]
        session.run(None, {session.get_inputs()[0].name: np.zeros(sides, dtype=np.float32)})
        profile = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    executed = convolutions_by_provider(profile)
    if set(executed) != {provider}:
        found = ", ".join(f"{count} on {name}" for name, count in sorted(executed.items())) or "none at all"
        raise ProviderError(f"{provider} was asked for; convolutions were executed: {found}")


def convolutions_by_provider(profile: list[dict[str, Any]]) -> Counter[str]:
    """Count the executed convolutions (fused ones too) in a runtime profile by the provider that executed them."""
    nodes = (event["args"] for event in profile if event.get("cat") == "Node" and "args" in event)
    return Counter(
        str(node["provider"]) for node in nodes if "provider" in node and "Conv" in str(node.get("op_name", ""))
    )
