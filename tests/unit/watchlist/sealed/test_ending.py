"""The end of a list: after it, nothing opens the list, and whoever looks destroys it, without any key."""

import errno
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_lfr.errors import (
    WatchlistClockError,
    WatchlistEndedError,
    WatchlistMissingError,
    WatchlistSealError,
    WatchlistWipedError,
)
from edge_lfr.governance.clock_note import TrustedTime
from edge_lfr.governance.keys import KeyEncryptingKey, KeyOrigin
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.governance.trusted_time import Doubt, TimeVerdict
from edge_lfr.watchlist.sealed.ending import END_NAME, SEALED_IN_DOUBT, ListEnd, Wiped, is_due, read_end, write_end
from edge_lfr.watchlist.sealed.new_list import NewList
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.clock import StoppedClock
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, new_store, picture, templates

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
END = NOW + timedelta(hours=10)
DAY_S = SEALED_IN_DOUBT.total_seconds()
NOTHING = Wiped(keys=0, lists=0)
ORIGIN = Origin(
    list_id="june-01",
    issuer_key="ab" * 32,
    extracted_at=NOW,
    manifest_sha256="cd" * 32,
    authority_id="TS-2026-014",
    authority_digest="ef" * 32,
)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(now=NOW)


@pytest.fixture
def store(tmp_path: Path, clock: StoppedClock) -> SealedStore:
    store = new_store(tmp_path)
    store.clock = clock
    return store


def keyless(store: SealedStore) -> SealedStore:
    """The store as somebody sees it who has no key of it."""
    return SealedStore(store.directory, KeyEncryptingKey(KeyOrigin.FILE, Seal(new_key())))


def load(store: SealedStore, wipe_at: datetime | None = END, origin: Origin | None = None) -> Path:
    """Load two references with that end, and give the folder of the list."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=wipe_at, origin=origin) as new:
        fill(new)
        return store.directory / "lists" / new.activate()


def fill(new: NewList) -> None:
    for number in range(2):
        new.add(entry(number), templates(number), picture(number))


def verdict(now: datetime, doubt: Doubt | None = None, doubted_s: float = 0.0) -> TimeVerdict:
    return TimeVerdict(now=now, doubt=doubt, doubted_s=doubted_s, steps=0, step_s=0.0)


def in_doubt(seconds: float) -> TimeVerdict:
    """Up for so long, and by this clock the end came years ago."""
    return verdict(END + timedelta(days=1_000), Doubt.JUMPED, seconds)


class TestIsDue:
    """The numbered rules of `is_due`."""

    @pytest.mark.parametrize("content", [None, bytes(60)])
    def test_1_what_has_no_key_is_not_due(self, store: SealedStore, content: bytes | None) -> None:
        """It was wiped, or is not made yet: a folder without an end is then no reason to destroy others."""
        folder = load(store)
        (folder / "key.wrapped").unlink()
        if content is not None:
            (folder / "key.wrapped").write_bytes(content)
        (folder / END_NAME).unlink()
        assert not is_due(folder, verdict(END))

    @pytest.mark.parametrize("content", [None, b"", b"{", b"\0" * 100, b"x" * 5_000])
    def test_2_an_end_that_nobody_can_read_has_come(self, store: SealedStore, content: bytes | None) -> None:
        """Missing, torn, empty or overlong."""
        folder = load(store)
        (folder / END_NAME).unlink()
        if content is not None:
            (folder / END_NAME).write_bytes(content)
        assert is_due(folder, verdict(NOW))

    def test_2_the_end_of_another_list_is_none(self, store: SealedStore, tmp_path: Path) -> None:
        """A longer life cannot be borrowed."""
        stranger = new_store(tmp_path / "other")
        stranger.clock = store.clock
        other = load(stranger, END + timedelta(days=9))
        folder = load(store)
        shutil.copy(other / END_NAME, folder / END_NAME)
        assert is_due(folder, verdict(NOW))

    @pytest.mark.parametrize(
        ("number", "failures", "expected"),
        [
            (errno.EIO, 1, False),
            (errno.EIO, 1_000, True),
            (errno.EMFILE, 1_000, False),
            (errno.ENOMEM, 1_000, False),
            (errno.EACCES, 1_000, True),
        ],
    )
    def test_2_what_passes_costs_no_list(
        self, store: SealedStore, monkeypatch: pytest.MonkeyPatch, number: int, failures: int, *, expected: bool
    ) -> None:
        """A disk that fails once, or a process without descriptors, is no end; a disk that goes on failing is."""
        folder, left, real = load(store), [failures], Path.open

        def fail(path: Path, *arguments: Any, **named: Any) -> Any:
            if path.name == END_NAME and left[0]:
                left[0] -= 1
                raise OSError(number, "refused")
            return real(path, *arguments, **named)

        monkeypatch.setattr(Path, "open", fail)
        assert expected is is_due(folder, verdict(NOW))

    def test_3_a_list_without_an_end_is_never_due(self, store: SealedStore) -> None:
        """Whatever the clock says, or does not."""
        folder = load(store, None)
        assert not is_due(folder, verdict(datetime.max.replace(tzinfo=UTC)))
        assert not is_due(folder, in_doubt(100 * DAY_S))

    @pytest.mark.parametrize(("before_s", "expected"), [(1.0, False), (0.0, True), (-1.0, True)])
    def test_4_due_from_its_end_on(self, store: SealedStore, before_s: float, *, expected: bool) -> None:
        """By a clock that is trusted; to the second."""
        assert expected is is_due(load(store), verdict(END - timedelta(seconds=before_s)))

    @pytest.mark.parametrize(("seconds", "expected"), [(0.0, False), (DAY_S - 1, False), (DAY_S, True)])
    def test_5_due_after_a_day_in_doubt(self, store: SealedStore, seconds: float, *, expected: bool) -> None:
        """Not by the doubted clock, but by the machine's uptime; whether it says too little or too much."""
        folder = load(store)
        assert expected is is_due(folder, in_doubt(seconds))
        assert expected is is_due(folder, verdict(NOW, Doubt.BEFORE_BUILD, seconds))


