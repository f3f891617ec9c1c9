"""The shared memory of one camera: who holds a slot, and that it is zeroed on every way back."""

import fcntl
import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.locking import TALLY
from edge_lfr.errors import FrameFormatError
from edge_lfr.pipeline.capture.protocol import Limits
from edge_lfr.pipeline.capture.slots import Slots

SIZE = SizeWH(64, 48)
LIMITS = Limits(slots=3, size=SIZE)


@pytest.fixture
def slots() -> Iterator[Slots]:
    made = Slots(LIMITS)
    yield made
    made.close()


def bytes_in(slots: Slots) -> int:
    """How many bytes of the shared memory are not zero, seen as a decoder sees them."""
    length = LIMITS.slots * LIMITS.slot_bytes
    return int(np.count_nonzero(np.frombuffer(os.pread(slots.descriptor, length, 0), dtype=np.uint8)))


def scribble(slots: Slots, index: int) -> None:
    """Write as a decoder does."""
    os.pwrite(slots.descriptor, b"\xaa" * LIMITS.slot_bytes, index * LIMITS.slot_bytes)


def test_slots_are_in_the_account_of_locked_memory() -> None:
    """Whether all that holds pixels is held in memory is one number."""
    before = TALLY.locked_bytes + TALLY.unlocked_bytes
    made = Slots(LIMITS)
    assert before + LIMITS.slots * LIMITS.slot_bytes == TALLY.locked_bytes + TALLY.unlocked_bytes
    made.close()
    assert before == TALLY.locked_bytes + TALLY.unlocked_bytes


def test_memory_cannot_be_resized(slots: Slots) -> None:
    """A decoder that shrinks the memory under the daemon would kill it with SIGBUS."""
    seals = fcntl.fcntl(slots.descriptor, fcntl.F_GET_SEALS)
    needed = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    assert needed == seals & needed
    with pytest.raises(PermissionError):
        os.ftruncate(slots.descriptor, 0)


def test_a_picture_is_seen_and_then_zeroed(slots: Slots) -> None:
    """What the decoder wrote is the frame's, until the frame gives it back."""
    slots.lend_all()
    returned: list[int] = []
    slots.return_to(returned.append)
    scribble(slots, 1)
    pixels = slots.accept(1, SIZE)
    assert (48, 64, 3) == pixels.shape
    assert np.all(pixels == 0xAA)
    slots.give_back(1, pixels)
    assert [1] == returned
    assert 0 == bytes_in(slots)


def test_a_slot_that_a_frame_holds_is_not_accepted_again(slots: Slots) -> None:
    """A decoder that announces a slot twice wrote into a frame of the path."""
    slots.lend_all()
    slots.accept(0, SIZE)
    with pytest.raises(FrameFormatError, match="not lent"):
        slots.accept(0, SIZE)


def test_what_a_dead_decoder_wrote_is_zeroed(slots: Slots) -> None:
    """The half-written picture of a killed decoder does not stay."""
    slots.lend_all()
    slots.return_to(lambda _: None)
    scribble(slots, 0)
    scribble(slots, 2)
    slots.reclaim()
    assert 0 == bytes_in(slots)


def test_a_frame_outlives_its_decoder(slots: Slots) -> None:
    """A frame that the path holds stays as it is when the decoder dies, and its slot is not lent to the next one."""
    slots.lend_all()
    scribble(slots, 1)
    pixels = slots.accept(1, SIZE)
    slots.reclaim()
    assert np.all(pixels == 0xAA)
    assert (0, 2) == slots.lend_all()
    returned: list[int] = []
    slots.return_to(returned.append)
    slots.give_back(1, pixels)
    assert [1] == returned
    assert 0 == bytes_in(slots)


def test_a_slot_that_comes_back_between_two_decoders_is_not_lost(slots: Slots) -> None:
    """It came back after the order was written: the new decoder is told of it."""
    slots.lend_all()
    pixels = slots.accept(1, SIZE)
    slots.reclaim()
    slots.lend_all()
    slots.give_back(1, pixels)
    returned: list[int] = []
    slots.return_to(returned.append)
    assert [1] == returned


def test_a_frame_outlives_its_camera() -> None:
    """Closing zeroes all but what the path still reads, which is valid memory until it is given back."""
    slots = Slots(LIMITS)
    slots.lend_all()
    scribble(slots, 2)
    scribble(slots, 1)
    witness = os.dup(slots.descriptor)
    pixels = slots.accept(1, SIZE)
    slots.close()
    assert LIMITS.slot_bytes == np.count_nonzero(np.frombuffer(os.pread(witness, 3 * LIMITS.slot_bytes, 0), np.uint8))
    assert np.all(pixels == 0xAA)
    slots.give_back(1, pixels)
    assert 0 == np.count_nonzero(np.frombuffer(os.pread(witness, 3 * LIMITS.slot_bytes, 0), np.uint8))
    os.close(witness)


def test_slots_come_back_from_many_threads(slots: Slots) -> None:
    """No slot is lost or doubled when frames are destroyed in other threads than the camera's."""
    slots.lend_all()
    returned: list[int] = []
    slots.return_to(returned.append)
    for _ in range(50):
        held = [(index, slots.accept(index, SIZE)) for index in range(3)]
        threads = [threading.Thread(target=slots.give_back, args=pair) for pair in held]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {0: 50, 1: 50, 2: 50} == {index: returned.count(index) for index in range(3)}
    assert 0 == slots.held
