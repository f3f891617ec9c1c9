"""
The highest scores of every group against people that they are not enter, rates by threshold and their bounds leave.

**What is estimated.** For each labelled group, the share of single comparisons of a probe of that group with a template
of somebody else that reach a threshold.

**The bound.** Scores of one person are not independent of one another: who looks like one stranger looks like more of
them. So people are the units, never pairs: each of `REPLICATES` replicates draws every group anew from its own people
with replacement, a pair counts as often as both of its people were drawn, and the bound is the 95th percentile of the
rates that come out. Drawing probes and templates together in this manner overstates the spread a little (A. B. Owen,
The pigeonhole bootstrap, Annals of Applied Statistics 1(2), 2007), which is the safe side. Tried on 40 samples of made
people, 200 in each of two groups and with a true rate of 1e-5 that is known, the bound of one group held in 36 to 38.

**How far the data reach.** No replicate can hold a pair that was never seen, so the share of observed pairs is believed
only where at least `LEAST_PAIRS` pairs that share nobody are at or above the threshold: a pair whose people are of one
group is seen from both sides and is one all the same, and so are all pairs of one person who looks like everybody.
That asks less than the 30 errors of the "rule of 30" in ISO/IEC 19795-1, which no group of 300 people can
give at these rates, and the wider bound pays for it. Higher up, a tail stands in for the pairs.

**The tail.** Above a group's border, which its highest `TAIL_SHARE` of scores exceed, the excess follows a generalised
Pareto distribution (J. Pickands, Statistical inference using extreme order statistics, Annals of Statistics 3(1),
1975). Every group has its own border and mean excess; the shape is one for all groups, since a few hundred excesses
say nearly nothing about it. A negative shape means what a score's ceiling suggests: the tail falls faster than
exponentially. Mean and variance give the parameters (method of moments): with excesses in units of their group's mean,
shape = (1 - 1 / variance) / 2. Each replicate fits its own tail, so that the bound has the doubt about both in it. What
no tail can know is people who are more alike than the pictures show: twins, and one person under two names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from edge_lfr.evaluation.calibration_faces import CalibrationError, Population

Floats = NDArray[np.float64]

REPLICATES: Final = 1000
"""The 95th percentile of as many is itself known to about a twentieth of the spread."""

CONFIDENCE: Final = 0.95

SEED: Final = 19795
"""The same pictures give the same table."""

LEAST_PAIRS: Final = 10
"""Chosen: with fewer, one pair more or less moves the share by a fifth and more."""

TAIL_SHARE: Final = 2e-3
"""
Of a group's comparisons, how many are above its border.

Measured with 0095: fitted on a random third of the people, tails from 0.0005, 0.001 and 0.002 all predict within a
fifth what all people show at 1e-5 to 1e-6, and the last one scatters least.
"""

LEAST_EXCESSES: Final = 10
"""Of one group; fewer give no mean worth the name. Chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class HighScores:
    """The comparisons of one group that lie above its border; numbers and rows only, no vector."""

    name: str
    comparisons: int
    """All that were made, probe of the group against template of somebody else."""

    border: float
    scores: Floats
    """(k,), falling."""

    probes: NDArray[np.intp]
    templates: NDArray[np.intp]
    """(k,), rows of the population."""

    def first_below(self, thresholds: Floats) -> NDArray[np.intp]:
        """How many scores reach each threshold."""
        return np.searchsorted(-self.scores, -thresholds, side="right")

    def apart_at(self, thresholds: Floats) -> NDArray[np.intp]:
        """
        How many pairs at or above each threshold share nobody.

        Taken by falling score, each with two people who are in none before: at least half of the most there are.
        """
        taken: set[int] = set()
        apart = np.zeros(len(self.scores) + 1, dtype=np.intp)
        for number, (probe, template) in enumerate(zip(self.probes.tolist(), self.templates.tolist(), strict=True)):
            is_apart = probe not in taken and template not in taken
            if is_apart:
                taken.update((probe, template))
            apart[number + 1] = apart[number] + is_apart
        return apart[self.first_below(thresholds)]


def high_scores(population: Population, *, own_group: bool, share: float = TAIL_SHARE) -> tuple[HighScores, ...]:
    """
    Compare every person with everybody else, and keep what is above the borders.

    Args:
        population: One vector a person.

        own_group: The templates are of the probe's own group alone; otherwise of everybody else.

        share: Of the comparisons, how many are kept.

    Raises:
        CalibrationError: A group has too few people for a tail.
    """
    return tuple(
        _high_scores_of(population, row, own_group=own_group, share=share) for row in range(len(population.names))
    )