def test_the_end_is_on_the_disk_before_the_key(store: SealedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no power cut leaves a list that opens and has no end."""
    seen = []
    wrap = KeyEncryptingKey.wrap

    def look_and_wrap(self: KeyEncryptingKey, key: bytes, *, context: str) -> bytes:
        seen.append(read_end(store.directory / "lists" / context.rpartition(":")[2]))
        return wrap(self, key, context=context)

    monkeypatch.setattr(KeyEncryptingKey, "wrap", look_and_wrap)
    folder = load(store)
    assert [ListEnd(list_id=folder.name, wipe_at=END)] == seen
    assert json.loads((folder / END_NAME).read_bytes())["wipe_at"] == "2026-07-01T22:00:00Z"


def test_a_revoked_authority_ends_its_lists_without_a_key(store: SealedStore) -> None:
    """The id stands in clear beside the list: whoever knows what was revoked destroys it, and no other list."""
    folder = load(store, origin=ORIGIN)
    assert not keyless(store).is_revoked(["TS-2026-099"])
    assert NOTHING == keyless(store).wipe_if_due(verdict(NOW), revoked=["TS-2026-099"])
    assert Wiped(keys=1, lists=1) == keyless(store).wipe_if_due(verdict(NOW), revoked=["TS-2026-014"])
    assert not folder.exists()
    assert not store.is_revoked(["TS-2026-014"])


@pytest.mark.parametrize("said", ["TS-2026-099", None])
def test_a_list_whose_authority_was_changed_in_clear_does_not_open(store: SealedStore, said: str | None) -> None:
    """The same is sealed in the list, so that nobody takes a list away from its revocation."""
    folder = load(store, origin=ORIGIN)
    (folder / END_NAME).unlink()
    write_end(folder, END, said)
    with pytest.raises(WatchlistSealError, match="not the one that it was sealed with"):
        store.open(verdict(NOW))


def test_a_list_opens_before_its_end_only(store: SealedStore, clock: StoppedClock) -> None:
    """It is not even opened by the daemon that has not wiped it yet; a removal does not open it either."""
    load(store)
    with store.open() as stored:
        assert END == stored.wipe_at
    clock.now = END
    with pytest.raises(WatchlistEndedError, match="2026-07-01T22:00"):
        store.open()
    with pytest.raises(WatchlistEndedError):
        store.remove({"REF-00001"})


def test_a_list_without_an_end_opens_whenever(store: SealedStore, clock: StoppedClock) -> None:
    """Also by a clock that nobody trusts."""
    load(store, None)
    clock.now = NOW + timedelta(days=10_000)
    store.open(in_doubt(DAY_S)).close()


def test_a_list_stays_sealed_in_doubt(store: SealedStore) -> None:
    """It is refused with what to do, is still there, and opens when the clock is trusted again."""
    load(store)
    with pytest.raises(WatchlistClockError, match="jumped") as caught:
        store.open(in_doubt(0.0))
    assert "edge-lfr clock confirm" in caught.value.advice
    with pytest.raises(WatchlistClockError):
        store.remove({"REF-00001"}, in_doubt(0.0))
    store.open(verdict(NOW)).close()


def test_who_brings_no_verdict_goes_by_the_note(store: SealedStore, clock: StoppedClock) -> None:
    """A command that opens the store while nobody watches the time is not the way around it."""
    load(store)
    time = TrustedTime.begin(store.directory.parent, clock=clock)
    assert time.look().is_trusted
    clock.step(-3_600.0)
    assert not time.look().is_trusted
    with pytest.raises(WatchlistClockError):
        store.open()
    time.confirm()
    store.open().close()


@pytest.mark.parametrize("moved", [END + timedelta(days=1), END - timedelta(hours=1), None])
def test_a_moved_end_breaks_the_seal(store: SealedStore, moved: datetime | None) -> None:
    """The manifest was sealed with the other one."""
    folder = load(store)
    (folder / END_NAME).unlink()
    write_end(folder, moved)
    with pytest.raises(WatchlistSealError, match="sealed with"):
        store.open()


def test_an_end_that_is_taken_away_does_not_open_the_list(store: SealedStore) -> None:
    """Nobody can say when it ends, so it has."""
    folder = load(store)
    (folder / END_NAME).unlink()
    with pytest.raises(WatchlistSealError, match="nobody can say"):
        store.open(verdict(NOW))
    assert Wiped(keys=1, lists=1) == store.wipe_if_due(verdict(NOW))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 200), bit=st.integers(0, 7))
def test_no_changed_bit_prolongs_a_list(store: SealedStore, position: int, bit: int) -> None:
    """Any bit of the file: the list does not open, or opens with the end that it was sealed with."""
    store.wipe()
    path = load(store) / END_NAME
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)
    try:
        with store.open(verdict(NOW)) as stored:
            assert END == stored.wipe_at
    except (WatchlistSealError, WatchlistEndedError):
        pass


def test_a_removal_keeps_the_end(store: SealedStore) -> None:
    """In clear and in the seal."""
    load(store)
    assert 1 == store.remove({"REF-00001"})
    with store.open() as stored:
        assert END == stored.wipe_at
        assert ListEnd(list_id=stored.list_id, wipe_at=END) == read_end(store.directory / "lists" / stored.list_id)


def test_a_list_that_has_ended_is_not_begun(store: SealedStore) -> None:
    """It would have to be destroyed before it is whole."""
    with (
        pytest.raises(WatchlistEndedError),
        store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=NOW),
    ):
        pass
    assert store.is_empty()


def test_nothing_is_wiped_that_is_not_due(store: SealedStore) -> None:
    """Nor where there is no store."""
    assert NOTHING == store.wipe_if_due(verdict(END))
    load(store)
    assert not store.due(verdict(NOW))
    assert NOTHING == store.wipe_if_due(verdict(NOW))
    store.open().close()


@pytest.mark.parametrize("now", [verdict(END), in_doubt(DAY_S)])
def test_what_is_due_is_wiped_without_a_key(store: SealedStore, now: TimeVerdict) -> None:
    """Key before files, like any wipe; a second time there is nothing."""
    folder = load(store)
    witness = store.directory.parent / "witness"
    witness.hardlink_to(folder / "key.wrapped")
    assert keyless(store).due(now)
    assert Wiped(keys=1, lists=1) == keyless(store).wipe_if_due(now)
    assert not any(witness.read_bytes())
    assert NOTHING == keyless(store).wipe_if_due(now)
    assert not folder.exists()
    with pytest.raises(WatchlistMissingError):
        store.open(verdict(NOW))


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_list_that_a_dead_disk_left_beside_is_wiped_alone(store: SealedStore, *, is_readable: bool) -> None:
    """The list of today stays, though that of yesterday, which could not be cleared away, is due."""
    yesterday = load(store)
    shutil.copytree(yesterday, kept := store.directory / yesterday.name)
    today = load(store, END + timedelta(days=1))
    kept.rename(yesterday)
    if not is_readable:
        (yesterday / END_NAME).unlink()
    assert Wiped(keys=1, lists=1) == store.wipe_if_due(verdict(END))
    assert [today] == list((store.directory / "lists").iterdir())
    store.open(verdict(END)).close()


def test_a_list_for_tomorrow_outlives_the_one_of_today(store: SealedStore) -> None:
    """While it is being made the live one comes to its end; it becomes the live one all the same."""
    load(store)
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=END + timedelta(days=1)) as new:
        fill(new)
        assert Wiped(keys=1, lists=1) == keyless(store).wipe_if_due(verdict(END))
        assert store.is_empty()
        new.activate()
    store.open(verdict(END)).close()


def test_a_list_that_ends_while_it_is_made_never_is(store: SealedStore) -> None:
    """The loader is told that a wipe took it."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=END) as new:
        fill(new)
        assert Wiped(keys=1, lists=1) == keyless(store).wipe_if_due(verdict(END))
        with pytest.raises(WatchlistWipedError):
            new.activate()
    assert store.is_empty()


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"nonsense")])
def test_a_store_that_does_not_say_which_list_is_live_is_wiped_too(
    store: SealedStore, damage: Callable[[Path], None]
) -> None:
    """The end is looked for beside every list."""
    load(store)
    damage(store.directory / "current")
    assert Wiped(keys=1, lists=1) == keyless(store).wipe_if_due(verdict(END))
    assert store.is_empty()
    assert [] == list((store.directory / "lists").iterdir())
