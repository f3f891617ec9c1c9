"""Drafts of authorities, as somebody edited them: read for signing, and what may be signed is one that verifies."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.errors import EdgeLfrError
from edge_lfr.evaluation.fuzzing.authorities import authority_content
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_unsigned, refused
from edge_lfr.evaluation.fuzzing.made import APPLIANCE, DEVICE, KEYS, NOW, made_trust
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.governance.authority.draft import draft_file, previous_content, ready_to_countersign, ready_to_sign
from edge_lfr.governance.authority.judgement import AuthorityRefusal, AuthorityRefusedError, check_authority
from edge_lfr.governance.trust import Role


class Drafts:
    """An ordinary one, and an urgent one."""

    name = "draft"

    def __init__(self, now: datetime = NOW) -> None:
        content = authority_content(
            now, begins_at=(now + timedelta(hours=1)).isoformat(), ends_at=(now + timedelta(hours=6)).isoformat()
        )
        officer = {"name": "Officer 102", "rank": "inspector"}
        deadline = (now + timedelta(hours=4)).isoformat()
        urgent = {**content, "is_urgent": True, "countersign_by": deadline, "authorising_officer": officer}
        self.specimens = (draft_file(content), draft_file(urgent))
        self._now = now
        self._trust = made_trust(now)

    def structured(self, drawn: Random) -> Mutant:
        tree = json.loads(drawn.choice(self.specimens))
        if drawn.random() < 3 / 4:
            tree["content"], how = changed_tree(drawn, tree["content"])
            return Mutant(json_bytes(drawn, tree), f"content {how}")
        changed, how = changed_tree(drawn, tree)
        return Mutant(json_bytes(drawn, changed), f"envelope {how}")

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        try:
            document = ready_to_sign(mutant.untrusted, self._now, AuthorityPolicy())
        except EdgeLfrError as error:
            return refused(error)
        signed = document.with_signature(KEYS[Role.AUTHORISE]).wire(indent=2)
        draft_file(previous_content(signed))
        if document.content.is_urgent:
            ready_to_countersign(signed, self._now)
        try:
            check_authority(
                signed,
                trust=self._trust,
                device=DEVICE,
                device_fingerprint=APPLIANCE.fingerprint,
                now=self._now + timedelta(minutes=1),
            )
        except AuthorityRefusedError as error:
            if error.refusal not in {AuthorityRefusal.WRONG_FORCE, AuthorityRefusal.WRONG_DEVICE}:
                raise
        return of_unsigned(is_same=mutant.untrusted in self.specimens)

    def close(self) -> None:
        """Nothing was prepared."""
