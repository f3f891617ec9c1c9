"""Heads of the ledger that somebody else kept, as a file of signed documents: compared with the ledger."""

import io
import json
from pathlib import Path
from random import Random

from edge_lfr.errors import EdgeLfrError
from edge_lfr.evaluation.fuzzing.authorities import signed_anew
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, Verdict, of_signed, refused
from edge_lfr.evaluation.fuzzing.ledgers import made_ledger
from edge_lfr.evaluation.fuzzing.made import APPLIANCE
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.governance.documents import Kind
from edge_lfr.governance.ledger.file import split
from edge_lfr.governance.ledger.published import read_published
from edge_lfr.governance.ledger.verify import verify_ledger


class PublishedHeads:
    """All heads of one ledger."""

    name = "published heads"

    def __init__(self) -> None:
        self.ledger, heads = made_ledger(3)
        self.specimens = (b"".join(head + b"\n" for head in heads), heads[-1] + b"\n")
        self._sound = {json.dumps(json.loads(head)["content"], sort_keys=True) for head in heads}

    def structured(self, drawn: Random) -> Mutant:
        lines = self.specimens[0].splitlines(keepends=True)
        place = drawn.randrange(len(lines))
        tree = json.loads(lines[place])
        if drawn.random() < 2 / 3:
            content, how = changed_tree(drawn, tree["content"])
            line, is_anew = signed_anew(drawn, Kind.LEDGER_HEAD, content, APPLIANCE), True
        else:
            changed, how = changed_tree(drawn, tree)
            line, is_anew = json_bytes(drawn, changed), False
        lines[place] = line.replace(b"\n", b" ") + b"\n"
        return Mutant(b"".join(lines), f"head {how}", is_signed_anew=is_anew)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        try:
            believed = [
                each.head.content.model_dump()
                for each in read_published(io.BytesIO(mutant.untrusted))
                if each.head is not None and each.head.is_signed_by(APPLIANCE.public)
            ]
            report = verify_ledger(
                split(io.BytesIO(self.ledger), len(self.ledger)),
                expected_key=APPLIANCE.fingerprint,
                published=read_published(io.BytesIO(mutant.untrusted)),
            )
        except EdgeLfrError as error:
            return refused(error)
        is_sound = all(json.dumps(content, sort_keys=True) in self._sound for content in believed)
        if not is_sound and not mutant.is_signed_anew:
            return Outcome(Verdict.FORGED)
        if not report.is_whole:
            return Outcome(Verdict.REFUSED, str(report.findings.told[0].code))
        return of_signed(mutant, is_same=is_sound)

    def close(self) -> None:
        """Nothing was prepared."""
