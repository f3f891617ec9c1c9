"""A force's own retention document: every profile read, and printed as the table of an impact assessment is."""

from pathlib import Path
from random import Random

from edge_lfr.config.retention import BUILT_IN, load_profile
from edge_lfr.errors import ConfigError
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, Verdict, of_unsigned, put_in, refused
from edge_lfr.evaluation.fuzzing.tree_changes import changed_toml

_PROFILES = ("alerts-24h", "alerts-31d")


class RetentionDocuments:
    """The one that comes with the program."""

    name = "retention document"

    def __init__(self) -> None:
        self.specimens = (BUILT_IN.read_bytes(),)
        self._digests = {name: load_profile(name).digest for name in _PROFILES}

    def structured(self, drawn: Random) -> Mutant:
        content, how = changed_toml(drawn, self.specimens[0])
        return Mutant(content, how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        path = put_in(folder, "retention.toml", mutant.untrusted)
        outcomes = [self._one(name, path) for name in _PROFILES]
        return next((each for each in outcomes if each.verdict is Verdict.REFUSED), outcomes[0])

    def _one(self, name: str, path: Path) -> Outcome:
        try:
            profile = load_profile(name, path)
        except ConfigError as error:
            return refused(error)
        for rule in profile.rules.by_kind().values():
            str(rule.kept_for)
        if profile.alert_lifetime < profile.sighting_lifetime:
            message = "a sighting outlives its alert"
            raise AssertionError(message)
        return of_unsigned(is_same=profile.digest == self._digests[name])

    def close(self) -> None:
        """Nothing was prepared."""
