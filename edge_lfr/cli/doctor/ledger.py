"""What the doctor looks at in the ledger: whose it is, and that its end is chained and signed."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_lfr.cli.doctor.check import Check, fail, ok, warn
from edge_lfr.clock import Clock, SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.backwards import lines_backwards
from edge_lfr.governance.ledger.events import LedgerEvent, is_weighty
from edge_lfr.governance.ledger.file import FILE_NAME, first_line, opened, read_tail
from edge_lfr.governance.ledger.head import head_in, public_key_of, public_text
from edge_lfr.governance.ledger.lines import LedgerLine, digest_of, read_line

LOOKED_AT: Final = 1_000
"""Lines from the end at most; a head comes every minute. Chosen, not measured."""

KEEP: Final = "keep the file as evidence, and see `edge-lfr ledger verify`"


def check_ledger(config: ApplianceConfig) -> Iterator[Check]:
    """Its first line, and its end up to the last signature; `edge-lfr ledger verify` looks at every line."""
    path, clock = config.mode_directory / FILE_NAME, SystemClock()
    if not path.exists():
        yield ok("ledger", "none yet; it begins when the appliance first runs")
        return
    with opened(path, clock, to_write=False) as descriptor:
        first, tail = first_line(descriptor, path), read_tail(descriptor, path)
    key = first.facts.get("key")
    if first.facts.get("public_key") != public_text(DeviceKeys.load(config.device_directory).signing.public):
        yield fail("ledger", f"begun with the key {key}, which is not this box's", KEEP)
        return
    head = _newest_head(path, clock, first)
    if head is None:
        yield fail("ledger", f"its last {LOOKED_AT} lines are not chained to a signature of this box", KEEP)
        return
    age_s = max(0.0, (clock.utc_now() - head.at).total_seconds())
    found = f"{tail.line.n} lines, signed {age_s:.0f} s ago up to line {head.n - 1}, by {key}"
    if is_weighty(tail.line.event):
        unvouched = f"line {tail.line.n} ({tail.line.event}) has no signature"
        yield warn("ledger", f"{found}; {unvouched}: a write was cut off, or somebody added it without the key", KEEP)
    elif tail.torn is not None:
        yield warn("ledger", f"{found}; {tail.torn.size} bytes behind are torn", "the next line seals them off")
    else:
        yield ok("ledger", found)


def _newest_head(path: Path, clock: Clock, first: LedgerLine) -> LedgerLine | None:
    """The last line that is a signature of that key, with an unbroken chain from there to the end."""
    public, after = public_key_of(first), None
    if public is None:
        return None
    for untrusted in itertools.islice(lines_backwards(path, clock), LOOKED_AT):
        line = read_line(untrusted)
        if line is None:
            if after is None:
                continue  # torn, at the end
            return None
        if after is not None and after.previous != digest_of(untrusted) and after.event != LedgerEvent.TORN:
            return None
        if line.event == LedgerEvent.HEAD:
            return None if head_in(line, public, str(first.facts.get("ledger"))) is None else line
        after = line
    return None
