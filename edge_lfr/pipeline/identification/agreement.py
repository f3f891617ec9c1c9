"""Whom the hits of one track speak for: candidates of several looks enter, one subject and how far it leads leaves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge_lfr.biometrics.outcomes import Candidate, SimilarityScore

Candidates: TypeAlias = tuple[Candidate, ...]
"""Different references, best first."""

Lookalikes: TypeAlias = frozenset[frozenset[str]]
"""Sets of references that enrolment found too alike to tell apart."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What some hits, of which there is at least one, say together."""

    lead: int
    """Hits of the subject and its lookalikes, less the hits of others."""

    is_disputed: bool
    """Others have hits."""

    is_ambiguous: bool
    """In an agreeing look a second reference lies within the margin, or a lookalike comes before the subject."""

    candidates: Candidates
    """The subject first, then all others of the agreeing looks, best first, each with its best score in them."""

    @property
    def subject(self) -> str:
        return self.candidates[0].reference_id


class Agreements:
    """Weighs hits by one policy."""

    def __init__(self, *, required_hits: int, margin: SimilarityScore, lookalikes: Lookalikes) -> None:
        self._required_hits = required_hits
        self._margin = margin
        self._alike: dict[str, set[str]] = {}
        for group in lookalikes:
            for reference_id in group:
                self._alike.setdefault(reference_id, set()).update(group)

    def weigh(self, hits: Sequence[Candidates]) -> Agreement:
        """Find who leads; the order of the hits does not matter."""
        best = _best_scores(candidates[0] for candidates in hits)
        leads = {
            subject: sum(1 if self._are_one(subject, candidates[0].reference_id) else -1 for candidates in hits)
            for subject in best
        }
        leader = min(best, key=lambda reference_id: (-leads[reference_id], -best[reference_id], reference_id))
        # A lookalike of the leader that scored better is named, if it leads by enough itself: being alike is not
        # transitive, so those who agree with the leader need not agree with one another.
        enough = min(self._required_hits, leads[leader])
        named = [subject for subject in best if self._are_one(leader, subject) and leads[subject] >= enough]
        subject = min(named, key=lambda reference_id: (-best[reference_id], reference_id))
        agreeing = [candidates for candidates in hits if self._are_one(subject, candidates[0].reference_id)]
        return Agreement(
            lead=leads[subject],
            is_disputed=len(agreeing) < len(hits),
            is_ambiguous=any(self._is_close(candidates, subject) for candidates in agreeing),
            candidates=_fused(agreeing, subject),
        )

    def _are_one(self, one: str, other: str) -> bool:
        """Whether two references count as one subject here."""
        return one == other or other in self._alike.get(one, ())

    def _is_close(self, candidates: Candidates, subject: str) -> bool:
        """Whether an agreeing look leaves room for another reference than *subject*."""
        if candidates[0].reference_id != subject:
            return True
        return len(candidates) > 1 and candidates[0].score - candidates[1].score < self._margin


def _best_scores(candidates: Iterable[Candidate]) -> dict[str, SimilarityScore]:
    best: dict[str, SimilarityScore] = {}
    for candidate in candidates:
        best[candidate.reference_id] = max(candidate.score, best.get(candidate.reference_id, candidate.score))
    return best


def _fused(looks: Iterable[Candidates], subject: str) -> Candidates:
    """One list of all candidates with their best scores, the subject first, ties by reference id."""
    best = _best_scores(candidate for candidates in looks for candidate in candidates)
    order = sorted(best, key=lambda reference_id: (reference_id != subject, -best[reference_id], reference_id))
    return tuple(
        Candidate(reference_id=reference_id, score=best[reference_id], rank=rank)
        for rank, reference_id in enumerate(order, start=1)
    )
