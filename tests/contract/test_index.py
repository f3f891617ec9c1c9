"""What every index must do, exact and graph alike."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.watchlist.gallery.exact_index import ExactIndex, Index
from edge_lfr.watchlist.gallery.hnsw_index import HnswIndex
from edge_lfr.watchlist.gallery.templates import TemplateMatrix
from simulators.mates import make_mates


class IndexContract:
    """The promises of `Index.propose`; a subclass brings the index."""

    choice: IndexChoice

    def index(self, templates: TemplateMatrix) -> Index:
        raise NotImplementedError

    @pytest.fixture
    def templates(self) -> TemplateMatrix:
        return TemplateMatrix(*make_templates(200))

    @pytest.fixture
    def built(self, templates: TemplateMatrix) -> Index:
        return self.index(templates)

    def test_choice_names_it(self, built: Index) -> None:
        """Status says what serves."""
        assert self.choice == built.choice

    def test_finds_the_templates_themselves(self, built: Index, templates: TemplateMatrix) -> None:
        """Each template is among the rows proposed for itself."""
        proposals = built.propose(templates.rows(np.arange(len(templates))), 1)
        assert [True] * len(templates) == [row in rows for row, rows in enumerate(proposals)]

    def test_finds_mates(self, built: Index, templates: TemplateMatrix) -> None:
        """Each template is among the rows proposed for a mate at 0.6."""
        proposals = built.propose(make_mates(templates.rows(np.arange(len(templates))), 0.6), 1)
        assert [True] * len(templates) == [row in rows for row, rows in enumerate(proposals)]

    @pytest.mark.parametrize("k", [1, 5, 200, 10_000])
    def test_rows_are_different_and_enough(self, built: Index, templates: TemplateMatrix, k: int) -> None:
        """Rows are valid and different, and belong to k references, or to all where there are fewer."""
        for rows in built.propose(make_mates(templates.rows(np.arange(9)), 0.6), k):
            assert len(set(rows.tolist())) == len(rows)
            assert np.all((rows >= 0) & (rows < len(templates)))
            assert len(set(templates.owners[rows].tolist())) >= min(k, 200)

    def test_answers_do_not_depend_on_the_company(self, built: Index, templates: TemplateMatrix) -> None:
        """The first reference of a probe is the same alone and in a batch."""
        probes = make_mates(templates.rows(np.arange(40)), 0.6)
        together = built.propose(probes, 5)
        for place, candidates in enumerate(templates.nearest(probes, together, 5)):
            one = probes[place : place + 1]
            assert candidates == templates.nearest(one, built.propose(one, 5), 5)[0]

    def test_one_template(self) -> None:
        """The smallest list that can be searched."""
        vectors: NDArray[np.float32] = np.eye(4, dtype=np.float32)
        index = self.index(TemplateMatrix(vectors[:1], ["a"]))
        assert [[0], [0]] == [rows.tolist() for rows in index.propose(vectors[:2], 5)]

    def test_no_probes(self, built: Index, templates: TemplateMatrix) -> None:
        """An empty batch has no answers."""
        assert () == built.propose(templates.rows(np.arange(0)), 5)


class TestExactIndex(IndexContract):
    """The product with the whole matrix."""

    choice = IndexChoice.EXACT

    def index(self, templates: TemplateMatrix) -> Index:
        return ExactIndex(templates)


class TestHnswIndex(IndexContract):
    """The graph."""

    choice = IndexChoice.HNSW

    def index(self, templates: TemplateMatrix) -> Index:
        return HnswIndex(templates, GalleryConfig(index=IndexChoice.HNSW))
