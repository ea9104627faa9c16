"""The graph as a browser gets it: cut behind features and maps, its weights as whole numbers of 8 bits."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...errors import Message, MissingExtraError
from ...model import find_weights, quantise_weights
from ...system import advise_install

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort


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
    """Return a model's graph without its head: it ends at features, and at maps if wanted and there.

    With `int8`, weights are whole numbers with one scale for each output channel, which ONNX Runtime makes
    floats again when it opens the graph.
    """
    import onnx
    from onnx.utils import Extractor

    model = onnx.load_from_string(graph)
    named = {output.name for output in model.graph.output}
    outputs = ["features", "maps"] if with_maps and "maps" in named else ["features"]
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
    for name, axis in find_weights(graph).items():
        values = numpy_helper.to_array(places[name])
        whole, scales = quantise_weights(values, axis)
        graph.initializer.remove(places[name])
        graph.initializer.append(numpy_helper.from_array(whole, f"{name}.int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
        inputs = [f"{name}.int8", f"{name}.scale"]
        # nodes stand in the order in which they run
        graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
