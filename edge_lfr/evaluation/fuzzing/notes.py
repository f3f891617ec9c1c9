"""What the appliance notes for itself in clear: the end of a list and the state of the clock, changed by anybody."""

import json
from datetime import timedelta
from pathlib import Path
from random import Random

from edge_lfr.errors import EdgeLfrError
from edge_lfr.evaluation.fuzzing.case import INCOMING, Mutant, Outcome, Verdict, of_unsigned, put_in, refused
from edge_lfr.evaluation.fuzzing.made import NOW, MadeKernel, StillClock
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.governance.clock_note import FILE_NAME, TrustedTime, glance
from edge_lfr.governance.trusted_time import Doubt, TimeNote, TimeVerdict
from edge_lfr.watchlist.sealed.ending import END_NAME, ListEnd, is_due, read_end, require_before_end
from edge_lfr.watchlist.sealed.new_list import KEY_NAME

_LIST = "list-1"


class ListEnds:
    """A list with an end, one without, and one that an authority allowed."""

    name = "end of a list"

    def __init__(self) -> None:
        later = NOW + timedelta(hours=6)
        self._sound = (
            ListEnd(list_id=_LIST, wipe_at=later),
            ListEnd(list_id=_LIST, wipe_at=None),
            ListEnd(list_id=_LIST, wipe_at=later, authority_id="TS-2026-014"),
        )
        self.specimens = tuple(end.model_dump_json().encode() for end in self._sound)

    def structured(self, drawn: Random) -> Mutant:
        changed, how = changed_tree(drawn, json.loads(drawn.choice(self.specimens)))
        return Mutant(json_bytes(drawn, changed), how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        place = put_in(folder, f"{_LIST}/{END_NAME}", mutant.untrusted).parent
        put_in(folder, f"{_LIST}/{KEY_NAME}", b"\1")
        trusted = TimeVerdict(now=NOW, doubt=None, doubted_s=0.0, steps=0, step_s=0.0)
        doubted = TimeVerdict(now=NOW, doubt=Doubt.JUMPED, doubted_s=60.0, steps=0, step_s=0.0)
        found = read_end(place)
        due = [is_due(place, verdict) for verdict in (trusted, doubted)]
        if found is None and due != [True, True]:
            message = "nobody can say when it ends, and it is not due"
            raise AssertionError(message)
        try:
            end = require_before_end(place, lambda: trusted)
        except EdgeLfrError as error:
            return refused(error)
        return of_unsigned(is_same=end in self._sound)

    def close(self) -> None:
        """Nothing was prepared."""


class ClockNotes:
    """Of a clock that was never doubted, of one that a technician confirmed, and of one that is doubted."""

    name = "note of the clock"

    def __init__(self) -> None:
        clock = StillClock()
        boottime_ns = clock.boottime_ns() - 60_000_000_000
        note = TimeNote(
            boot_id=MadeKernel().boot_id(), boottime_ns=boottime_ns, wall=NOW - timedelta(minutes=1), newest=NOW
        )
        confirmed = note.model_copy(update={"steps": 3, "spent_ns": 5_000, "overruled": NOW})
        doubted = note.model_copy(update={"doubt": Doubt.JUMPED, "doubted_ns": 5_000})
        self.specimens = tuple(each.model_dump_json(indent=1).encode() for each in (note, confirmed, doubted))

    def structured(self, drawn: Random) -> Mutant:
        changed, how = changed_tree(drawn, json.loads(drawn.choice(self.specimens)))
        return Mutant(json_bytes(drawn, changed), how)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        put_in(folder, FILE_NAME, mutant.untrusted)
        list_folder = put_in(
            folder, f"{_LIST}/{END_NAME}", ListEnd(list_id=_LIST, wipe_at=NOW).model_dump_json().encode()
        )
        put_in(folder, f"{_LIST}/{KEY_NAME}", b"\1")
        clock, kernel = StillClock(), MadeKernel()
        directory = folder / INCOMING
        glance(directory, clock=clock, kernel=kernel)
        watch = TrustedTime.begin(directory, clock=clock, kernel=kernel)
        verdict = watch.look()
        clock.sleep(1.0)
        later = watch.look()
        is_due(list_folder.parent, later)
        TrustedTime.begin(directory, clock=clock, kernel=kernel).look()
        watch.confirm()
        is_same = mutant.untrusted in self.specimens
        if verdict.doubt is not None and not is_same:
            return Outcome(Verdict.REFUSED, verdict.doubt)
        return of_unsigned(is_same=is_same)

    def close(self) -> None:
        """Nothing was prepared."""
