"""Embedding: one batch, unit vectors in the arena's own memory, and nothing left in the buffers on the way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import Arena, ArenaExhaustedError
from edge_lfr.biometrics.samples import AlignedFace
from edge_lfr.config.models import Provider
from edge_lfr.errors import InferenceError
from edge_lfr.inference.catalogue import EmbedderSpec
from edge_lfr.inference.packs import OpenPack
from edge_lfr.inference.session import Session, open_session
from edge_lfr.pipeline.identification.embedding import Embedder
from simulators.nets import ScriptedSession, embedder_like, entry_of, yunet_like

FREE_NET, FIXED_NET = embedder_like(batch="n"), embedder_like(batch=1)


def spec_of(**changes: Any) -> EmbedderSpec:
    spec = entry_of(yunet_like(), FREE_NET).embedder
    return EmbedderSpec.model_validate({**spec.model_dump(), "fixed_batch": None, **changes})


@pytest.fixture(scope="module")
def session() -> Session:
    return open_session(FREE_NET, Provider.CPU, 1)


@pytest.fixture(scope="module")
def fixed_session() -> Session:
    return open_session(FIXED_NET, Provider.CPU, 1)


def samples(count: int, size: int = 112) -> list[AlignedFace]:
    arena: Arena[np.uint8] = Arena(count, (size, size, 3), np.uint8)
    rng = np.random.default_rng(count)
    made = [AlignedFace(track_id=100 + index, slot=arena.take()) for index in range(count)]
    for sample in made:
        sample.pixels[...] = rng.integers(0, 256, sample.pixels.shape, dtype=np.uint8)
    return made


def expected_vectors(session: Session, faces: Sequence[AlignedFace]) -> NDArray[np.float32]:
    """RGB, no mean, unit length: written down a second time, plainly."""
    rows = [session.run(face.pixels[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32))[0][0] for face in faces]
    return np.stack([row / np.linalg.norm(row) for row in rows])


def test_probes_are_unit_vectors_in_the_order_of_the_samples(session: Session) -> None:
    """One probe a sample, of the same track, named after the pack, equal to the plain computation."""
    faces = samples(5)
    probes = Embedder(session, spec_of(), "digest", 8).extract(faces)
    assert [face.track_id for face in faces] == [probe.track_id for probe in probes]
    assert {"digest"} == {probe.pack_digest for probe in probes}
    vectors = np.stack([probe.vector for probe in probes])
    assert np.allclose(1.0, np.linalg.norm(vectors, axis=1), atol=1e-6)
    assert np.allclose(expected_vectors(session, faces), vectors, atol=1e-5)


def test_nothing_to_do_runs_nothing(session: Session) -> None:
    """No samples, no probes, no run."""
    assert () == Embedder(session, spec_of(), "digest", 1).extract([])


def test_net_of_fixed_batch_runs_row_by_row(session: Session, fixed_session: Session) -> None:
    """The same weights with a fixed batch of one give the same probes."""
    faces = samples(3)
    free = Embedder(session, spec_of(), "digest", 4).extract(faces)
    fixed = Embedder(fixed_session, spec_of(fixed_batch=1), "digest", 4).extract(faces)
    for left, right in zip(free, fixed, strict=True):
        assert np.allclose(left.vector, right.vector, atol=1e-5)


def test_vectors_live_in_the_arena_and_die_with_the_probe(session: Session) -> None:
    """The net wrote into the arena's memory; destroying the probes leaves zeros there and in every buffer."""
    embedder = Embedder(session, spec_of(), "digest", 4)
    probes = embedder.extract(samples(3))
    assert all(np.shares_memory(probe.vector, embedder.arena.block) for probe in probes)
    assert not embedder._input.any()
    assert not embedder._scratch.any()
    for probe in probes:
        probe.destroy()
    assert not embedder.arena.block.any()
    assert 4 == embedder.arena.free_slots


@pytest.mark.parametrize("kept", [(0,), (1,), (0, 2), (1, 3)])
def test_probes_of_an_earlier_pass_are_not_disturbed(session: Session, kept: tuple[int, ...]) -> None:
    """Whatever slots are still taken, new probes are right, old ones stay, and the way round leaves nothing."""
    embedder = Embedder(session, spec_of(), "digest", 6)
    faces = samples(4)
    first = embedder.extract(faces)
    before = {index: first[index].vector.copy() for index in kept}
    for index in set(range(4)) - set(kept):
        first[index].destroy()
    second = embedder.extract(faces)
    assert np.allclose(expected_vectors(session, faces), np.stack([probe.vector for probe in second]), atol=1e-5)
    for index, vector in before.items():
        assert vector.tolist() == first[index].vector.tolist()
    assert not embedder._scratch.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_vector_that_is_none_is_an_error_and_leaves_nothing(value: float) -> None:
    """A broken net gives no probe: the slots are free and zero, the input is zero."""
    answers = np.ones((2, 128), dtype=np.float32)
    answers[1] = value
    embedder = Embedder(ScriptedSession((None, 3, 112, 112), out=answers), spec_of(), "digest", 2)
    with pytest.raises(InferenceError, match="not finite or has no length"):
        embedder.extract(samples(2))
    assert 2 == embedder.arena.free_slots
    assert not embedder.arena.block.any()
    assert not embedder._input.any()


def test_more_samples_than_slots_are_a_mistake(session: Session) -> None:
    """A pass larger than planned is told so, and leaves the arena as it was."""
    embedder = Embedder(session, spec_of(), "digest", 2)
    with pytest.raises(ArenaExhaustedError):
        embedder.extract(samples(3))
    assert 2 == embedder.arena.free_slots
    assert not embedder._input.any()


