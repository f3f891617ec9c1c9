"""What the runtime must never see: external data and unknown operators, however deep they hide."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_lfr.errors import ModelContractError
from edge_lfr.inference import inspection
from edge_lfr.inference.inspection import inspect_model
from simulators.nets import embedder_like, model_of, yunet_like

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])


def external_tensor() -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.zeros(1, dtype=np.float32), "weights")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def constant(tensor: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["y"], value=tensor)


def foreign(output: str = "y") -> onnx.NodeProto:
    return helper.make_node("Launch", ["x"], [output], domain="com.example")


def branching(node: onnx.NodeProto) -> onnx.ModelProto:
    branch = helper.make_graph([node], "branch", [], [Y])
    choose = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    return model_of([choose], [X], [Y])


def functional(node: onnx.NodeProto) -> onnx.ModelProto:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], [X], [Y])
    model.functions.append(helper.make_function("", "F", ["x"], ["y"], [node], [helper.make_opsetid("", 13)]))
    return model


def external_initializer() -> onnx.ModelProto:
    model = model_of([helper.make_node("Add", ["x", "weights"], ["y"])], [X], [Y])
    model.graph.initializer.append(external_tensor())
    return model


def external_sparse() -> onnx.ModelProto:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], [X], [Y])
    model.graph.sparse_initializer.add().values.CopyFrom(external_tensor())
    return model


def external_in_branch_without_nodes() -> onnx.ModelProto:
    model = branching(helper.make_node("Identity", ["x"], ["y"]))
    graph = model.graph.node[0].attribute[0].g
    del graph.node[:]
    graph.initializer.append(external_tensor())
    return model


def foreign_in_training() -> onnx.ModelProto:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], [X], [Y])
    model.training_info.add().algorithm.node.append(foreign())
    return model


@pytest.mark.parametrize(
    "build",
    [
        external_initializer,
        external_sparse,
        external_in_branch_without_nodes,
        lambda: model_of([constant(external_tensor())], [X], [Y]),
        lambda: branching(constant(external_tensor())),
        lambda: functional(constant(external_tensor())),
    ],
)
def test_external_data_is_refused_wherever_it_hides(build: Callable[[], onnx.ModelProto]) -> None:
    """A model that names another file is not loaded: main graph, constant, branch, function, sparse or dense."""
    with pytest.raises(ModelContractError, match="'weights' keeps its data in another file"):
        inspect_model(build().SerializeToString(), "net.onnx")


@pytest.mark.parametrize(
    "build",
    [
        lambda: model_of([foreign()], [X], [Y]),
        lambda: branching(foreign()),
        lambda: functional(foreign()),
        foreign_in_training,
    ],
)
def test_unknown_domains_are_refused_wherever_they_hide(build: Callable[[], onnx.ModelProto]) -> None:
    """An operator outside standard ONNX is not loaded: main graph, branch, function, training graph."""
    with pytest.raises(ModelContractError, match=r"operator Launch of the unknown domain 'com\.example'"):
        inspect_model(build().SerializeToString(), "net.onnx")


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"<html>not found</html>", yunet_like()[:-5]])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    """Empty, arbitrary and cut files are no models."""
    with pytest.raises(ModelContractError, match=r"net\.onnx: no ONNX file"):
        inspect_model(content, "net.onnx")


def test_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the bound nothing is parsed."""
    monkeypatch.setattr(inspection, "MAX_MODEL_BYTES", 10)
    with pytest.raises(ModelContractError, match="11 bytes, allowed are 10"):
        inspect_model(b"x" * 11, "net.onnx")


def test_plain_models_pass() -> None:
    """Standard operators with their weights inside are what we want."""
    for content in (yunet_like(), embedder_like()):
        inspect_model(content, "net.onnx")
