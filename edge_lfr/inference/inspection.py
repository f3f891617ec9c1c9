"""
Foreign model bytes in, nothing out: what the runtime must never see is refused before it is created.

A model file is a program. The runtime would open files that it names (external data) and load operators of any domain
that is registered; both are looked for in the main graph, in every subgraph and in every function.
"""

from collections.abc import Iterator
from typing import Final

import onnx

from edge_lfr.errors import ModelContractError
from edge_lfr.inference.catalogue import MAX_MODEL_BYTES

KNOWN_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Standard ONNX; everything else is an extension of some runtime or of some attacker."""


def inspect_model(untrusted: bytes, name: str) -> None:
    """
    Refuse a model that is too large, no ONNX, keeps data outside itself or uses operators of an unknown domain.

    Args:
        untrusted: The whole file.

        name: What the file is called in messages.

    Raises:
        ModelContractError: With the first fault found.
    """
    if len(untrusted) > MAX_MODEL_BYTES:
        raise ModelContractError(f"model {name}: {len(untrusted)} bytes, allowed are {MAX_MODEL_BYTES}")
    try:
        model = onnx.load_model_from_string(untrusted)
    except Exception as error:  # the parser's DecodeError comes from a package without types
        raise ModelContractError(f"model {name}: no ONNX file, or cut short") from error
    if not model.graph.node:
        raise ModelContractError(f"model {name}: no ONNX file, or an empty graph")
    for graph in _graphs_of_model(model):
        for tensor in _tensors(graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
                raise ModelContractError(f"model {name}: tensor {tensor.name!r} keeps its data in another file")
        for node in graph.node:
            if node.domain not in KNOWN_DOMAINS:
                raise ModelContractError(
                    f"model {name}: operator {node.op_type} of the unknown domain {node.domain!r}; "
                    "allowed is standard ONNX"
                )


Body = onnx.GraphProto | onnx.FunctionProto


def _graphs_of_model(model: onnx.ModelProto) -> Iterator[Body]:
    roots: list[Body] = [model.graph, *model.functions]
    for training in model.training_info:
        roots += [training.initialization, training.algorithm]
    while roots:
        graph = roots.pop()
        yield graph
        roots += [sub for attribute in _attributes(graph) for sub in (attribute.g, *attribute.graphs) if sub.node]


def _attributes(graph: Body) -> Iterator[onnx.AttributeProto]:
    for node in graph.node:
        yield from node.attribute
    if isinstance(graph, onnx.FunctionProto):
        yield from graph.attribute_proto


def _tensors(graph: Body) -> Iterator[onnx.TensorProto]:
    sparse: list[onnx.SparseTensorProto] = []
    if isinstance(graph, onnx.GraphProto):
        yield from graph.initializer
        sparse += graph.sparse_initializer
    for attribute in _attributes(graph):
        yield attribute.t
        yield from attribute.tensors
        sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
        # A subgraph without nodes is not walked as a graph of its own, and may still hold initializers.
        for sub in (attribute.g, *attribute.graphs):
            yield from sub.initializer
            sparse += sub.sparse_initializer
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices
