"""
Candidates of one more look enter, a decision about the track leaves; between looks only scores by reference id stay.

The argument, in the order in which it is made; each number stands again at its block in `Decider.decide`.

(0) The watchlist is the one that the threshold was taken for, and the probes are of its pack. The caller and the
    matcher see to this; here it is taken for granted.
(1) Undetermined, if the search could not be completed: this is not the same as nobody, and nothing is added.
(2) Non-match for this look, if there is no candidate or the first score is below the threshold, unless it is the look
    that rule 5 asked for. What earlier looks found stays.
(3) A look at or above the threshold is a hit for its first candidate. The subject is whoever leads: own hits and those
    of lookalikes, less those of others. Undetermined, while others have hits and the lead is below the required hits.
(4) Undetermined, until the lead reaches the required hits.
(5) A second reference within the margin never suppresses: it asks for one more look, once. The next completed look
    settles it, hit or not, as long as the lead is still there; the match is then ambiguous. When the track ends first,
    `end` gives the match.
(6) Match, once for each track and reference. The evidence then starts anew, since a track may pass to another person.
    While all of it is for references that have matched already, it is said to be just that, by (3) and (4) too: nobody
    new waits for a confirmation.
"""

from dataclasses import dataclass, field

from edge_lfr.biometrics.outcomes import (
    Decision,
    DecisionReason,
    Discard,
    DiscardReason,
    Outcome,
    SimilarityScore,
)
from edge_lfr.biometrics.samples import Track
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.pipeline.identification.agreement import Agreement, Agreements, Candidates, Lookalikes


@dataclass(slots=True)
class _Evidence:
    """What the looks at one track have shown."""

    looks: int = 0
    """Completed searches."""

    was_incomplete: bool = False
    """A search could not be completed."""

    hits: list[Candidates] = field(default_factory=list)
    """The looks at or above the threshold since the last match."""

    has_asked: bool = False
    """The one more look of rule 5 was asked for since the last match."""

    matched: set[str] = field(default_factory=set)
    """References that this track matched."""

    def settle(self, subject: str) -> None:
        """Remember who matched, and start anew."""
        self.matched.add(subject)
        self.hits.clear()
        self.has_asked = False


class Decider:
    """Concludes over the looks at each track; used by one thread."""

    def __init__(
        self, config: DecisionConfig, threshold: SimilarityScore, lookalikes: Lookalikes = frozenset()
    ) -> None:
        """
        Decide at *threshold*, which is the calibrated one: `config.threshold` has been taken into account.

        Args:
            config: Required hits and margin.

            threshold: A look that scores this or more is a hit.

            lookalikes: As enrolment found them.
        """
        self._config = config
        self._tracks: dict[int, _Evidence] = {}
        self._threshold = threshold
        self._agreements = Agreements(required_hits=config.required_hits, margin=config.margin, lookalikes=lookalikes)

    def decide(self, track: Track, candidates: Candidates | None) -> Decision:
        """
        Add one look at *track* and conclude, by the argument above.

        Args:
            track: As of the present frame.

            candidates: What the search found, best first; None when it could not be completed.

        Returns:
            The outcome. Its candidates are those of this look, or for a match those of the agreeing looks.
        """
        evidence = self._tracks.setdefault(track.track_id, _Evidence())

        # (1) undetermined, if the search could not be completed
        if candidates is None:
            evidence.was_incomplete = True
            return self._look(track, Outcome.UNDETERMINED, DecisionReason.SEARCH_INCOMPLETE, ())
        evidence.looks += 1

        # (2) non-match for this look, if the first score is below the threshold and (5) does not wait for any look
        if candidates and candidates[0].score >= self._threshold:
            evidence.hits.append(candidates)
        elif not self._waits_for_any_look(evidence):
            return self._look(track, Outcome.NON_MATCH, DecisionReason.BELOW_THRESHOLD, candidates)
        agreement = self._agreements.weigh(evidence.hits)
        is_known = all(hit[0].reference_id in evidence.matched for hit in evidence.hits)

        # (3) undetermined, while others have hits and nobody leads by enough
        if agreement.is_disputed and agreement.lead < self._config.required_hits:
            reason = DecisionReason.ALREADY_MATCHED if is_known else DecisionReason.SUBJECTS_DISAGREE
            return self._look(track, Outcome.UNDETERMINED, reason, candidates)

        # (4) undetermined, until the track has the required hits
        if agreement.lead < self._config.required_hits:
            reason = DecisionReason.ALREADY_MATCHED if is_known else DecisionReason.TOO_FEW_HITS
            return self._look(track, Outcome.UNDETERMINED, reason, candidates)

        # (5) one more look, if two references lie within the margin; then match, marked ambiguous
        is_new = agreement.subject not in evidence.matched
        if agreement.is_ambiguous and is_new and not evidence.has_asked:
            evidence.has_asked = True
            return self._look(track, Outcome.UNDETERMINED, DecisionReason.MARGIN_ASKS_LOOK, candidates)

        # (6) match, once for each track and reference
        evidence.settle(agreement.subject)
        reason = DecisionReason.CONSENSUS if is_new else DecisionReason.ALREADY_MATCHED
        return self._match(track.track_id, track.camera_id, reason, agreement, evidence.looks)

    def end(self, track_id: int, camera_id: str) -> Decision | Discard | None:
        """
        Forget a track that has ended.

        Returns:
            A match, when the required hits were there and only the look that rule 5 asked for did not come. None, when
            the track had matched. Else why it ends without an alert; a track that was never looked at may have had too
            little quality, which the caller knows.
        """
        evidence = self._tracks.pop(track_id, _Evidence())
        if evidence.hits:
            agreement = self._agreements.weigh(evidence.hits)
            if agreement.lead >= self._config.required_hits:
                return self._match(track_id, camera_id, DecisionReason.CONSENSUS, agreement, evidence.looks)
        if evidence.matched:
            return None
        if evidence.hits or evidence.was_incomplete:
            reason = DiscardReason.TRACK_UNDETERMINED
        elif evidence.looks:
            reason = DiscardReason.TRACK_NON_MATCH
        else:
            reason = DiscardReason.TRACK_NOT_LOOKED_AT
        return Discard(reason=reason, camera_id=camera_id, track_id=track_id)

    def _waits_for_any_look(self, evidence: _Evidence) -> bool:
        """Whether (5) has asked, and the lead is still there: then even a look that is no hit brings the match."""
        return evidence.has_asked and self._agreements.weigh(evidence.hits).lead >= self._config.required_hits

    def _look(self, track: Track, outcome: Outcome, reason: DecisionReason, candidates: Candidates) -> Decision:
        """A decision that is not a match; it carries what this look found."""
        return Decision(
            track_id=track.track_id,
            camera_id=track.camera_id,
            outcome=outcome,
            reason=reason,
            threshold=self._threshold,
            candidates=candidates,
            looks=self._tracks[track.track_id].looks,
        )

    def _match(
        self, track_id: int, camera_id: str, reason: DecisionReason, agreement: Agreement, looks: int
    ) -> Decision:
        return Decision(
            track_id=track_id,
            camera_id=camera_id,
            outcome=Outcome.MATCH,
            reason=reason,
            threshold=self._threshold,
            candidates=agreement.candidates,
            looks=looks,
            is_ambiguous=agreement.is_ambiguous,
        )
