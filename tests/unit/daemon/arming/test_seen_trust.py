"""What is remembered of the keys that were trusted."""

import json
from dataclasses import replace
from pathlib import Path

from edge_lfr.daemon.arming.seen_trust import FILE_NAME, SeenKey, keep_seen, read_seen, seen_in
from edge_lfr.governance.trust import TrustStore
from edge_lfr.terms import Rank
from simulators.authorities import Force


def test_another_rank_is_a_change(tmp_path: Path) -> None:
    """Who was made a superintendent in a trust file while nobody looked ratifies what could not wait."""
    trust = Force(tmp_path).trust
    keep_seen(tmp_path, seen_in(trust))
    assert seen_in(trust) == read_seen(tmp_path)
    raised = {print_: replace(key, rank=Rank.CHIEF_CONSTABLE) for print_, key in trust.keys.items() if key.rank}
    assert seen_in(TrustStore({**trust.keys, **raised})) - seen_in(trust) == {SeenKey.of(k) for k in raised.values()}


def test_what_was_kept_before_ranks_is_read(tmp_path: Path) -> None:
    """A key without a rank is the same key after an update, and holds no start."""
    seen = {each for each in seen_in(Force(tmp_path).trust) if not each.rank}
    assert seen
    keep_seen(tmp_path, seen)
    path = tmp_path / FILE_NAME
    before = [{name: value for name, value in each.items() if name != "rank"} for each in json.loads(path.read_text())]
    path.write_text(json.dumps(before))
    assert frozenset(seen) == read_seen(tmp_path)
