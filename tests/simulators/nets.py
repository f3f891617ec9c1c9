"""Small nets that keep the contracts of the real ones, and a session that answers what a test says."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_lfr.inference.catalogue import Golden, PackEntry
from edge_lfr.inference.contract import STRIDES, YUNET_COLUMNS, YUNET_OUTPUTS
from edge_lfr.inference.session import TensorSpec

ARCFACE = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[tuple[str, NDArray[Any]]] = (),
) -> onnx.ModelProto:
    """Put a graph together that every runtime of the last years reads."""
    initializers = [numpy_helper.from_array(array, name) for name, array in weights]
    graph = helper.make_graph(list(nodes), "net", list(inputs), list(outputs), initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def bytes_of(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString())


def yunet_like(outputs: Sequence[str] = YUNET_OUTPUTS, input_name: str = "input") -> bytes:
    """A detector of free size that sees nothing: YuNet's twelve outputs, all of them zero for a black picture."""
    nodes, values = [], []
    weights: list[tuple[str, NDArray[Any]]] = []
    for place, (name, columns) in enumerate(zip(outputs, YUNET_COLUMNS, strict=False)):
        stride = STRIDES[place % 3]
        weights += [
            (f"w{place}", np.zeros((columns, 3, stride, stride), dtype=np.float32)),
            (f"s{place}", np.array([1, -1, columns], dtype=np.int64)),
        ]
        nodes += [
            helper.make_node("Conv", [input_name, f"w{place}"], [f"c{place}"], strides=[stride, stride]),
            helper.make_node("Transpose", [f"c{place}"], [f"t{place}"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [f"t{place}", f"s{place}"], [name]),
        ]
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, columns]))
    taken = helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [1, 3, "height", "width"])
    return bytes_of(model_of(nodes, [taken], values, weights))


def embedder_like(
    *,
    size: int = 112,
    dimension: int = 128,
    batch: int | str = 1,
    names: tuple[str, str] = ("data", "fc1"),
    seed: int = 0,
) -> bytes:
    """An embedder that looks at edges of colour: filters without a mean, so that grey says nothing."""
    rng = np.random.default_rng(seed)
    filters = rng.normal(size=(8, 3, 5, 5)).astype(np.float32)
    filters -= filters.mean(axis=(2, 3), keepdims=True)
    cells = ((size - 5) // 4 + 1) // 9
    linear = rng.normal(size=(8 * cells * cells, dimension)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", [names[0], "filters"], ["conv"], strides=[4, 4]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("AveragePool", ["relu"], ["pooled"], kernel_shape=[9, 9], strides=[9, 9]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "linear", "bias"], [names[1]]),
    ]
    taken = helper.make_tensor_value_info(names[0], TensorProto.FLOAT, [batch, 3, size, size])
    given = helper.make_tensor_value_info(names[1], TensorProto.FLOAT, [batch, dimension])
    bias = np.full(dimension, 0.25, dtype=np.float32)
    weights = [("filters", filters), ("linear", linear), ("bias", bias)]
    return bytes_of(model_of(nodes, [taken], [given], weights))


def file_spec(name: str, content: bytes, addresses: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "name": name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "addresses": tuple(addresses),
    }


def golden_of(dimension: int) -> Golden:
    """Well formed, and wrong for every net."""
    vector = np.zeros(dimension, dtype=np.float32)
    vector[0] = 1.0
    return Golden.of(np.asarray(ARCFACE, dtype=np.float32), vector)


def entry_of(detector: bytes, embedder: bytes, **changes: Any) -> PackEntry:
    """An entry that is true for `yunet_like` and `embedder_like`; *changes* replace whole fields."""
    fields: dict[str, Any] = {
        "id": "tiny",
        "title": "Nets for tests",
        "licence": "none",
        "provisional": True,
        "detector": {
            "file": file_spec("detector.onnx", detector),
            "kind": "yunet",
            "input_name": "input",
            "colour": "bgr",
            "smallest_face_px": 20.0,
        },
        "embedder": {
            "file": file_spec("embedder.onnx", embedder),
            "input_name": "data",
            "size": 112,
            "colour": "rgb",
            "template": ARCFACE,
            "dimension": 128,
            "fixed_batch": 1,
            "independent": "cv2.FaceRecognizerSF",
        },
    }
    return PackEntry.model_validate({**fields, **changes})


def write_files(folder: Path, **contents: bytes) -> Path:
    """Write NAME=bytes as NAME.onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.onnx").write_bytes(content)
    return folder


class ScriptedSession:
    """A session that returns what it was given, and remembers what it was fed."""

    provider = "scripted"
    overwrites_freed = False

    def __init__(self, input_shape: Sequence[int | None], **outputs: NDArray[np.float32]) -> None:
        self.inputs = (TensorSpec("input", tuple(input_shape)),)
        self.outputs = tuple(TensorSpec(name, (None, *array.shape[1:])) for name, array in outputs.items())
        self.answers = tuple(outputs.values())
        self.feeds: list[NDArray[np.float32]] = []

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self.feeds.append(feed.copy())
        return tuple(answer.copy() for answer in self.answers)

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self.feeds.append(feed.copy())
        out[...] = self.answers[0][: len(out)]