@pytest.mark.parametrize(("colour", "order"), [("bgr", (0, 1, 2)), ("rgb", (2, 1, 0))])
def test_the_net_is_fed_what_the_entry_says(colour: str, order: tuple[int, ...]) -> None:
    """Colour order, mean and scale reach the net as written."""
    session = ScriptedSession((None, 3, 112, 112), out=np.ones((1, 128), dtype=np.float32))
    (face,) = samples(1)
    Embedder(session, spec_of(colour=colour, mean=127.5, scale=128.0), "digest", 1).extract([face])
    (feed,) = session.feeds
    expected = (face.pixels[:, :, order].transpose(2, 0, 1).astype(np.float32) - 127.5) / 128.0
    assert expected.tolist() == feed[0].tolist()


def test_nets_that_end_in_a_pooling_layer_are_read_too() -> None:
    """An output of (n, d, 1, 1) is a vector all the same."""
    answers = np.random.default_rng(0).normal(size=(2, 128, 1, 1)).astype(np.float32)
    probes = Embedder(ScriptedSession((None, 3, 112, 112), out=answers), spec_of(), "digest", 2).extract(samples(2))
    rows = answers.reshape(2, 128)
    expected = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.allclose(expected, np.stack([probe.vector for probe in probes]), atol=1e-6)


def test_flush_runs_grey_at_the_largest_batch_since_the_last_one() -> None:
    """The neutral run covers what any run since may have left; without runs there is nothing to cover."""
    session = ScriptedSession((None, 3, 112, 112), out=np.ones((4, 128), dtype=np.float32))
    embedder = Embedder(session, spec_of(), "digest", 8)
    for count in (4, 1):
        for probe in embedder.extract(samples(count)):
            probe.destroy()
    embedder.flush()
    embedder.flush()
    assert [4, 1, 4] == [len(feed) for feed in session.feeds]
    assert {128.0} == set(session.feeds[-1].ravel().tolist())
    assert not embedder._input.any()
    assert not embedder._scratch.any()
    assert not embedder.arena.block.any()


@pytest.mark.parametrize(("dimension", "batches"), [(128, [1, 2]), (256, [1]), (512, [1])])
def test_flush_runs_small_batches_where_freed_memory_is_overwritten(dimension: int, batches: list[int]) -> None:
    """What is left there does not grow with the batch: vectors of small ones may lie in blocks that are set aside."""
    session = ScriptedSession((None, 3, 112, 112), out=np.ones((4, dimension), dtype=np.float32))
    session.overwrites_freed = True
    embedder = Embedder(session, spec_of(dimension=dimension), "digest", 8)
    for probe in embedder.extract(samples(4)):
        probe.destroy()
    embedder.flush()
    embedder.flush()
    assert [4, *batches] == [len(feed) for feed in session.feeds]
    assert {128.0} == set(session.feeds[-1].ravel().tolist())


def test_the_cpu_takes_a_few_faces_at_a_time() -> None:
    """Each vector comes from its own sample all the same; flushing and warming up know no larger run."""
    session = ScriptedSession((None, 3, 112, 112), out=np.ones((4, 128), dtype=np.float32))
    session.provider = "CPUExecutionProvider"
    embedder = Embedder(session, spec_of(), "digest", 16)
    faces = samples(10)
    for probe in embedder.extract(faces):
        probe.destroy()
    assert [4, 4, 2] == [len(feed) for feed in session.feeds]
    fed = np.concatenate(session.feeds)
    assert [float(face.pixels[0, 0, 2]) for face in faces] == fed[:, 0, 0, 0].tolist()
    session.feeds.clear()
    embedder.flush()
    assert [4] == [len(feed) for feed in session.feeds]
    session.feeds.clear()
    embedder.warm_up()
    assert [1, 2, 3, 4] == [len(feed) for feed in session.feeds]


def test_a_net_of_fixed_batch_is_warmed_up_and_flushed_once() -> None:
    """It knows one shape."""
    session = ScriptedSession((1, 3, 112, 112), out=np.ones((1, 128), dtype=np.float32))
    embedder = Embedder(session, spec_of(fixed_batch=1), "digest", 8)
    embedder.warm_up()
    assert 1 == len(session.feeds)
    for probe in embedder.extract(samples(3)):
        probe.destroy()
    embedder.flush()
    assert 1 + 3 + 1 == len(session.feeds)


def test_warming_up_shows_the_net_its_small_batches_and_its_largest() -> None:
    """Nobody's face is in them, nothing stays, and there is nothing to flush afterwards."""
    session = ScriptedSession((None, 3, 112, 112), out=np.ones((8, 128), dtype=np.float32))
    embedder = Embedder(session, spec_of(), "digest", 8)
    embedder.warm_up()
    embedder.flush()
    assert [1, 2, 3, 4, 8] == [len(feed) for feed in session.feeds]
    assert {128.0} == {float(value) for feed in session.feeds for value in np.unique(feed)}
    assert not embedder._input.any()
    assert not embedder._scratch.any()


@pytest.mark.shared
def test_batch_does_not_change_a_vector(pack: OpenPack) -> None:
    """The real net gives a face the same vector alone and in company."""
    faces = samples(4, pack.entry.embedder.size)
    embedder = Embedder(pack.embedder, pack.entry.embedder, pack.digest, 8)
    together = embedder.extract(faces)
    for face, probe in zip(faces, together, strict=True):
        (alone,) = embedder.extract([face])
        with alone:
            assert float(alone.vector @ probe.vector) > 0.99999
