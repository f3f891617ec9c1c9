"""Searching the watchlist and deciding."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from edge_lfr.config.section import Section


class IndexChoice(StrEnum):
    """How the gallery is searched."""

    AUTO = "auto"
    EXACT = "exact"
    HNSW = "hnsw"


class GalleryConfig(Section):
    """The watchlist's matrix and its index."""

    index: IndexChoice = IndexChoice.AUTO
    """`exact`: one matrix product. `hnsw`: a graph proposes, exact scores decide. `auto`: the graph where it pays."""

    hnsw_m: Annotated[int, Field(ge=4, le=128)] = 32
    """Links a node; more is better recall, more memory, a longer build. At 20,000 made templates of 256 dimensions and
    mates at 0.5, with breadths of 200 and 400, 16 links find 0.984, 24 find 0.997 and 32 find 0.998."""

    hnsw_ef_construction: Annotated[int, Field(ge=16, le=2000)] = 200
    """Breadth of the search while building. There 48 links and 500 took 80 s to build and find 0.9997; 32 and 200 took
    30 s and find as many once the search is widened."""

    hnsw_ef: Annotated[int, Field(ge=16, le=2000)] = 400
    """Breadth of the search while querying; doubled once where the recall of the built graph is too low."""

    rescore_band: Annotated[float, Field(ge=0.0, le=1.0)] = 0.10
    """A probe whose graph score comes this near to the threshold is searched exactly too."""


class DecisionConfig(Section):
    """When a candidate becomes a match."""

    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Cosine at or above which a look is a hit. None takes the floor of the pack's calibration for the number of
    templates; a value may raise it and never lower it."""

    required_hits: Annotated[int, Field(ge=1, le=10)] = 2
    """Agreeing looks before an alert."""

    margin: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    """A second reference nearer to the first than this asks for one more look, and the alert then carries both."""
