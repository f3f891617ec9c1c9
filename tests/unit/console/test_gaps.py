"""Missing numbers."""

from edge_lfr.console.gaps import MAX_BOOTS, MAX_MISSING, GapFinder


def test_a_jump_is_a_gap_until_it_is_filled() -> None:
    """Late messages fill it; repeats change nothing; each run counts for itself."""
    gaps = GapFinder()
    assert () == gaps.arrived("b1", 5)
    assert () == gaps.arrived("b1", 6)
    assert (7, 8) == gaps.arrived("b1", 9)
    assert () == gaps.arrived("b1", 8)
    assert () == gaps.arrived("b1", 9)
    assert (7,) == gaps.missing("b1")
    assert () == gaps.arrived("b2", 1)
    assert () == gaps.missing("b2")


def test_memory_is_bounded() -> None:
    """Neither a wild number nor many runs fill the memory."""
    gaps = GapFinder()
    gaps.arrived("b", 1)
    gaps.arrived("b", 10**12)
    assert MAX_MISSING == len(gaps.missing("b"))
    for number in range(MAX_BOOTS):
        gaps.arrived(f"b{number}", 1)
    assert () == gaps.missing("b")
