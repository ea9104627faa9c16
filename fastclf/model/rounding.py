"""Weights as whole numbers of 8 bits, with one scale for each output channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]

# Where the weights of these operators have their output channels.
_CHANNELS = {"Conv": 0, "Gemm": 0, "MatMul": -1}
_LEAST_WEIGHTS = 1024
_MOST = 127
# How much of the largest weight the largest whole number stands for; what is beyond is clipped.
_SHARES = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.87, 0.84, 0.8)


def round_weights(graph: bytes) -> bytes:
    """Return a graph whose weights are what 8 bits leave of them, as a page without a server has them.

    A graph that is rounded already is returned as it is.
    """
    import onnx
    from onnx import numpy_helper

    model, has_changed = onnx.load_from_string(graph), False
    places = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, axis in find_weights(model.graph).items():
        values = numpy_helper.to_array(places[name])
        whole, scales = quantise_weights(values, axis)
        rounded = whole.astype(np.float32) * scales.reshape(_across(values, axis))
        has_changed = has_changed or not np.array_equal(rounded, values)
        places[name].CopyFrom(numpy_helper.from_array(rounded, name))
    return bytes(model.SerializeToString(deterministic=True)) if has_changed else graph


def find_weights(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the weights that are worth it, and the axis of their output channels."""
    large = {
        t.name: len(t.dims)
        for t in graph.initializer
        if t.data_type == 1 and np.prod(t.dims) >= _LEAST_WEIGHTS
    }
    found = {}
    for node in graph.node:
        is_head = "logits" in node.output  # it is fitted, and stays as it is
        if node.op_type in _CHANNELS and not is_head and len(node.input) > 1 and node.input[1] in large:
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
    scales = scales.astype(np.float32)
    whole = np.clip(np.rint(values / scales.reshape(_across(values, axis))), -_MOST, _MOST)
    return whole.astype(np.int8), scales


def _round(rows: Array, scales: Array) -> Array:
    return np.asarray(np.clip(np.rint(rows / scales[:, None]), -_MOST, _MOST))


def _across(values: Array, axis: int) -> list[int]:
    """Return the shape in which scales of the channels of this axis multiply."""
    return [-1 if i == axis else 1 for i in range(values.ndim)]
