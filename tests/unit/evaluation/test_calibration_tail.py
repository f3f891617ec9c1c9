"""Rates and bounds of made people, whose true rates are known."""

import numpy as np
import pytest

from edge_lfr.evaluation import calibration_tail
from edge_lfr.evaluation.calibration_faces import CalibrationError, Population
from edge_lfr.evaluation.calibration_tail import Floats, HighScores, Rates, Tails, high_scores, rates

DIMENSION = 32
GRID: Floats = np.arange(1, 200, dtype=np.float64) * 0.005
NAMES = ("alike", "varied")


def people(count: int, seed: int, pull: float = 0.6) -> Population:
    """
    *count* people of each of two groups: directions at random, those of the first group drawn towards one pole.

    Args:
        count: Of each group.

        seed: Of the random numbers.

        pull: Length of what is added to the unit directions of the first group.
    """
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((2 * count, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:count, 0] += pull
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Population(
        vectors=vectors.astype(np.float32),
        groups=np.repeat([0, 1], count).astype(np.intp),
        names=NAMES,
        left_out={name: {} for name in NAMES},
    )


def true_rates(thresholds: Floats) -> Floats:
    """(groups, thresholds): shares of so many pairs that a few hundred people say nothing about them."""
    found = np.zeros((2, len(thresholds)))
    many = people(6000, seed=99)
    for row in range(2):
        probes = many.vectors[many.groups == row][:3000]
        scores = np.sort((probes @ many.vectors.T).ravel())
        scores = scores[scores < 0.9999]  # themselves
        found[row] = 1.0 - np.searchsorted(scores, thresholds) / len(scores)
    return found


@pytest.fixture(scope="module")
def found() -> Rates:
    """What 200 people of each group show."""
    population = people(200, seed=1)
    return rates(population, high_scores(population, own_group=False), GRID)


@pytest.mark.parametrize("own_group", [False, True])
def test_the_highest_scores_are_those_of_a_plain_sort(*, own_group: bool) -> None:
    """Everybody against everybody else, nobody against himself; the border is the next score below."""
    population = people(80, seed=3)
    for row, group in enumerate(high_scores(population, own_group=own_group, share=0.01)):
        probes = np.flatnonzero(population.groups == row)
        templates = probes if own_group else np.arange(160)
        pairs = sorted(
            (
                (float(population.vectors[probe] @ population.vectors[template]), probe, template)
                for probe in probes
                for template in templates
                if probe != template
            ),
            reverse=True,
        )
        kept = len(pairs) // 100
        assert len(pairs) == group.comparisons
        assert group.scores == pytest.approx([score for score, _, _ in pairs[:kept]], abs=1e-6)
        assert group.border == pytest.approx(pairs[kept][0], abs=1e-6)
        direct = np.einsum("ij,ij->i", population.vectors[group.probes], population.vectors[group.templates])
        assert group.scores == pytest.approx(direct, abs=1e-6)


def test_too_few_people_give_no_tail() -> None:
    """A handful of people is refused, by the group's name, and not calibrated."""
    with pytest.raises(CalibrationError, match="alike: 20 people"):
        high_scores(people(20, seed=4), own_group=False)


@pytest.mark.parametrize("shape", [-0.2, -0.05, 0.1])
def test_the_fit_finds_a_tail_that_is_one(shape: float) -> None:
    """Excesses drawn from a generalised Pareto distribution give its shape and its rates back."""
    random = np.random.default_rng(5)
    uniform = random.random(200_000)
    excesses = np.sort(0.03 / shape * (uniform**-shape - 1.0))[::-1]
    nobody = np.zeros(len(excesses), dtype=np.intp)
    group = HighScores("one", 100 * len(excesses), 0.4, 0.4 + excesses, nobody, nobody)
    tails = Tails.fit((group,), (np.ones(len(excesses)),))
    assert tails.shape == pytest.approx(shape, abs=0.02)
    thresholds = np.asarray([0.39, 0.4, 0.45, 0.5])
    expected = 0.01 * (1.0 + shape * (thresholds[1:] - 0.4) / 0.03) ** (-1.0 / shape)
    assert tails.rates(thresholds)[0, 0] == 1.0
    assert tails.rates(thresholds)[0, 1:] == pytest.approx(expected, rel=0.05)


def test_a_tail_without_shape_is_exponential() -> None:
    """The formula's limit, and a tail that ends exceeds nothing beyond its end."""
    borders, shares, means = np.asarray([0.4]), np.asarray([0.01]), np.asarray([0.05])
    thresholds = np.asarray([0.5, 0.8])
    plain = Tails(borders, shares, means, 0.0).rates(thresholds)
    assert plain[0] == pytest.approx(0.01 * np.exp([-2.0, -8.0]))
    assert Tails(borders, shares, means, 1e-7).rates(thresholds) == pytest.approx(plain, rel=1e-4)
    assert 0.0 == Tails(borders, shares, means, -0.2).rates(thresholds)[0, 1]


def test_the_bound_covers_the_truth(found: Rates) -> None:
    """Of both groups, where pairs were seen and as far beyond as the truth itself can be counted."""
    truth = true_rates(GRID)
    countable = truth >= 3e-7
    assert (found.upper >= truth)[countable].all()
    estimated = countable & (found.expected < 1.0)
    assert (found.expected[estimated] < 4.0 * truth[estimated]).all()


def test_the_bound_covers_the_truth_most_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nineteen of twenty samples of people are promised, where a sample seldom shows a pair."""
    monkeypatch.setattr(calibration_tail, "REPLICATES", 100)
    truth = true_rates(GRID)
    column = int(np.flatnonzero(truth[0] <= 1e-5)[0])
    covered = 0
    for seed in range(16):
        population = people(200, seed=1000 + seed)
        bound = rates(population, high_scores(population, own_group=False), GRID).upper
        covered += bool(bound[0, column] >= truth[0, column])
    assert covered >= 13


def test_rates_never_rise_with_the_threshold(found: Rates) -> None:
    """Otherwise a raised threshold could cost false alerts; also across the border from pairs to tail."""
    assert (np.diff(found.upper, axis=1) <= 1e-12).all()
    assert (found.upper >= found.expected).all()


def test_the_group_of_people_who_are_alike_is_the_worst(found: Rates) -> None:
    """Its own rate is the higher one wherever there is a rate at all."""
    known = (found.upper < 1.0).all(axis=0) & (found.expected > 0.0).all(axis=0)
    assert known.any()
    assert (found.upper[0] > found.upper[1])[known].all()


def test_only_what_enough_people_showed_is_observed() -> None:
    """Ten pairs that share nobody, not ten of one person who looks like everybody, nor five that are seen twice."""
    scores = np.linspace(0.9, 0.5, 40)
    once = np.arange(40, dtype=np.intp)
    many = HighScores("many", 1000, 0.4, scores, once, once + 100)
    least = calibration_tail.LEAST_PAIRS
    assert [least - 1, least, 40] == many.apart_at(np.asarray([scores[8], scores[9], 0.5])).tolist()
    everywhere = np.asarray([0.5])
    nobody_else = np.full(40, 500, dtype=np.intp)
    twice = np.arange(40, dtype=np.intp)
    for probes, templates, expected in (
        (nobody_else, once, 1),
        (once, nobody_else, 1),
        (np.concatenate([nobody_else[:20], once[:20]]), np.concatenate([once[:20], nobody_else[:20]]), 1),
        (twice, twice ^ 1, 20),
    ):
        found = HighScores("one", 1000, 0.4, scores, probes, templates).apart_at(everywhere)
        assert [expected] == found.tolist()


def test_the_same_people_give_the_same_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table can be made again."""
    monkeypatch.setattr(calibration_tail, "REPLICATES", 20)
    population = people(80, seed=6)
    groups = high_scores(population, own_group=False)
    assert (rates(population, groups, GRID).upper == rates(population, groups, GRID).upper).all()
