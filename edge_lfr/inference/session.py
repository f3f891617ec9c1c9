"""
Arrays in, arrays out: one net behind a Protocol, so that nothing else in the program knows the runtime.

A session that was asked for a provider runs its convolutions there or does not open. `run_into` writes the output to
where the caller's arena is, so that no second owner of a vector exists above the runtime.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge_lfr.config.models import Provider
from edge_lfr.errors import InferenceError, ModelContractError, ProviderError
from edge_lfr.inference.allocator import overwrite_freed_memory
from edge_lfr.inference.placement import prove_placement

PROVIDER_NAMES: Final = {Provider.CPU: "CPUExecutionProvider", Provider.CUDA: "CUDAExecutionProvider"}

FATAL_ONLY: Final = 4
"""The runtime's own log: what it would print there is raised as well, and carries no time or event name of ours."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a net."""

    name: str
    shape: tuple[int | None, ...]
    """None stands for a free dimension."""


class Session(Protocol):
    """A net with one input."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def provider(self) -> str:
        """The provider that runs the convolutions, as the runtime calls it."""
        ...

    @property
    def overwrites_freed(self) -> bool:
        """Whether a block that the net gives back is overwritten there and then; of small ones see `allocator`."""
        ...

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Run once; outputs in the order of `outputs`, owned by the caller."""
        ...

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Run once and write the only output into *out*, which is contiguous and has exactly the output's shape."""
        ...


class OrtSession:
    """A net in ONNX Runtime."""

    def __init__(self, session: Any, provider: str, *, overwrites_freed: bool) -> None:  # noqa: ANN401 - no published types
        self._session = session
        self.provider = provider
        self.overwrites_freed = overwrites_freed
        self.inputs = _specs(session.get_inputs())
        self.outputs = _specs(session.get_outputs())

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """
        Run once; outputs in the order of `outputs`, owned by the caller.

        Raises:
            InferenceError: The runtime failed.
        """
        try:
            return tuple(self._session.run(None, {self.inputs[0].name: feed}))
        except Exception as error:  # the runtime raises its own types and plain RuntimeError
            raise InferenceError(f"net failed on an input of shape {feed.shape}: {_first_line(error)}") from error

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """
        Run once and write the only output into *out*.

        Raises:
            ValueError: An array is not contiguous float32; the runtime is given bare addresses and would not notice.

            InferenceError: The runtime failed, or the output has another shape than *out*.
        """
        for array in (feed, out):
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                message = f"expected contiguous float32, found {array.dtype} with strides {array.strides}"
                raise ValueError(message)
        binding = self._session.io_binding()
        binding.bind_input(self.inputs[0].name, "cpu", 0, np.float32, feed.shape, feed.ctypes.data)
        binding.bind_output(self.outputs[0].name, "cpu", 0, np.float32, out.shape, out.ctypes.data)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # the runtime raises its own types and plain RuntimeError
            raise InferenceError(
                f"net failed on an input of shape {feed.shape} for an output of shape {out.shape}: {_first_line(error)}"
            ) from error


def open_session(model: bytes, provider: Provider, threads: int, *, keeps_memory: bool = False) -> Session:
    """
    Open a net on the provider that was asked for, and on no other.

    Args:
        model: The whole ONNX file, inspected and hashed.

        provider: Where its convolutions must run.

        threads: Threads inside the net; 0 takes all cores that this process may use.

        keeps_memory: Whether the runtime may keep its blocks between runs. It is 5 to 20 % faster, and what was in
            them stays readable: never for a net whose outputs are biometric features.

    Raises:
        ProviderError: This runtime has no such provider, or it leaves convolutions to another one.

        ModelContractError: The runtime cannot read the net, or it has not exactly one input.
    """
    name = PROVIDER_NAMES[provider]
    if name not in ort.get_available_providers():
        raise ProviderError(
            f"provider {provider.value}: the installed runtime {ort.__version__} has no {name} "
            f"(it has {', '.join(ort.get_available_providers())})"
        )
    overwrites_freed = overwrite_freed_memory() and provider is Provider.CPU and not keeps_memory
    created = _create(model, name, _options(threads, keeps_memory=keeps_memory))
    session = OrtSession(created, name, overwrites_freed=overwrites_freed)
    if len(session.inputs) != 1:
        raise ModelContractError(f"the net has {len(session.inputs)} inputs, expected is one")
    if provider is not Provider.CPU:  # nothing else could have run them
        prove_placement(lambda options: _create(model, name, options), _options(threads), session.inputs[0].shape, name)
    return session


def _create(model: bytes, provider: str, options: Any) -> Any:  # noqa: ANN401 - the runtime publishes no types
    try:
        session = ort.InferenceSession(model, options, providers=[provider])
    except Exception as error:  # the runtime raises its own types and plain RuntimeError
        raise ModelContractError(f"the runtime cannot load the net: {_first_line(error)}") from error
    session.disable_fallback()
    if provider not in session.get_providers():
        raise ProviderError(f"{provider} was asked for; the runtime opened the net on {session.get_providers()}")
    return session


def _options(threads: int, *, keeps_memory: bool = False) -> Any:  # noqa: ANN401 - the runtime publishes no types
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL_ONLY
    # Waiting threads that spin take the cores from decoders and tracker: with two cores under load, one embedding
    # took 64 ms with spinning and 33 ms without.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps the largest blocks for ever and does not overwrite them; without it they go back to an allocator
    # that does.
    options.enable_cpu_mem_arena = keeps_memory
    return options


def _specs(arguments: Sequence[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=argument.name, shape=tuple(side if isinstance(side, int) else None for side in argument.shape or ())
        )
        for argument in arguments
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
