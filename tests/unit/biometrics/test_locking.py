import gc
import mmap

import numpy as np
import pytest

from edge_lfr.biometrics.locking import HUGE_PAGE_BYTES, TALLY, locked_zeros


def test_an_array_lies_in_pages_of_its_own_that_are_accounted_for() -> None:
    """The account knows what is held, and forgets it with the last array that shows it."""
    gc.collect()  # what tests before left
    before = TALLY.locked_bytes + TALLY.unlocked_bytes
    array = locked_zeros((10, 256), np.float32)
    assert 0 == np.count_nonzero(array)
    assert 0 == array.ctypes.data % 4096
    assert array.flags.writeable
    assert before + array.nbytes == TALLY.locked_bytes + TALLY.unlocked_bytes
    row = array[3]
    del array
    gc.collect()
    assert before + 10 * 256 * 4 == TALLY.locked_bytes + TALLY.unlocked_bytes
    del row
    gc.collect()
    assert before == TALLY.locked_bytes + TALLY.unlocked_bytes


def test_an_empty_array_takes_no_pages() -> None:
    """A list of nobody is a list, too."""
    assert (0, 4) == locked_zeros((0, 4), np.float32).shape


NO_ADVICE = 9_999
"""The real kernel answers EINVAL, as one without huge pages does to `MADV_HUGEPAGE`."""


def test_a_kernel_without_huge_pages_gives_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a matter of speed: the array is there, and in the account, all the same."""
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", NO_ADVICE)
    gc.collect()  # what tests before left
    before = TALLY.locked_bytes + TALLY.unlocked_bytes
    array = locked_zeros((HUGE_PAGE_BYTES,), np.uint8)
    assert HUGE_PAGE_BYTES == len(array)
    assert before + HUGE_PAGE_BYTES == TALLY.locked_bytes + TALLY.unlocked_bytes


def test_pages_that_could_not_be_made_leave_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they cannot be kept out of dumps there is an error, nothing is counted, and nothing fails behind it."""
    monkeypatch.setattr(mmap, "MADV_DONTDUMP", NO_ADVICE)
    gc.collect()  # what tests before left
    before = TALLY.locked_bytes + TALLY.unlocked_bytes
    with pytest.raises(OSError, match="Invalid argument"):
        locked_zeros((4096,), np.uint8)
    gc.collect()
    assert before == TALLY.locked_bytes + TALLY.unlocked_bytes
