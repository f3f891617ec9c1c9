"""Pseudonymous manifests of ended lists: what the data protection officer decrypts and asks."""

import io
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

from edge_lfr.errors import AgeFileError
from edge_lfr.evaluation.fuzzing.authorities import changed_document
from edge_lfr.evaluation.fuzzing.bundles import sealed
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_signed, refused
from edge_lfr.evaluation.fuzzing.made import ADDRESSEE, NOW
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.documents import Kind, sign_document
from edge_lfr.governance.ledger.head import public_text
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.records.pseudonyms import ListedManifestError, PseudonymousManifest, pseudonym, read_manifest

_LISTED = "MADE-1"


class ListedManifests:
    """One of three references."""

    name = "manifest of an ended list"

    def __init__(self) -> None:
        self._identity = AgeIdentity.generate()
        salt = bytes(32)
        self._signing = SigningKey.generate()
        self._lines = "".join(sorted(f"{pseudonym(salt, f'MADE-{number}')}\n" for number in range(3))).encode()
        made = PseudonymousManifest(
            device=ADDRESSEE,
            list_id="0" * 16,
            list_digest="ab" * 32,
            bundle=None,
            live_from=NOW,
            must_end_at=NOW,
            salt=salt.hex(),
            references=3,
            references_sha256=sha256(self._lines).hexdigest(),
            public_key=public_text(self._signing.public),
        )
        self._sound = made
        self._document = sign_document(Kind.LISTED_MANIFEST, made, self._signing)
        self.specimens = (self._sealed(self._document),)

    @property
    def aid(self) -> str:
        """Opens what these specimens became; nothing else was ever encrypted to it."""
        return self._identity.secret()

    def _sealed(self, document: bytes) -> bytes:
        return sealed(document + self._lines, self._identity.recipient)

    def structured(self, drawn: Random) -> Mutant:
        changed = changed_document(drawn, [self._document], Kind.LISTED_MANIFEST, self._signing)
        on_one_line = changed.untrusted.replace(b"\n", b"") + b"\n"
        return replace(changed, untrusted=self._sealed(on_one_line))

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        try:
            found = read_manifest(io.BytesIO(mutant.untrusted), self._identity)
        except (AgeFileError, ListedManifestError) as error:
            return refused(error)
        found.has(_LISTED)
        return of_signed(mutant, is_same=found.content == self._sound)

    def close(self) -> None:
        """Nothing was prepared."""
