"""Sessions: the same numbers either way, plain errors, and no provider but the one that was asked for."""

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from edge_lfr.config.models import Provider
from edge_lfr.errors import InferenceError, ModelContractError, ProviderError
from edge_lfr.inference.placement import convolutions_by_provider, prove_placement
from edge_lfr.inference.session import Session, _create, _options, open_session
from simulators.nets import embedder_like, yunet_like

CPU = "CPUExecutionProvider"


@pytest.fixture(scope="module")
def session() -> Session:
    return open_session(embedder_like(batch="n"), Provider.CPU, 1)


def samples(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(count).uniform(0, 255, (count, 3, 112, 112)).astype(np.float32)


def test_session_says_what_it_takes_and_gives(session: Session) -> None:
    """A free dimension is None, whatever it is called in the file."""
    assert [("data", (None, 3, 112, 112))] == [(spec.name, spec.shape) for spec in session.inputs]
    assert [("fc1", (None, 128))] == [(spec.name, spec.shape) for spec in session.outputs]
    assert CPU == session.provider


def test_session_says_whether_freed_memory_is_overwritten(session: Session) -> None:
    """A net that keeps its blocks between runs frees none."""
    assert session.overwrites_freed
    assert not open_session(embedder_like(), Provider.CPU, 1, keeps_memory=True).overwrites_freed


def test_run_into_writes_what_run_returns_and_nothing_else(session: Session) -> None:
    """The bound output is bit for bit the returned one, and its neighbours stay as they were."""
    feed = samples(3)
    out = np.full((5, 128), 7.0, dtype=np.float32)
    session.run_into(feed, out[1:4])
    assert session.run(feed)[0].tolist() == out[1:4].tolist()
    assert {7.0} == set(out[[0, 4]].ravel().tolist())


def test_run_into_refuses_what_a_bare_address_would_hide(session: Session) -> None:
    """Strided or wrongly typed memory is refused before the runtime writes over it."""
    with pytest.raises(ValueError, match="contiguous float32"):
        session.run_into(samples(2), np.zeros((2, 256), dtype=np.float32)[:, ::2])
    with pytest.raises(ValueError, match="contiguous float32"):
        session.run_into(samples(2), np.zeros((2, 128), dtype=np.float64))


def test_wrong_shapes_are_inference_errors(session: Session) -> None:
    """The runtime's own exceptions do not travel further."""
    with pytest.raises(InferenceError, match=r"shape \(1, 3, 64, 64\)"):
        session.run(np.zeros((1, 3, 64, 64), dtype=np.float32))
    with pytest.raises(InferenceError, match=r"output of shape \(4, 128\)"):
        session.run_into(samples(2), np.zeros((4, 128), dtype=np.float32))


def test_what_the_runtime_cannot_load_is_a_contract_error() -> None:
    """Bytes that are no net name the net as the culprit, not the runtime."""
    with pytest.raises(ModelContractError, match="cannot load"):
        open_session(b"no model", Provider.CPU, 1)


def test_missing_provider_is_an_error_and_no_silent_cpu_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking a CPU runtime for CUDA fails, and says what this runtime has."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(ProviderError, match=f"cuda: the installed runtime .* has no CUDA.*it has {CPU}"):
        open_session(embedder_like(), Provider.CUDA, 1)


def test_placement_is_read_off_a_real_run() -> None:
    """A provider that executed the convolutions passes; one that did not is refused, with who did it instead."""
    for model in (embedder_like(batch="n"), yunet_like()):

        def create(options: ort.SessionOptions, model: bytes = model) -> ort.InferenceSession:
            return _create(model, CPU, options)

        shape = tuple(side if isinstance(side, int) else None for side in create(_options(1)).get_inputs()[0].shape)
        prove_placement(create, _options(1), shape, CPU)
        with pytest.raises(ProviderError, match=f"CUDAExecutionProvider was asked for.*on {CPU}"):
            prove_placement(create, _options(1), shape, "CUDAExecutionProvider")


def test_fused_convolutions_count_and_other_events_do_not() -> None:
    """Graph optimisation renames convolutions; copies and session events are not convolutions."""
    profile: list[dict[str, Any]] = [
        {"cat": "Session", "name": "model_loading"},
        {"cat": "Node", "args": {"op_name": "FusedConv", "provider": CPU}},
        {"cat": "Node", "args": {"op_name": "Conv", "provider": "CUDAExecutionProvider"}},
        {"cat": "Node", "args": {"op_name": "MemcpyToHost", "provider": CPU}},
        {"cat": "Node", "args": {"op_name": "Conv"}},
    ]
    assert {CPU: 1, "CUDAExecutionProvider": 1} == dict(convolutions_by_provider(profile))


def test_net_without_convolutions_proves_nothing() -> None:
    """A proof needs something that was executed."""
    assert {} == dict(convolutions_by_provider([]))
