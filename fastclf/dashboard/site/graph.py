"""The graph as a browser gets it: cut behind features and maps, its weights as whole numbers of 8 bits."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import Message, MissingExtraError
from ...system import advise_install

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

Array = npt.NDArray[Any]

# Where the weights of these operators have their output channels.
_CHANNELS = {"Conv": 0, "Gemm": 0, "MatMul": -1}
_LEAST_WEIGHTS = 1024
_MOST = 127
# How much of the largest weight the largest whole number stands for; what is beyond is clipped.
_SHARES = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.87, 0.84, 0.8)


def check_onnx() -> None:
    """Make sure that graphs can be rewritten.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise MissingExtraError(
            "{what} needs the package {name}, which is not installed. Run `{install}`.",
            what=Message("Writing a page without a server"),
            name="onnx",
            install=advise_install("head"),
        )


def cut_graph(graph: bytes, *, with_maps: bool, int8: bool) -> bytes:
    """Return a model's graph without its head: it ends at features, and at maps where they are wanted.

    With `int8`, weights are whole numbers with one scale for each output channel, which ONNX Runtime makes
    floats again when it opens the graph.
    """
    import onnx
    from onnx.utils import Extractor

    model = onnx.load_from_string(graph)
    outputs = ["features", "maps"] if with_maps else ["features"]
    body = Extractor(model).extract_model(["image"], outputs)
    body.graph.doc_string = ""
    if int8:
        _quantise(body.graph)
    return bytes(body.SerializeToString())


def open_graph(graph: bytes) -> ort.InferenceSession:
    """Open a cut graph as the browser does."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.log_severity_level = 3
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _quantise(graph: onnx.GraphProto) -> None:
    from onnx import helper, numpy_helper

    places = {tensor.name: tensor for tensor in graph.initializer}
    for name, axis in _find_weights(graph).items():
        values = numpy_helper.to_array(places[name])
        whole, scales = quantise_weights(values, axis)
        graph.initializer.remove(places[name])
        graph.initializer.append(numpy_helper.from_array(whole, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
        inputs = [f"{name}.int8", f"{name}.scale"]
        # nodes stand in the order in which they run
        graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, [name], axis=axis))


def _find_weights(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the weights that are worth it, and the axis of their output channels."""
    large = {
        t.name: len(t.dims)
        for t in graph.initializer
        if t.data_type == 1 and np.prod(t.dims) >= _LEAST_WEIGHTS
    }
    found = {}
    for node in graph.node:
        if node.op_type in _CHANNELS and len(node.input) > 1 and node.input[1] in large:
            axis = _CHANNELS[node.op_type]
            if node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute):
                axis = 1
            found[node.input[1]] = axis % large[node.input[1]]
    return found


def quantise_weights(values: Array, axis: int) -> tuple[Array, Array]:
    """Return weights as int8 and (channels,) scales, with the least squared error a channel."""
    rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1).astype(np.float64)
    most = np.maximum(np.abs(rows).max(1), 1e-12)
    best, scales = np.full(len(rows), np.inf), most / _MOST
    for share in _SHARES:
        tried = share * most / _MOST
        error = ((_round(rows, tried) * tried[:, None] - rows) ** 2).sum(1)
        scales = np.where(error < best, tried, scales)
        best = np.minimum(best, error)
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    scales = scales.astype(np.float32)
    whole = np.clip(np.rint(values / scales.reshape(shape)), -_MOST, _MOST)
    return whole.astype(np.int8), scales


def _round(rows: Array, scales: Array) -> Array:
    return np.asarray(np.clip(np.rint(rows / scales[:, None]), -_MOST, _MOST))
