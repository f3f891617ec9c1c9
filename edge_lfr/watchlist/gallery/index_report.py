"""What serves a gallery and why: names and numbers, for status and log."""

from dataclasses import dataclass
from enum import StrEnum

from edge_lfr.config.identification import IndexChoice


class IndexReason(StrEnum):
    """Why this index serves."""

    CONFIGURED = "configured"
    """Exact search is what the configuration asks for."""

    SMALL = "too-few-templates"
    """So few that no graph can pay: none was tried."""

    TRYING = "graph-being-tried"
    """A graph is being built and measured; exact search serves meanwhile."""

    FORCED = "graph-configured"
    """The configuration asks for the graph, and its recall is enough."""

    FASTER = "graph-faster"
    """The graph finds whom exact search finds, and is clearly faster."""

    NOT_FASTER = "graph-not-faster"
    """The graph finds whom exact search finds, and is not clearly faster."""

    FEW_NOT_FASTER = "graph-of-few-not-faster"
    """Already a graph of a few of the templates is not clearly faster than exact search among all."""

    MISSES = "graph-misses"
    """The graph finds too few of those whom exact search finds."""

    FAILED = "graph-failed"
    """The graph could not be built: memory, or the library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTimes:
    """Medians of interleaved runs: computing time from probes to candidates, in milliseconds."""

    exact_1_ms: float
    """One probe."""

    exact_8_ms: float
    """Eight probes at once."""

    graph_1_ms: float
    graph_8_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What serves now, and what was found when the graph was tried."""

    serving: IndexChoice
    """`exact` or `hnsw`, never `auto`."""

    reason: IndexReason
    recall: float | None = None
    """Share of perturbed templates for which the graph names the same first reference as exact search does."""

    times: SearchTimes | None = None
    """Of the graph that settled it: of all templates, or of a few."""

    build_s: float | None = None
    """Of the same graph."""
