"""Files of the trust folder: read from a stick, copied into the folder, and read again with the whole folder."""

from pathlib import Path
from random import Random

from edge_lfr.errors import TrustError
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_unsigned, put_in, refused
from edge_lfr.evaluation.fuzzing.made import NOW, STRANGER, made_key, trust_file
from edge_lfr.evaluation.fuzzing.tree_changes import changed_toml
from edge_lfr.governance.trust import Role, TrustStore
from edge_lfr.governance.trust_folder import OfferedTrust, add_trust


class TrustFiles:
    """Two that `edge-lfr keys new` could have made."""

    name = "trust file"

    def __init__(self) -> None:
        self.specimens = (trust_file(Role.ISSUE, STRANGER), trust_file(Role.CONTROL, made_key("other stranger")))

    def structured(self, drawn: Random) -> Mutant:
        content, how = changed_toml(drawn, drawn.choice(self.specimens))
        return Mutant(content, how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        offered = put_in(folder, "offered.toml", mutant.untrusted)
        trust_folder = folder / "trust.d"
        try:
            key = add_trust(trust_folder, OfferedTrust.read(offered))
        except TrustError as error:
            return refused(error)
        store = TrustStore.load(trust_folder)
        if list(store.keys) != [key.fingerprint]:
            message = "another key is trusted than the one that was offered"
            raise AssertionError(message)
        is_valid = any(store.of_role(role, NOW) for role in Role)
        return of_unsigned(is_same=is_valid and mutant.untrusted in self.specimens)

    def close(self) -> None:
        """Nothing was prepared."""
