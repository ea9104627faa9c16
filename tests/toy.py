"""A toy bundle built with `onnx` alone: the mean colour of a photo names its class."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fastclf.card import write_bundle
from fastclf.metrics import compute_metrics, compute_softmax
from fastclf.model import MahalanobisDetector, Manifest, MetricsByPart, PhotoRow, Preprocess, write_photos
from fastclf.system import hash_file

from .drawing import COLOURS, draw_photo, encode

VOCAB = sorted(COLOURS)
SIDE = 8


def write_toy_bundle(
    folder: Path,
    *,
    rows: list[PhotoRow] | None = None,
    judged: bool = False,
) -> Path:
    """Write a bundle of three classes whose features are the photo's mean red, green and blue.

    With `judged`, the manifest holds the metrics measured on thirty drawn photos; else none.
    """
    (folder / "examples").mkdir(parents=True)
    for name, content in _build_files(tuple(rows or ()), judged).items():
        (folder / name).write_bytes(content)
    return folder


@cache
def _build_files(rows: tuple[PhotoRow, ...], judged: bool) -> dict[str, bytes]:
    """Make a bundle once for all tests that take it; two of the same rows are the same to the byte."""
    with TemporaryDirectory() as made:
        _make(Path(made), rows, judged)
        files = [p for p in Path(made).rglob("*") if p.is_file()]
        return {p.relative_to(made).as_posix(): p.read_bytes() for p in files}


def _make(folder: Path, rows: tuple[PhotoRow, ...], judged: bool) -> None:
    # the logit of "red" grows with the red share, and so on
    weight = 8 * np.array([[COLOURS[c][i] / 255 for i in range(3)] for c in VOCAB], np.float32)
    weight -= weight.mean(1, keepdims=True)
    bias = np.zeros(len(VOCAB), np.float32)
    onnx.save(_build_graph(weight, bias), folder / "model.onnx")
    np.savez(folder / "head.npz", weight=weight, bias=bias)
    features = np.array([np.asarray(draw_photo(c, i)).mean((0, 1)) / 255 for c in VOCAB for i in range(20)])
    detector = MahalanobisDetector.fit(features[::2], features[1::2], np.repeat(range(len(VOCAB)), 10))
    detector.save(folder / "ood.npz")
    write_photos(folder, [*rows])
    (folder / "examples").mkdir()
    for number, label in enumerate(VOCAB, 1):
        (folder / "examples" / f"example-{number}.jpg").write_bytes(encode(draw_photo(label, 99), "JPEG"))
    manifest = Manifest(
        created="2026-01-01T00:00:00+00:00",
        title="Toy colours",
        arch="toy",
        vocab=VOCAB,
        features_id="0" * 64,
        preprocess=Preprocess((3, SIDE, SIDE), (SIDE, SIDE)),
        ood=detector.describe(),
    )
    if judged:
        logits, targets = features[1::2] @ weight.T + bias, np.repeat(np.arange(len(VOCAB)), 10)
        probs = compute_softmax(logits)
        manifest = replace(
            manifest, metrics=MetricsByPart(valid=compute_metrics(probs, targets, VOCAB, probs))
        )
    write_bundle(folder, manifest)


def add_maps(folder: Path, side: int, places: int) -> Path:
    """Give a toy bundle another graph: `side` pixels, and maps of `places` x `places` mean colours."""
    bundle = json.loads((folder / "bundle.json").read_text())
    with np.load(folder / "head.npz") as head:
        weight, bias = head["weight"], head["bias"]
    cell = [side // places] * 2
    nodes = [
        helper.make_node("AveragePool", ["image"], ["maps"], kernel_shape=cell, strides=cell),
        helper.make_node("ReduceMean", ["maps", "axes"], ["features"], keepdims=0),
        helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"], transB=1),
    ]
    arrays = {"axes": np.array([2, 3], np.int64), "head.weight": weight, "head.bias": bias}
    outputs = {"features": [3], "logits": [len(bias)], "maps": [3, places, places]}
    onnx.save(build_model(nodes, arrays, [3, side, side], outputs), folder / "model.onnx")
    bundle["preprocess"] |= {"input_size": [3, side, side], "resize_to": [side, side]}
    bundle["files"]["model.onnx"] = hash_file(folder / "model.onnx")
    (folder / "bundle.json").write_text(json.dumps(bundle))
    return folder


def write_large_graph(path: Path, seed: int = 0, wide: int = 2048) -> Path:
    """Write a convolutional network of five megabytes with the input and outputs of a bundle."""
    path.write_bytes(_build_large_graph(seed, wide))
    return path


@cache
def _build_large_graph(seed: int, wide: int) -> bytes:
    rng = np.random.default_rng(seed)
    shapes = {"first": (64, 3, 3, 3), "second": (wide, 64, 3, 3), "head.weight": (3, wide), "head.bias": (3,)}
    arrays = {name: rng.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
    arrays["axes"] = np.array([2, 3], np.int64)
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["maps"]),
        helper.make_node("ReduceMean", ["maps", "axes"], ["features"], keepdims=0),
        helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"], transB=1),
    ]
    model = build_model(nodes, arrays, [3, 8, 8], {"features": [wide], "logits": [3]})
    return bytes(model.SerializeToString())


def build_model(
    nodes: list[onnx.NodeProto],
    arrays: dict[str, np.ndarray],
    given: list[int],
    outputs: dict[str, list[int]],
) -> onnx.ModelProto:
    """Build a graph whose first dimension is the batch."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "toy",
        [value("image", TensorProto.FLOAT, ["N", *given])],
        [value(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _build_graph(weight: np.ndarray, bias: np.ndarray) -> onnx.ModelProto:
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["features"], keepdims=0),
        helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"], transB=1),
    ]
    arrays = {"axes": np.array([2, 3], np.int64), "head.weight": weight, "head.bias": bias}
    return build_model(nodes, arrays, [3, SIDE, SIDE], {"features": [3], "logits": [len(weight)]})
