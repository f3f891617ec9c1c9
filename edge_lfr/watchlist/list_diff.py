"""What another list would change: entries of both enter, ids and names of fields leave, and no value of a field."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.fields import EntryField


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDiff:
    """Reference ids, in the order of the list in which they stand."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[EntryField, ...]]
    """Which fields say something else now."""

    unchanged: int

    def fields(self) -> dict[EntryField, int]:
        """How many entries say something else in each field, most frequent first."""
        return dict(Counter(field for fields in self.changed.values() for field in fields).most_common())


def compare_lists(before: Iterable[WatchlistEntry], after: Iterable[WatchlistEntry]) -> ListDiff:
    """
    Compare two lists by reference id.

    Args:
        before: Every reference once.

        after: Likewise.
    """
    old = {entry.reference_id: entry for entry in before}
    new = {entry.reference_id: entry for entry in after}
    changed = {
        reference_id: fields
        for reference_id, entry in new.items()
        if reference_id in old and (fields := _differing(old[reference_id], entry))
    }
    added = tuple(reference_id for reference_id in new if reference_id not in old)
    return ListDiff(
        added=added,
        removed=tuple(reference_id for reference_id in old if reference_id not in new),
        changed=changed,
        unchanged=len(new) - len(added) - len(changed),
    )


def _differing(old: WatchlistEntry, new: WatchlistEntry) -> tuple[EntryField, ...]:
    return tuple(field for field in EntryField if getattr(old, field.value) != getattr(new, field.value))
