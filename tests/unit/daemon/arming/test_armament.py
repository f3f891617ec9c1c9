"""From a sealed list to one that is searched."""

import dataclasses
import os
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.config.identification import DecisionConfig, GalleryConfig, IndexChoice
from edge_lfr.daemon.arming.armament import arm
from edge_lfr.daemon.arming.listed import Listed
from edge_lfr.errors import ArmingRefusedError, ConfigError, WatchlistMissingError, WatchlistModelError
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.gallery.index_report import IndexReason
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from simulators.appliance import eventually
from simulators.nets import embedder_like, entry_of, yunet_like
from simulators.watchlists import entry, new_store, picture, templates

PACK = entry_of(yunet_like(), embedder_like()).model_copy(
    update={
        "calibration": (
            CalibrationRow(templates=1000, threshold=0.6, false_alerts_per_1000=1.0, evidence="extrapolated"),
        )
    }
)


def loaded(directory: Path, pack_digest: str, references: int) -> None:
    with new_store(directory).create(pack_digest=pack_digest, dimension=templates(0).shape[1]) as new:
        for number in range(references):
            new.add(entry(number), templates(number), picture(number))
        new.activate()


def test_an_armed_list_is_searched_exactly_at_once_and_by_graph_later(tmp_path: Path) -> None:
    """Nobody waits for the graph: start, reload and wipe do not take its minutes."""
    loaded(tmp_path, PACK.digest, 50)
    armed = arm(new_store(tmp_path), PACK, GalleryConfig(index=IndexChoice.HNSW), Conditions())
    try:
        assert IndexChoice.EXACT is armed.gallery.index
        assert 0.6 == armed.threshold
        armed.begin_index(lambda _: None)
        assert eventually(lambda: armed.gallery.index is IndexChoice.HNSW)
        assert (IndexReason.FORCED, 1.0) == (armed.gallery.choice.reason, armed.gallery.choice.recall)
    finally:
        armed.destroy()


def test_destruction_ends_the_trial(tmp_path: Path) -> None:
    """A wipe while the graph is being built ends the build at once, and what was built is not taken."""
    loaded(tmp_path, PACK.digest, 300)
    slow = GalleryConfig(index=IndexChoice.HNSW, hnsw_m=128, hnsw_ef_construction=2000)
    armed = arm(new_store(tmp_path), PACK, slow, Conditions())
    armed.begin_index(lambda _: None)
    armed.destroy()
    assert "index" not in {thread.name for thread in threading.enumerate()}
    assert IndexChoice.EXACT is armed.gallery.index


def test_the_trial_is_nice(tmp_path: Path) -> None:
    """It takes what the path leaves, and the path's own thread stays as it was."""
    loaded(tmp_path, PACK.digest, 1)
    armed = arm(new_store(tmp_path), PACK, GalleryConfig(index=IndexChoice.HNSW), Conditions())
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    seen: list[int] = []
    armed.gallery.choose_index = lambda: seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))  # type: ignore[method-assign]
    armed.begin_index(lambda _: None)
    armed.destroy()
    assert [min(before + 10, 19)] == seen
    assert before == os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_list_of_another_pack_is_refused(tmp_path: Path) -> None:
    """Its vectors would give scores that mean nothing."""
    loaded(tmp_path, "0" * 64, 1)
    with pytest.raises(WatchlistModelError, match="enrolled with pack 000000000000"):
        arm(new_store(tmp_path), PACK, GalleryConfig(), Conditions())


def test_no_list_is_said_so(tmp_path: Path) -> None:
    """The daemon then stays disarmed."""
    with pytest.raises(WatchlistMissingError):
        arm(new_store(tmp_path), PACK, GalleryConfig(), Conditions())


def test_a_threshold_below_the_floor_arms_nothing(tmp_path: Path) -> None:
    """What the configuration asks is refused, and not raised in silence."""
    loaded(tmp_path, PACK.digest, 1)
    with pytest.raises(ConfigError, match=r"decision.threshold: 0.59 lies below the floor 0.6"):
        arm(new_store(tmp_path), PACK, GalleryConfig(), Conditions(decision=DecisionConfig(threshold=0.59)))


@pytest.mark.parametrize("role", [Role.TRAIN, Role.ISSUE, None])
def test_training_takes_lists_of_trainers_who_still_are_trusted(tmp_path: Path, role: Role | None) -> None:
    """An operational issuer's list is none for training, and one whose signer was distrusted since is none at all."""
    key = SigningKey.generate()
    now = datetime.now(UTC)
    day = timedelta(days=1)
    trusted = [] if role is None else [TrustedKey(key.fingerprint, role, now - day, now + day, "issuer", key.public)]
    origin = Origin(list_id="june-01", issuer_key=key.fingerprint, extracted_at=now, manifest_sha256="ab" * 32)
    store = new_store(tmp_path)
    with store.create(pack_digest=PACK.digest, dimension=templates(0).shape[1], origin=origin) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    trust = TrustStore({each.fingerprint: each for each in trusted})
    if role is Role.TRAIN:
        arm(store, PACK, GalleryConfig(), Conditions(), trust=trust).destroy()
        return
    with pytest.raises(ArmingRefusedError, match=r"watchlist\.issuer_key: .* is not trusted here to train"):
        arm(store, PACK, GalleryConfig(), Conditions(), trust=trust)


def test_whose_retention_is_reviewed_today_is_searched_no_more(tmp_path: Path) -> None:
    """The review that a load asks about comes due in use, too: when its day begins, in UTC."""
    store = new_store(tmp_path)
    with store.create(pack_digest=PACK.digest, dimension=templates(0).shape[1]) as new:
        new.add(dataclasses.replace(entry(0), review_on=date(2026, 6, 2)), templates(0), picture(0))
        new.add(entry(1), templates(1), picture(1))
        new.activate()
    with store.open() as watchlist:
        listed = Listed.on(watchlist)
    assert [] == listed.expired(datetime(2026, 6, 1, 23, 59, 59, tzinfo=UTC))
    assert [entry(0).reference_id] == listed.expired(datetime(2026, 6, 2, tzinfo=UTC))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float32]]:
    """Every matrix of templates that a sealed list gives."""
    found: list[NDArray[np.float32]] = []
    vectors = StoredWatchlist.vectors

    def noted(self: StoredWatchlist) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        matrix, owners = vectors(self)
        found.append(matrix)
        return matrix, owners

    monkeypatch.setattr(StoredWatchlist, "vectors", noted)
    return found


def test_only_the_gallery_keeps_templates(tmp_path: Path, opened: list[NDArray[np.float32]]) -> None:
    """What was taken out of the list is zero as soon as the gallery has its copy."""
    loaded(tmp_path, PACK.digest, 3)
    arm(new_store(tmp_path), PACK, GalleryConfig(), Conditions()).destroy()
    assert [((6, 16), False)] == [(matrix.shape, bool(matrix.any())) for matrix in opened]


def test_a_gallery_that_cannot_be_built_leaves_no_templates(
    tmp_path: Path, opened: list[NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory ends in the middle, the templates end with it."""

    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Gallery, "__init__", refuse)
    loaded(tmp_path, PACK.digest, 3)
    with pytest.raises(MemoryError):
        arm(new_store(tmp_path), PACK, GalleryConfig(), Conditions())
    assert [False] == [bool(matrix.any()) for matrix in opened]