def _high_scores_of(population: Population, row: int, *, own_group: bool, share: float) -> HighScores:
    name = population.names[row]
    probes = np.flatnonzero(population.groups == row)
    templates = probes if own_group else np.arange(len(population.groups))
    comparisons = len(probes) * (len(templates) - 1)
    kept = int(comparisons * share)
    if kept < LEAST_EXCESSES:
        raise CalibrationError(
            f"{name}: {len(probes)} people who can be compared are too few", remedy="calibrate with more pictures"
        )
    scores = population.vectors[probes] @ population.vectors[templates].T
    scores[probes[:, np.newaxis] == templates] = -np.inf  # nobody is compared with himself
    flat = scores.ravel()
    order = np.argpartition(-flat, kept)[: kept + 1]
    order = order[np.argsort(-flat[order], kind="stable")]
    rows, columns = np.unravel_index(order[:kept], scores.shape)
    return HighScores(
        name=name,
        comparisons=comparisons,
        border=float(flat[order[kept]]),
        scores=flat[order[:kept]].astype(np.float64),
        probes=probes[rows],
        templates=templates[columns],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Tails:
    """A generalised Pareto tail for every group; the shape is one for all."""

    borders: Floats
    shares: Floats
    mean_excesses: Floats
    """(groups,)."""

    shape: float

    @classmethod
    def fit(cls, groups: tuple[HighScores, ...], weights: tuple[Floats, ...]) -> Self:
        """Fit by moments; *weights* say for each group how often each of its pairs counts."""
        excesses = [group.scores - group.border for group in groups]
        totals = np.asarray([weight.sum() for weight in weights])
        sums = np.asarray([w @ y for w, y in zip(weights, excesses, strict=True)])
        means = np.where(sums > 0.0, sums / np.maximum(totals, 1.0), 1.0)  # no excess drawn: its share is 0 then
        squares = sum(float(w @ (y / mean - 1.0) ** 2) for w, y, mean in zip(weights, excesses, means, strict=True))
        return cls(
            borders=np.asarray([group.border for group in groups]),
            shares=totals / np.asarray([group.comparisons for group in groups]),
            mean_excesses=means,
            shape=(1.0 - totals.sum() / squares) / 2.0,
        )

    def rates(self, thresholds: Floats) -> Floats:
        """(groups, thresholds): share of comparisons at or above each threshold; 1 (unknown) below a group's border."""
        above = thresholds - self.borders[:, np.newaxis]
        excess = np.maximum(above, 0.0)
        scale = (self.mean_excesses * (1.0 - self.shape))[:, np.newaxis]
        shares = self.shares[:, np.newaxis]
        if abs(self.shape) < 1e-9:  # noqa: PLR2004 - the limit of the formula below
            tail = shares * np.exp(-excess / scale)
        else:
            tail = shares * np.maximum(1.0 + self.shape * excess / scale, 0.0) ** (-1.0 / self.shape)
        return np.where(above >= 0.0, tail, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Share of comparisons that reach each threshold, by group: (groups, thresholds) each."""

    thresholds: Floats
    expected: Floats
    upper: Floats
    """The 95 % bound."""

    is_observed: NDArray[np.bool_]
    """Enough pairs were seen at or above the threshold; otherwise both figures are the tail's."""

    shape: float
    """Of the tail."""


def rates(population: Population, groups: tuple[HighScores, ...], thresholds: Floats) -> Rates:
    """
    Estimate and bound every group's rate at every threshold.

    Args:
        population: Whose scores they are.

        groups: From `high_scores`.

        thresholds: Rising.
    """
    once = tuple(np.ones(len(group.scores)) for group in groups)
    fitted = Tails.fit(groups, once)
    seen = _seen(groups, once, thresholds)
    tails, observed = [], []
    for weights in _replicates(population, groups):
        tails.append(Tails.fit(groups, weights).rates(thresholds))
        observed.append(_seen(groups, weights, thresholds))
    tail_bound = np.quantile(tails, CONFIDENCE, axis=0)
    observed_bound = np.quantile(observed, CONFIDENCE, axis=0)
    is_observed = np.asarray([group.apart_at(thresholds) >= LEAST_PAIRS for group in groups])
    return Rates(
        thresholds=thresholds,
        expected=np.where(is_observed, seen, fitted.rates(thresholds)),
        # Both, where there are both: the border between them must not let a bound rise with the threshold.
        upper=np.where(is_observed, np.maximum(observed_bound, tail_bound), tail_bound),
        is_observed=is_observed,
        shape=fitted.shape,
    )


def _replicates(population: Population, groups: tuple[HighScores, ...]) -> Iterator[tuple[Floats, ...]]:
    """How often each pair counts, group by group, when the people of every group are drawn anew."""
    random = np.random.default_rng(SEED)
    members = [np.flatnonzero(population.groups == row) for row in range(len(population.names))]
    drawn = np.zeros(len(population.groups))
    for _ in range(REPLICATES):
        for people in members:
            drawn[people] = np.bincount(random.integers(0, len(people), len(people)), minlength=len(people))
        yield tuple(drawn[group.probes] * drawn[group.templates] for group in groups)


def _seen(groups: tuple[HighScores, ...], weights: tuple[Floats, ...], thresholds: Floats) -> Floats:
    """(groups, thresholds): share of pairs at or above each threshold; 1 (unknown) below a group's border."""
    found = []
    for group, weight in zip(groups, weights, strict=True):
        counted = np.concatenate([[0.0], np.cumsum(weight)]) / group.comparisons
        share = counted[group.first_below(thresholds)]
        found.append(np.where(thresholds >= group.border, share, 1.0))
    return np.asarray(found)
