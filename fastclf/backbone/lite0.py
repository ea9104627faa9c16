"""EfficientNet-Lite0 as a graph, built from its weights without tracing a network.

Source of the layers: TensorFlow's ``efficientnet/lite`` (Apache-2.0), table of EfficientNet-Lite0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]

WIDTH = 1280
"""How many features the body gives."""

_OPSET, _IR = 18, 10
_EPSILON = 1e-3
# Blocks: how many, kernel, expansion, stride of the first.
_STAGES = ((1, 3, 1, 1), (2, 3, 6, 2), (2, 5, 6, 2), (3, 3, 6, 2), (3, 5, 6, 1), (4, 5, 6, 2), (1, 3, 6, 1))


def build_lite0(weights: Mapping[str, Array], size: tuple[int, int] | None = None) -> onnx.ModelProto:
    """Return the body as a graph: ``image`` to ``features`` and ``maps``.

    Parameters
    ----------
    weights
        By the names that the packaged file has (``_conv_stem.weight``, ``_blocks.0._bn1.bias``).
    size
        Height and width of the input in pixels; None takes any.

    Returns
    -------
    onnx.ModelProto
        ``image`` is (N, 3, H, W) with values in [0, 1], normalised inside; ``features`` is (N, 1280), the
        means of ``maps``, (N, 1280, H / 32, W / 32).
    """
    layers = _Layers(weights)
    layers.add("Sub", ["image", layers.hold("half", np.float32(0.5))], "shifted")
    layers.add("Div", ["shifted", "half"], "normalised")
    x = layers.clip(layers.convolve("normalised", "_conv_stem", "_bn0", stride=2))
    number = 0
    for repeats, kernel, expansion, stride in _STAGES:
        for repeat in range(repeats):
            x = _add_block(layers, x, number, kernel, expansion, 1 if repeat else stride, repeat > 0)
            number += 1
    layers.add("Identity", [layers.clip(layers.convolve(x, "_conv_head", "_bn1"))], "maps")
    layers.add("GlobalAveragePool", ["maps"], "pooled")
    layers.add("Flatten", ["pooled"], "features")
    return layers.build(size or ("H", "W"))


def _add_block(
    layers: _Layers, x: str, number: int, kernel: int, expansion: int, stride: int, residual: bool
) -> str:
    """Add an inverted residual block; returns the name of what it gives."""
    name, out = f"_blocks.{number}.", x
    if expansion > 1:
        out = layers.clip(layers.convolve(out, f"{name}_expand_conv", f"{name}_bn0"))
    out = layers.clip(
        layers.convolve(out, f"{name}_depthwise_conv", f"{name}_bn1", stride, kernel, depthwise=True)
    )
    out = layers.convolve(out, f"{name}_project_conv", f"{name}_bn2")
    return layers.add("Add", [x, out], f"sum{number}") if residual else out


@dataclass
class _Layers:
    """A graph under construction; batch norm is folded into the convolution before it."""

    weights: Mapping[str, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    held: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def hold(self, name: str, value: Any) -> str:
        self.held.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def convolve(
        self, x: str, conv: str, norm: str, stride: int = 1, kernel: int = 0, *, depthwise: bool = False
    ) -> str:
        weight = self.weights[f"{conv}.weight"]
        scale = self.weights[f"{norm}.weight"] / np.sqrt(self.weights[f"{norm}.running_var"] + _EPSILON)
        bias = self.weights[f"{norm}.bias"] - self.weights[f"{norm}.running_mean"] * scale
        inputs = [
            x,
            self.hold(f"{conv}.w", weight * scale[:, None, None, None]),
            self.hold(f"{conv}.b", bias),
        ]
        side = kernel or weight.shape[-1]
        return self.add(
            "Conv", inputs, f"{conv}.out", strides=[stride] * 2, kernel_shape=[side] * 2,
            group=len(weight) if depthwise else 1, auto_pad="SAME_UPPER",
        )  # fmt: skip

    def clip(self, x: str) -> str:
        """Apply ReLU6."""
        if not any(tensor.name == "six" for tensor in self.held):
            self.hold("zero", 0)
            self.hold("six", 6)
        return self.add("Clip", [x, "zero", "six"], f"{x}.clipped")

    def build(self, size: Sequence[Any]) -> onnx.ModelProto:
        def describe(name: str, *shape: Any) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])

        graph = helper.make_graph(
            self.nodes,
            "lite0",
            [describe("image", 3, *size)],
            [describe("features", WIDTH), describe("maps", WIDTH, "h", "w")],
            self.held,
        )
        opset = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=_IR, producer_name="fastclf")
