"""
The force's own policy, in numbers: who may authorise, how long, how old a list may be, how young a person on it.

What is law or published policy stands in the defaults; none of it is quoted law. Each bound is the laxest that the
program takes: a force may be stricter, and where its practice is another one, the sources say so in words.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from edge_lfr.config.section import Section
from edge_lfr.terms import Rank

Hours = Annotated[float, Field(ge=0.0, le=72.0)]


class AuthorityPolicy(Section):
    """What a deployment authority may say; the defaults are published practice, as far as it is known."""

    least_rank: Rank = Rank.SUPERINTENDENT
    """Who may authorise a deployment."""

    least_rank_urgent: Rank = Rank.INSPECTOR
    """Who may, where it cannot wait; an officer of the rank for what can wait signs it afterwards."""

    longest_h: Annotated[Hours, Field(gt=0.0)] = 24.0
    """Hours from beginning to end. A published deployment took 8.6 hours at most."""

    countersign_within_h: Annotated[Hours, Field(gt=0.0)] = 24.0
    """Hours from the beginning of an urgent one to its countersignature at the latest."""

    notice_before_h: Hours = 0.0
    """Hours from the public notice to the beginning at least, unless it is urgent; some forces aim at a day."""

    @property
    def longest(self) -> timedelta:
        return timedelta(hours=self.longest_h)

    @property
    def countersign_within(self) -> timedelta:
        return timedelta(hours=self.countersign_within_h)

    @property
    def notice_before(self) -> timedelta:
        return timedelta(hours=self.notice_before_h)


class WatchlistPolicy(Section):
    """What a watchlist may hold."""

    max_extract_age_h: Annotated[float, Field(gt=0.0, le=24.0)] = 24.0
    """Hours since the list was drawn. Forces agree on a day, though no source found says it word for word."""

    clock_tolerance_s: Annotated[float, Field(ge=0.0, le=300.0)] = 30.0
    """How far the issuer's clock may be ahead of ours."""

    longest_life_days: Annotated[float, Field(gt=0.0, le=31.0)] = 31.0
    """Until an entry expires. A list is destroyed after its deployment, so this only finds dates that stand for none.
    As long as the longest retention of alerts; chosen, not measured."""

    adult_years: Annotated[int, Field(ge=18, le=25)] = 18
    """Younger people are listed only where somebody says why and another countersigns."""

    young_child_years: Annotated[int, Field(ge=10, le=18)] = 13
    """Younger children need the authorising officer's own word as well."""

    longest_human_life_years: Annotated[int, Field(ge=100, le=130)] = 120
    """Nobody who is older is looked for; the longest life on record is 122 years."""

    @property
    def max_extract_age(self) -> timedelta:
        return timedelta(hours=self.max_extract_age_h)

    @property
    def clock_tolerance(self) -> timedelta:
        return timedelta(seconds=self.clock_tolerance_s)

    @property
    def longest_life(self) -> timedelta:
        return timedelta(days=self.longest_life_days)


class PolicyConfig(Section):
    """What the force allows, where forces differ."""

    authority: AuthorityPolicy = AuthorityPolicy()
    watchlist: WatchlistPolicy = WatchlistPolicy()
