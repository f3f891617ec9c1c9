"""A watchlist out of a stream becomes a list as one out of a folder does, and what waits in memory is bounded."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np
import pytest
from numpy.typing import NDArray

from assets.pictures.build_pictures import encoded, gradient
from edge_lfr.config.faces import QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.errors import WatchlistEndedError, WatchlistMissingError, WatchlistWipedError
from edge_lfr.pipeline.enrolment import EnrolmentStages, enrol
from edge_lfr.pipeline.enrolment_load import WAITING_BYTES
from edge_lfr.watchlist.enrolling.folder import WatchlistSource, read_source
from edge_lfr.watchlist.enrolling.pictures import MAX_FILE_BYTES
from edge_lfr.watchlist.enrolling.report import EnrolmentReport, RowOutcome
from edge_lfr.watchlist.enrolling.sources import EnrolmentSource, SourceReference
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.enrolment import SourceFolder, open_stages
from simulators.streams import StreamedSource
from simulators.watchlists import new_store

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def stages(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> EnrolmentStages:
    return open_stages(shared_models, tmp_path_factory.mktemp("models"), lanes=2)


@pytest.fixture
def store(tmp_path: Path) -> SealedStore:
    return new_store(tmp_path / "state")


@pytest.fixture
def people(tmp_path: Path, shared_data: Path) -> WatchlistSource:
    """Twenty references, two of them without a face; every third has a second picture, at the end of the rows."""
    folder = SourceFolder(tmp_path / "people")
    folder.path.mkdir()
    neutral = sorted((shared_data / "london" / "neutral").glob("*.jpg"))[:20]
    for number, path in enumerate(neutral):
        content = encoded(".jpg", gradient()) if number in {4, 13} else path.read_bytes()
        folder.add(f"REF-{number}", f"{number}.jpg", content)
    for number in range(0, 20, 3):
        smiling = shared_data / "london" / "smiling" / neutral[number].name
        folder.add(f"REF-{number}", f"{number}-smiling.jpg", smiling.read_bytes())
    return read_source(folder.write())


def load(source: EnrolmentSource, store: SealedStore, stages: EnrolmentStages, **options: object) -> EnrolmentReport:
    chosen = {"accept_partial": True, **options}
    return enrol(source, store, stages, quality=QualityConfig(), decision=DecisionConfig(), **chosen)  # type: ignore[arg-type]  # a test's own options


def matrix_in(trace: TracebackType | None) -> NDArray[np.float32]:
    """The matrix of the load that an error came out of."""
    while trace is not None:
        if "load" in trace.tb_frame.f_locals and trace.tb_frame.f_code.co_name == "enrol":
            matrix: NDArray[np.float32] = trace.tb_frame.f_locals["load"]._matrix
            return matrix
        trace = trace.tb_next
    message = "the error did not come out of a load"
    raise AssertionError(message)


def test_a_stream_gives_the_list_that_the_folder_gives(
    people: WatchlistSource, tmp_path: Path, stages: EnrolmentStages
) -> None:
    """The same rows, entries and measures in the report, the same references with the same templates in the list."""
    found = []
    for name, source in (("folder", people), ("stream", StreamedSource(people))):
        store = new_store(tmp_path / name)
        report = load(source, store, stages)
        with store.open() as stored:
            found.append((report, stored.reference_ids, *stored.vectors()))

    (one, one_ids, one_vectors, one_owners), (other, other_ids, other_vectors, other_owners) = found
    assert (one.rows, one.entries, one.quality) == (other.rows, other.entries, other.quality)
    assert (one_ids, one_owners) == (other_ids, other_owners)
    assert (18, 25) == (len(one_ids), len(one_vectors))
    assert np.allclose(one_vectors, other_vectors, atol=1e-5)


@pytest.mark.parametrize("ends_after", [0, 1, 19])
def test_a_stream_that_breaks_leaves_the_list_before(
    people: WatchlistSource, store: SealedStore, stages: EnrolmentStages, ends_after: int
) -> None:
    """Whatever was taken and sealed by then is destroyed: no second list, no template, no sample."""
    first = load(people, store, stages)

    with pytest.raises(OSError, match="the stick was pulled out") as caught:
        load(StreamedSource(people, ends_after=ends_after), store, stages)

    with store.open() as stored:
        assert first.list_id == stored.list_id
    assert [first.list_id] == [path.name for path in (store.directory / "lists").iterdir()]
    assert not matrix_in(caught.tb).any()
    assert not any(lane.aligner.arena.block.any() or lane.embedder.arena.block.any() for lane in stages.lanes)


def test_a_stream_is_genuine_only_at_its_end(
    people: WatchlistSource, store: SealedStore, stages: EnrolmentStages
) -> None:
    """What breaks after the last reference, as a bundle whose last chunk is missing does, breaks the load."""
    with pytest.raises(OSError, match="the stick was pulled out"):
        load(AtItsEnd(people), store, stages)

    assert store.is_empty()
    assert [] == list((store.directory / "lists").iterdir())


class AtItsEnd(StreamedSource):
    """Breaks once all references were given."""

    def references(self) -> Iterator[SourceReference]:
        yield from StreamedSource.references(self)
        message = "the stick was pulled out"
        raise OSError(message)


def test_what_waits_in_memory_is_bounded(tmp_path: Path, store: SealedStore, stages: EnrolmentStages) -> None:
    """A hundred pictures of the largest size, given faster than lanes take them: never more than the bound at once."""
    folder = SourceFolder(tmp_path)
    for number in range(100):
        folder.add(f"REF-{number}", "one.jpg", encoded(".jpg", gradient()))
    source = StreamedSource(read_source(folder.write()), padded_to=MAX_FILE_BYTES)

    report = load(source, store, stages)

    assert {RowOutcome.NO_FACE: 100} == report.outcomes()
    assert (100, 0) == (source.given, source.live_bytes)
    assert 2 * MAX_FILE_BYTES <= source.peak_bytes <= WAITING_BYTES


def test_a_reference_beyond_the_bound_waits_alone(tmp_path: Path, store: SealedStore, stages: EnrolmentStages) -> None:
    """Five of the largest pictures of one person are taken, and nothing else is held meanwhile."""
    folder = SourceFolder(tmp_path)
    for number in range(12):
        folder.add(f"REF-{number // 5}", f"{number}.jpg", encoded(".jpg", gradient()))
    source = StreamedSource(read_source(folder.write()), padded_to=MAX_FILE_BYTES)

    report = load(source, store, stages)

    assert {RowOutcome.NO_FACE: 12} == report.outcomes()
    assert 5 * MAX_FILE_BYTES == source.peak_bytes


def test_a_wipe_during_a_stream_ends_it(people: WatchlistSource, store: SealedStore, stages: EnrolmentStages) -> None:
    """The load asks for no further picture, and leaves nothing."""
    source = StreamedSource(people, padded_to=MAX_FILE_BYTES)

    def wipe(done: int, _total: int) -> None:
        if done == 1:
            store.wipe()

    with pytest.raises(WatchlistWipedError) as caught:
        load(source, store, stages, progress=wipe)

    assert source.given < len(source.entries) / 2
    assert [] == list((store.directory / "lists").iterdir())
    assert not matrix_in(caught.tb).any()


def of_folder(people: WatchlistSource, refused: dict[int, tuple[str, ...]]) -> EnrolmentSource:
    return replace(people, refused=refused)


def of_stream(people: WatchlistSource, refused: dict[int, tuple[str, ...]]) -> EnrolmentSource:
    return StreamedSource(people, refused=refused)


@pytest.mark.parametrize("source_of", [of_folder, of_stream])
def test_an_unlawful_entry_is_never_enrolled(
    people: WatchlistSource,
    store: SealedStore,
    stages: EnrolmentStages,
    source_of: Callable[[WatchlistSource, dict[int, tuple[str, ...]]], EnrolmentSource],
) -> None:
    """Good pictures do not help it: no template, no row of the list, and its codes in the report."""
    refused = {0: ("expired", "born-unknown"), 7: ("expired",)}

    report = load(source_of(people, refused), store, stages)

    unlawful = [row for row in report.rows if row.outcome is RowOutcome.UNLAWFUL]
    assert ["REF-0", "REF-7", "REF-0"] == [row.reference_id for row in unlawful]
    assert [refused[0], refused[7], refused[0]] == [row.reasons for row in unlawful]
    assert [(0, refused[0]), (0, refused[7])] == [(entry.templates, entry.reasons) for entry in report.unlawful]
    assert (16, 22, False) == (report.enrolled_references, report.enrolled_templates, report.is_complete)
    with store.open() as stored:
        assert not {"REF-0", "REF-7"} & set(stored.reference_ids)
        assert 22 == stored.templates


def test_an_unlawful_entry_alone_keeps_the_list_from_becoming_live(
    people: WatchlistSource, store: SealedStore, stages: EnrolmentStages
) -> None:
    """Without `accept_partial`, which is the default, a refused entry counts as a rejected row."""
    good = replace(people, entries=people.entries[1:3], rows=people.rows[1:3])

    refused = enrol(
        StreamedSource(good, refused={1: ("expired",)}),
        store,
        stages,
        quality=QualityConfig(),
        decision=DecisionConfig(),
    )

    assert (False, 1) == (refused.is_activated, refused.enrolled_references)
    with pytest.raises(WatchlistMissingError):
        store.open()


def test_a_list_takes_its_end_along(people: WatchlistSource, store: SealedStore, stages: EnrolmentStages) -> None:
    """The time after which it must not exist is sealed with it; one that has come already loads nothing."""
    load(people, store, stages, wipe_at=datetime(2099, 1, 1, tzinfo=UTC))
    with store.open() as stored:
        assert datetime(2099, 1, 1, tzinfo=UTC) == stored.wipe_at

    source = StreamedSource(people)
    with pytest.raises(WatchlistEndedError):
        load(source, store, stages, wipe_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert 0 == source.given


class InDisorder(StreamedSource):
    """Gives the second reference first."""

    def references(self) -> Iterator[SourceReference]:
        first, second, *others = StreamedSource.references(self)
        yield from (second, first, *others)


class Short(StreamedSource):
    """Keeps the last reference for itself."""

    def references(self) -> Iterator[SourceReference]:
        yield from list(StreamedSource.references(self))[:-1]


@pytest.mark.parametrize("kind", [InDisorder, Short])
def test_nobody_is_enrolled_under_another_entry(
    people: WatchlistSource, store: SealedStore, stages: EnrolmentStages, kind: type[StreamedSource]
) -> None:
    """A source that breaks its promise of order or number is a mistake in the program, and loads nothing."""
    with pytest.raises(ValueError, match="a source gave"):
        load(kind(people), store, stages)

    assert store.is_empty()


def test_lanes_beside_a_stream_take_pictures_as_they_come(
    people: WatchlistSource, store: SealedStore, stages: EnrolmentStages
) -> None:
    """Sealing begins while references are still given, and progress counts every picture."""
    source = StreamedSource(people, padded_to=MAX_FILE_BYTES)
    told: list[tuple[int, int, int]] = []

    load(source, store, stages, progress=lambda done, total: told.append((done, total, source.given)))

    assert [(done, 27) for done in range(1, 28)] == [(done, total) for done, total, _ in told]
    assert told[0][2] < 5
