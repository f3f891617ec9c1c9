"""
Whom this appliance trusted when it was last looked at: a change that happened while nobody looked is told all the same.

    <mode folder>/trusted.json    what each key may do and how long; fingerprints are no secret
"""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import structlog

from edge_lfr.durable_files import give_to_folders_owner, write_durably
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.lines import written_time
from edge_lfr.governance.trust import MAX_TRUST_FILES, TrustedKey, TrustStore, shown_fingerprint

log = structlog.get_logger()

FILE_NAME: Final = "trusted.json"

MAX_BYTES: Final = 1_000 * MAX_TRUST_FILES
"""A key takes some 200 bytes."""


@dataclass(frozen=True, slots=True, order=True)
class SeenKey:
    """What counts of a trusted key, as the ledger writes it."""

    key: str
    role: str
    starts_at: str
    ends_at: str
    rank: str = ""

    @classmethod
    def of(cls, key: TrustedKey) -> Self:
        return cls(
            shown_fingerprint(key.fingerprint),
            key.role.value,
            written_time(key.not_before),
            written_time(key.not_after),
            "" if key.rank is None else key.rank.value,
        )


def seen_in(trust: TrustStore) -> frozenset[SeenKey]:
    """Every key of *trust*."""
    return frozenset(SeenKey.of(key) for key in trust.keys.values())


def read_seen(mode_directory: Path) -> frozenset[SeenKey] | None:
    """Read whom it trusted; None where it was never looked at, and nobody where that cannot be read."""
    try:
        with (mode_directory / FILE_NAME).open("rb") as file:
            return frozenset(SeenKey(**each) for each in json.loads(file.read(MAX_BYTES)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        log.error("trust.seen-unreadable", error=type(error).__name__)
        return frozenset()


def keep_seen(mode_directory: Path, seen: Collection[SeenKey]) -> None:
    """Have it on the disk; where that fails it is told, and the next start sees a change that was told already."""
    try:
        path = mode_directory / FILE_NAME
        write_durably(path, json.dumps([asdict(each) for each in sorted(seen)]).encode())
        give_to_folders_owner(path)
    except OSError as error:
        log.error("trust.seen-not-kept", reason=error.strerror)


def tell_changes(
    before: Collection[SeenKey], after: Collection[SeenKey], tell: Callable[[LedgerEvent, SeenKey], None]
) -> None:
    """Tell of each key that counts no more, or for something else, and then of each that is new."""
    for each in sorted(set(before) - set(after)):
        tell(LedgerEvent.TRUST_REMOVED, each)
    for each in sorted(set(after) - set(before)):
        tell(LedgerEvent.TRUST_ADDED, each)
