"""A bundle becomes a sealed list as a folder does; one that is not genuine to its last byte leaves the list before."""

import io
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from assets.pictures.build_pictures import encoded, gradient, noise
from edge_lfr.config.faces import QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.errors import EdgeLfrError
from edge_lfr.pipeline.enrolment import EnrolmentStages, enrol
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.bundle.composition import DatedPictures
from edge_lfr.watchlist.bundle.enrolling import BundleSource, refused_by_rules
from edge_lfr.watchlist.bundle.reading import BundleReader
from edge_lfr.watchlist.enrolling.folder import read_source
from edge_lfr.watchlist.enrolling.pictures import PictureReason, PictureRefusedError
from edge_lfr.watchlist.enrolling.report import EnrolmentReport, RowOutcome
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.bundles import DEVICE, NOW, Draft, Parties, encrypted
from simulators.enrolment import SourceFolder, open_stages
from simulators.watchlists import new_store

PER_ENTRY = (2, 1, 3, 1, 1, 1)

Refused = Mapping[int, tuple[str, ...]]


@pytest.fixture(scope="module")
def parties() -> Parties:
    return Parties()


@pytest.fixture(scope="module")
def stages(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> EnrolmentStages:
    return open_stages(shared_models, tmp_path_factory.mktemp("models"), lanes=2)


@pytest.fixture
def store(tmp_path: Path) -> SealedStore:
    return new_store(tmp_path / "state")


@pytest.fixture
def draft(parties: Parties, shared_data: Path) -> Draft:
    """Nine portraits of six entries."""
    draft = Draft.of(parties, PER_ENTRY)
    portraits = sorted((shared_data / "london" / "neutral").glob("*.jpg"))
    for name, portrait in zip(list(draft.pictures), portraits, strict=False):
        draft.replace_picture(name, portrait.read_bytes())
    return draft


def opened(draft_or_plain: Draft | bytes, parties: Parties, *, cut: int = 0) -> BundleReader:
    """The bundle on its way in; with its last bytes missing."""
    plain = draft_or_plain.plain() if isinstance(draft_or_plain, Draft) else draft_or_plain
    content = encrypted(plain, parties.device.recipient)
    file = io.BytesIO(content[: len(content) - cut])
    return BundleReader(
        file,
        parties.device,
        parties.trust,
        mode=Mode.TRAINING,
        device=DEVICE,
        device_fingerprint=parties.own.fingerprint,
        now=NOW,
    )


def load(bundle: BundleReader, store: SealedStore, stages: EnrolmentStages, refused: Refused) -> EnrolmentReport:
    with bundle:
        return enrol(
            BundleSource(bundle, refused),
            store,
            stages,
            quality=QualityConfig(),
            decision=DecisionConfig(),
            accept_partial=True,
        )


@pytest.mark.shared
def test_a_bundle_gives_the_list_that_the_folder_gives(
    draft: Draft, parties: Parties, tmp_path: Path, stages: EnrolmentStages
) -> None:
    """The same references with the same templates; a row is the number of its picture, from 1."""
    folder = SourceFolder(tmp_path / "people")
    folder.path.mkdir()
    for said in draft.manifest["entries"]:
        for one in said["pictures"]:
            folder.add(said["reference_id"], one["name"], draft.pictures[one["name"]])
    stores = [new_store(tmp_path / name) for name in ("folder", "bundle")]
    enrol(read_source(folder.write()), stores[0], stages, quality=QualityConfig(), decision=DecisionConfig())

    report = load(opened(draft, parties), stores[1], stages, {})

    with stores[0].open() as one, stores[1].open() as other:
        assert one.reference_ids == other.reference_ids
        assert one.vectors()[1] == other.vectors()[1]
        assert np.allclose(one.vectors()[0], other.vectors()[0], atol=1e-5)
        assert "Hush 1" == other.entry("REF-00001").label
    assert report.is_complete
    assert [(date(2024, 5, 31), "REF-00001")] == list(report.composition.oldest_pictures[:1])
    assert (6, 9, 0) == (report.composition.entries, report.composition.pictures, report.composition.undated_pictures)
    assert list(range(1, 10)) == [row.line for row in report.rows]


def _last_picture_changed(draft: Draft) -> bytes:
    last = list(draft.pictures)[-1]
    return draft.plain().replace(draft.pictures[last], draft.pictures[last][:-1] + b"x")


@pytest.mark.shared
@pytest.mark.parametrize(
    "damage",
    [
        (Draft.plain, 1, "trust.age"),
        (Draft.plain, 3_000, "trust.age"),
        (_last_picture_changed, 0, "picture-digest"),
        (lambda draft: draft.plain() + b"x" * 512, 0, "archive-trailing"),
    ],
    ids=["last-byte-missing", "last-chunk-missing", "last-picture-changed", "something-after-the-end"],
)
def test_what_is_not_genuine_to_its_end_leaves_the_list_before(
    draft: Draft,
    parties: Parties,
    store: SealedStore,
    stages: EnrolmentStages,
    damage: tuple[Callable[[Draft], bytes], int, str],
) -> None:
    """Although every other picture was good and was enrolled by then."""
    damaged, cut, code = damage
    first = load(opened(draft, parties), store, stages, {})

    with pytest.raises(EdgeLfrError) as caught:
        load(opened(damaged(draft), parties, cut=cut), store, stages, {})

    assert code in f"{caught.value.code} {caught.value.message}"
    with store.open() as stored:
        assert first.list_id == stored.list_id
    assert [first.list_id] == [path.name for path in (store.directory / "lists").iterdir()]


@pytest.mark.shared
def test_the_pictures_of_an_unlawful_entry_are_verified_and_not_looked_at(
    draft: Draft, parties: Parties, store: SealedStore, stages: EnrolmentStages
) -> None:
    """It is not enrolled; but a bundle that is changed in them is not genuine, and nothing of it is."""
    refused = {2: ("expired",), 5: ("expired",)}
    for said in draft.manifest["entries"]:
        for one in said["pictures"]:
            one["taken_on"] = "unknown"
    with pytest.raises(EdgeLfrError, match="picture-digest"):
        load(opened(_last_picture_changed(draft), parties), store, stages, refused)
    assert store.is_empty()

    report = load(opened(draft, parties), store, stages, refused)

    assert {RowOutcome.ENROLLED: 5, RowOutcome.UNLAWFUL: 4} == report.outcomes()
    assert ["REF-00003", "REF-00006"] == [entry.reference_id for entry in report.unlawful]
    assert (4, 5, 5) == (report.composition.entries, report.composition.pictures, report.composition.undated_pictures)
    with store.open() as stored:
        assert ("REF-00001", "REF-00002", "REF-00004", "REF-00005") == stored.reference_ids


def test_rules_refuse_entries_by_their_place(parties: Parties) -> None:
    """Each with all its codes; an entry that may be used is not in the answer."""
    draft = Draft.of(parties, (1, 2, 1))
    first, second, third = draft.manifest["entries"]
    first["expires_at"] = third["expires_at"] = (NOW + timedelta(days=2)).isoformat()
    second["expires_at"] = NOW.isoformat()
    second["pictures"][1]["taken_on"] = "1989-12-31"
    third["category"] = "witness"
    with opened(draft, parties) as bundle:
        listed = [DatedPictures(entry.entry(), entry.taken_on) for entry in bundle.manifest.entries]

    only_suspects = refused_by_rules(listed, at=NOW, authorised_categories={Category.SUSPECT})
    anybody = refused_by_rules(listed, at=NOW, authorised_categories=None)

    assert {1: ("expired", "picture-before-birth"), 2: ("category-approval",)} == anybody
    assert {**anybody, 2: ("category-approval", "category-not-authorised")} == only_suspects


def test_a_picture_is_what_the_manifest_says(parties: Parties) -> None:
    """Its type has to be the one that was signed; its header is checked as that of a file."""
    draft = Draft.of(parties, (1, 1, 1))
    contents = (encoded(".jpg", gradient()), encoded(".png", gradient()), b"no picture")
    for name, content in zip(list(draft.pictures), contents, strict=True):
        draft.replace_picture(name, content)
    with opened(draft, parties) as bundle:
        first, second, third = (reference.rows[0] for reference in BundleSource(bundle, {}).references())

    assert contents[0] == first.read().untrusted
    for row, expected in ((second, PictureReason.MISNAMED), (third, PictureReason.TYPE)):
        with pytest.raises(PictureRefusedError) as caught:
            row.read()
        assert expected is caught.value.reason


def test_a_picture_is_let_go_when_it_is_read(parties: Parties) -> None:
    """Once; and one of an entry that is refused never."""
    draft = Draft.of(parties, (1, 1))
    for name in draft.pictures:
        draft.replace_picture(name, encoded(".jpg", noise()))
    with opened(draft, parties) as bundle:
        first, second = (reference.rows[0] for reference in BundleSource(bundle, {1: ("expired",)}).references())

    first.read()

    for row in (first, second):
        with pytest.raises(ValueError, match="not held any more"):
            row.read()


def test_the_bytes_of_a_reference_are_known_before_it_comes(parties: Parties) -> None:
    """Of all its pictures; of a refused one the largest, since they pass one by one."""
    draft = Draft.of(parties, PER_ENTRY)
    sizes = [[one["bytes"] for one in said["pictures"]] for said in draft.manifest["entries"]]
    with opened(draft, parties) as bundle:
        source = BundleSource(bundle, {2: ("expired",)})

    expected = [max(said) if number == 2 else sum(said) for number, said in enumerate(sizes)]
    assert expected == [source.bytes_of(number) for number in range(len(sizes))]
    assert (len(PER_ENTRY), sum(PER_ENTRY)) == (len(source.entries), source.picture_count)
