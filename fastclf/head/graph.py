"""The graph of a model with a linear head: a body's graph, and one layer behind its features."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import RefitError
from .linear import LinearHead

WEIGHT, BIAS = "head.weight", "head.bias"


def attach_head(graph: bytes, head: LinearHead) -> bytes:
    """Return a body's graph with a head, or a model's graph with another head.

    The number of classes may differ from the one before.

    Raises
    ------
    RefitError
        If the graph's last layer is not the one that a model promises.
    """
    model = onnx.load_from_string(graph)
    if any(value.name == "logits" for value in model.graph.output):
        _replace(model.graph, head)
    else:
        _append(model.graph, head)
    return bytes(model.SerializeToString())


def _append(graph: onnx.GraphProto, head: LinearHead) -> None:
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in _list_values(head).items())
    graph.node.append(helper.make_node("Gemm", ["features", WEIGHT, BIAS], ["logits"], transB=1))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(head.bias)])
    graph.output.insert(1, logits)  # where a traced model has it: features, logits, maps


def _replace(graph: onnx.GraphProto, head: LinearHead) -> None:
    places = {t.name: t for t in graph.initializer}
    if not {WEIGHT, BIAS} <= places.keys():
        raise RefitError("The model's graph has no head.weight and head.bias. Train again.")
    for name, values in _list_values(head).items():
        places[name].CopyFrom(numpy_helper.from_array(values, name))
    for value in [*graph.output, *graph.value_info]:
        if value.name == "logits":
            value.type.tensor_type.shape.dim[-1].Clear()
            value.type.tensor_type.shape.dim[-1].dim_value = len(head.bias)
        if value.name in (WEIGHT, BIAS):
            value.type.tensor_type.shape.dim[0].dim_value = len(head.bias)


def _list_values(head: LinearHead) -> dict[str, np.ndarray]:
    return {WEIGHT: np.ascontiguousarray(head.weight), BIAS: np.ascontiguousarray(head.bias)}
