"""A watchlist of any size out of a few hundred portraits."""

from pathlib import Path

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.bench.watchlist_source import write_list, write_source
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.trust import Role, SigningKey, TrustStore, create_key
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.admission import LoadTerms, admit
from edge_lfr.watchlist.enrolling.folder import read_source

pytestmark = pytest.mark.shared


def test_the_folder_keeps_the_format_and_no_picture_stands_twice(tmp_path: Path, shared_models: Path) -> None:
    """As many rows as were asked for, each of a reference of its own, with a file of its own content."""
    source = read_source(write_source(shared_models.parent, tmp_path / "source", 40))

    contents = {row.picture.read_bytes() for row in source.rows}
    assert (40, 40, 40) == (len(source.rows), len(source.entries), len(contents))


def test_the_bundle_is_one_that_the_appliance_admits(tmp_path: Path, shared_models: Path) -> None:
    """Signed for training, for that device; nobody in it is refused."""
    folder = write_source(shared_models.parent, tmp_path / "source", 5)
    keys = DeviceKeys(SigningKey.generate(), AgeIdentity.generate())
    clock = SystemClock()
    key = create_key(Role.TRAIN, tmp_path / "issuer.key", tmp_path / "trust.d" / "issuer.toml", name="t", clock=clock)
    bundle = write_list(folder, tmp_path / "list.lfrw", device="bench/van", key=key, recipient=keys.receiving.recipient)
    trust, now = TrustStore.load(tmp_path / "trust.d"), clock.utc_now()
    terms = LoadTerms.of_training(now)
    with admit(bundle, keys, trust, mode=Mode.TRAINING, device="bench/van", now=now, terms=terms) as admitted:
        assert ({}, 5) == (admitted.refused, admitted.reader.manifest.picture_count)
        assert 5 == sum(len(reference.rows) for reference in admitted.source().references())


def test_a_made_folder_that_is_refused_is_no_bundle(tmp_path: Path, shared_models: Path) -> None:
    """A measurement of less than was asked for would look better than it is."""
    folder = write_source(shared_models.parent, tmp_path / "source", 5)
    (folder / "000003.jpg").unlink()
    with pytest.raises(BenchError, match="1 made entries are refused, the first one for picture-missing"):
        write_list(
            folder,
            tmp_path / "list.lfrw",
            device="bench/van",
            key=SigningKey.generate(),
            recipient=AgeIdentity.generate().recipient,
        )


def test_missing_portraits_are_told(tmp_path: Path) -> None:
    """Without pictures to start from there is no measurement."""
    with pytest.raises(BenchError, match="no portraits"):
        write_source(tmp_path, tmp_path / "source", 10)
