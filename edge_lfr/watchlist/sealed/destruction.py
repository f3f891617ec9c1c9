"""The end of several lists: all keys first, then all files; what fails with one keeps none of the others alive."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_lfr.durable_files import overwrite_and_unlink
from edge_lfr.watchlist.sealed.new_list import KEY_NAME, destroy_list


def destroy_lists(folders: Sequence[Path], *, between: Callable[[], None] = lambda: None) -> int:
    """
    Destroy these lists, and give how many had a key; what is no list, but lies among them, goes too.

    Args:
        folders: Of the lists, in the order in which their keys end.

        between: Called when no key is left, before the files go.

    Raises:
        OSError: The first thing that failed, when everything was tried.
    """
    keys, failures = 0, _Failures()
    for folder in folders:
        with failures:
            keys += (folder / KEY_NAME).exists()
            overwrite_and_unlink(folder / KEY_NAME)
    with failures:
        between()
    for folder in folders:
        with failures:
            destroy_list(folder)
    if failures.first is not None:
        raise failures.first
    return keys


class _Failures(AbstractContextManager["_Failures"]):
    """Goes on after what the disk refuses, and keeps the first of it."""

    def __init__(self) -> None:
        self.first: OSError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        if isinstance(error, OSError) and self.first is None:
            self.first = error
        return isinstance(error, OSError)
