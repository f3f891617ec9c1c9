"""A force's own retention document: every profile read, and printed as the table of an impact assessment is."""

from pathlib import Path
from random import Random
from typing import Final

from edge_lfr.config.retention import BUILT_IN, built_in, in_words, load_profile
from edge_lfr.errors import ConfigError
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, Verdict, of_unsigned, put_in, refused
from edge_lfr.evaluation.fuzzing.tree_changes import changed_toml

_OWN_NAMES: Final = {"alerts-24h": "ours-24h", "alerts-31d": "ours-31d"}
"""A force's own: a document that takes a name of the program's is refused, whatever else it says."""


class RetentionDocuments:
    """The one that comes with the program, under a force's own names."""

    name = "retention document"

    def __init__(self) -> None:
        text = BUILT_IN.read_text(encoding="utf-8")
        for name, own in _OWN_NAMES.items():
            text = text.replace(f'"{name}"', f'"{own}"')
        self.specimens = (text.encode(),)
        self._digests = {
            own: built_in()[name].model_copy(update={"name": own}).digest for name, own in _OWN_NAMES.items()
        }

    def structured(self, drawn: Random) -> Mutant:
        content, how = changed_toml(drawn, self.specimens[0])
        return Mutant(content, how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        path = put_in(folder, "retention.toml", mutant.untrusted)
        outcomes = [self._one(name, path) for name in self._digests]
        return next((each for each in outcomes if each.verdict is Verdict.REFUSED), outcomes[0])

    def _one(self, name: str, path: Path) -> Outcome:
        try:
            profile = load_profile(name, path)
        except ConfigError as error:
            return refused(error)
        for _, rule in profile.rules.by_kind().values():
            if rule.period_s is not None:
                in_words(rule.period_s)
        if profile.alert_lifetime < profile.sighting_lifetime:
            message = "a sighting outlives its alert"
            raise AssertionError(message)
        return of_unsigned(is_same=profile.digest == self._digests[name])

    def close(self) -> None:
        """Nothing was prepared."""
