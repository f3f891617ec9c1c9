"""Pseudonymous manifests of ended lists: what the data protection officer decrypts and asks."""

import io
import json
from pathlib import Path
from random import Random

from edge_lfr.errors import AgeFileError
from edge_lfr.evaluation.fuzzing.bundles import sealed
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_unsigned, refused
from edge_lfr.evaluation.fuzzing.made import ADDRESSEE, NOW
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.watchlist.pseudonyms import ListedManifestError, PseudonymousManifest, pseudonym, read_manifest

_LISTED = "MADE-1"


class ListedManifests:
    """One of three references."""

    name = "manifest of an ended list"

    def __init__(self) -> None:
        self._identity = AgeIdentity.generate()
        salt = bytes(32)
        made = PseudonymousManifest(
            device=ADDRESSEE,
            list_id="0" * 16,
            list_digest="ab" * 32,
            bundle=None,
            live_from=NOW,
            must_end_at=NOW,
            salt=salt.hex(),
            references=tuple(sorted(pseudonym(salt, f"MADE-{number}") for number in range(3))),
        )
        self._sound = made
        self._tree = json.loads(made.model_dump_json(by_alias=True))
        self.specimens = (self._sealed(made.model_dump_json(by_alias=True).encode()),)

    @property
    def aid(self) -> str:
        """Opens what these specimens became; nothing else was ever encrypted to it."""
        return self._identity.secret()

    def _sealed(self, plain: bytes) -> bytes:
        return sealed(plain, self._identity.recipient)

    def structured(self, drawn: Random) -> Mutant:
        changed, how = changed_tree(drawn, self._tree)
        return Mutant(self._sealed(json_bytes(drawn, changed)), how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        try:
            found = read_manifest(io.BytesIO(mutant.untrusted), self._identity)
        except (AgeFileError, ListedManifestError) as error:
            return refused(error)
        found.has(_LISTED)
        return of_unsigned(is_same=found == self._sound)

    def close(self) -> None:
        """Nothing was prepared."""
