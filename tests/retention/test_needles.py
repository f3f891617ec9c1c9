"""The search itself: it finds every copy at every address, and nothing else."""

import base64
import mmap
import os

import numpy as np
import pytest

from retention.needles import MIN_BYTES, WORD, Hit, Kind, Needle, NeedleTable, in_text, is_distinctive
from retention.processes import DAEMON, search_memory
from retention.tapping import Event, Told
from retention.watch import Watch


def noise(length: int, seed: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, length, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("length", [MIN_BYTES, 48, 64, 255])
def test_a_copy_is_found_at_every_address(length: int) -> None:
    """A library copies to wherever it likes."""
    needles = [noise(length, seed) for seed in range(200)]
    table = NeedleTable(needles)
    for shift in range(WORD):
        haystack = bytearray(100_000)
        expected = []
        for index, needle in enumerate(needles[:50]):
            position = 1000 * index + shift
            haystack[position : position + length] = needle
            expected.append(Hit(index, position))
        assert expected == table.search(haystack)


def test_a_fragment_with_a_flat_beginning_does_not_match_every_wall() -> None:
    """It is found by its busiest part, and only whole."""
    needle = bytes(24) + noise(24, 1)
    table = NeedleTable([needle])
    haystack = bytearray(1 << 16)
    haystack[40_000:40_024] = needle[24:]
    haystack[50_000:50_048] = needle
    haystack[40_000 - 1] = 1
    assert [Hit(0, 50_000)] == table.search(haystack)


def test_nothing_is_found_where_nothing_is() -> None:
    """Half a fragment is none, and no needles find nothing."""
    needle = noise(48, 1)
    assert [] == NeedleTable([needle]).search(noise(10_000, 2) + needle[:40] + noise(10_000, 3))
    assert [] == NeedleTable([]).search(noise(1000, 1))


def test_flat_fragments_are_not_looked_for() -> None:
    """Black is everybody's."""
    assert not is_distinctive(bytes(48), np.uint8)
    assert not is_distinctive(np.full(16, 128.0, np.float32).tobytes(), np.float32)
    assert is_distinctive(noise(48, 1), np.uint8)


def test_text_forms_are_those_that_a_program_would_write() -> None:
    """A fragment in the middle of a longer base64 text is found, whatever its phase."""

    content = noise(64, 1)
    for phase in range(3):
        text = base64.b64encode(noise(30 + phase, 2) + content + noise(40, 3))
        assert any(form in text for form in in_text(Needle(Kind.PROBE, content)))
    assert content.hex().encode() in in_text(Needle(Kind.PROBE, content))


def test_a_probe_is_looked_for_in_both_widths() -> None:
    """Exact scores are computed in float64, so a copy may lie there as wide numbers, and at any address."""
    vector = np.random.default_rng(1).standard_normal(256).astype(np.float32)
    watch = Watch()
    watch.take(Told(Event.PROBE, 0, 0.0, vector.tobytes()))
    needles = watch.needles()
    table = NeedleTable(needle.content for needle in needles)
    for kind, copied in ((Kind.PROBE, vector), (Kind.WIDE_PROBE, vector.astype(np.float64))):
        hits = table.search(bytes(3) + copied.tobytes() + bytes(MIN_BYTES))
        assert [kind] * 4 == [needles[hit.needle].kind for hit in hits]


def test_a_running_process_is_searched_whole() -> None:
    """Also its anonymous pages, up to the last byte of a mapping."""
    block = mmap.mmap(-1, 3 * mmap.PAGESIZE)
    table = NeedleTable([noise(64, 77), noise(64, 78)])
    for seed, position in ((77, 5), (78, 3 * mmap.PAGESIZE - 64)):
        block[position : position + 64] = noise(64, seed)
    found = search_memory(os.getpid(), table)
    places = {hit.position % mmap.PAGESIZE for entry in found.found for hit in entry.hits}
    assert {5, mmap.PAGESIZE - 64} <= places
    assert found.searched_bytes[DAEMON] > 1 << 20
