import gc

import numpy as np

from edge_lfr.biometrics.locking import TALLY, locked_zeros


def test_an_array_lies_in_pages_of_its_own_that_are_accounted_for() -> None:
    """The account knows what is held, and forgets it with the last array that shows it."""
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
