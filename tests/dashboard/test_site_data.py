"""A bundle's data for a page without a server: what each script holds, and what a refit changes of it."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
import lzma
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fastclf.card import write_bundle
from fastclf.dashboard.site import write_data
from fastclf.dashboard.site.graph import cut_graph, open_graph
from fastclf.errors import MissingExtraError, UsageError
from fastclf.model import JointDetector, Manifest, ModelBundle, Predictor, quantise_weights

from ..toy import add_maps, write_large_graph, write_toy_bundle

CALL = re.compile(r'fastclfTake\("(\w+)",(\d+),(\d+),"([A-Za-z0-9+/=]*)"\);\n')


@pytest.fixture(autouse=True)
def static(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in for the runtime, which is large."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "worker.js").write_bytes(b"worker")
    (folder / "runtime.wasm.xz").write_bytes(lzma.compress(b"runtime"))
    monkeypatch.setattr("fastclf.dashboard.site.data._STATIC", folder)
    return folder


def read_blocks(folder: Path, names: list[str]) -> dict[str, bytes]:
    """Put together what the scripts hand over, in their order."""
    texts: dict[str, list[str]] = {}
    for name in names:
        found = CALL.fullmatch((folder / name).read_text())
        assert found, name
        part = texts.setdefault(found[1], [])
        assert int(found[2]) == len(part)
        part.append(found[4])
    return {name: base64.b64decode("".join(parts)) for name, parts in texts.items()}


def read_head(block: bytes) -> dict[str, Any]:
    data = gzip.decompress(block)
    size = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + size])["header"]


def refit(model: Path) -> None:
    """Give a model another head and another detector."""
    manifest, rng = Manifest.read(model), np.random.default_rng(0)
    graph = onnx.load(model / "model.onnx")
    places = {tensor.name: tensor for tensor in graph.graph.initializer}
    weight = rng.normal(size=(3, 3)).astype(np.float32)
    places["head.weight"].CopyFrom(onnx.numpy_helper.from_array(weight, "head.weight"))
    onnx.save(graph, model / "model.onnx")
    np.savez(model / "head.npz", weight=weight, bias=np.zeros(3, np.float32))
    features = rng.random((60, 3)).astype(np.float32)
    head = (weight, np.zeros(3, np.float32))
    detector = JointDetector.fit(features[::2], features[1::2], np.repeat(range(3), 10), head)
    detector.save(model / "ood.npz")
    write_bundle(model, replace(manifest, ood=detector.describe()))


def test_a_refit_changes_one_small_file(toy_model: Path, tmp_path: Path) -> None:
    names = write_data(ModelBundle.load(toy_model), tmp_path / "a")
    assert names[0] == "head.js"
    refit(toy_model)
    assert write_data(ModelBundle.load(toy_model), tmp_path / "b") == names
    other = [
        name for name in names if (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()
    ]
    assert other == ["head.js"]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_known_answers_are_those_of_the_folders_own_weights(
    toy_model: Path, tmp_path: Path, precision: str
) -> None:
    use_large_graph(toy_model)
    bundle = ModelBundle.load(toy_model)
    blocks = read_blocks(tmp_path / "a", write_data(bundle, tmp_path / "a", precision=precision))
    graph = open_graph(lzma.decompress(blocks["graph"]))
    head = read_head(blocks["head"])
    photo = bundle.preprocess.decode(bundle.example_files[0]).image
    [features] = graph.run(["features"], {"image": bundle.preprocess.batch([photo])})
    weight, bias = bundle.head
    known, recorded = (
        head["parity"]["photos"][0],
        json.loads((toy_model / "parity.json").read_text())["photos"][0],
    )
    assert known["logits"] == pytest.approx((features @ weight.T + bias)[0], abs=1e-4)
    assert known["sha256"] == recorded["sha256"]
    assert (known["logits"] == pytest.approx(recorded["logits"], abs=1e-6)) == (precision == "float32")
    assert {name: part["sizes"] for name, part in head["parts"].items()}.keys() == blocks.keys() - {"head"}


def use_large_graph(model: Path) -> None:
    """Give a toy bundle a network whose weights are worth packing."""
    write_large_graph(model / "model.onnx", wide=256)
    network = onnx.load(model / "model.onnx")
    network.graph.output.append(onnx.helper.make_tensor_value_info("maps", 1, ["N", 256, 8, 8]))
    onnx.save(network, model / "model.onnx")
    places = {t.name: onnx.numpy_helper.to_array(t) for t in network.graph.initializer}
    np.savez(model / "head.npz", weight=places["head.weight"], bias=places["head.bias"])
    (model / "ood.npz").unlink()
    write_bundle(model, replace(Manifest.read(model), ood=None, files={}))


def test_a_cut_graph_answers_alike_in_a_quarter_of_the_bytes(toy_model: Path) -> None:
    use_large_graph(toy_model)
    raw = (toy_model / "model.onnx").read_bytes()
    photos = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
    with Predictor(toy_model) as predictor:
        expected, (_, maps) = predictor.run(photos)[1], predictor.run_maps(photos)
    exact, packed = (cut_graph(raw, with_maps=True, int8=int8) for int8 in (False, True))
    assert len(packed) < 0.3 * len(exact)
    assert [o.name for o in open_graph(packed).get_outputs()] == ["features", "maps"]
    assert [o.name for o in open_graph(cut_graph(raw, with_maps=False, int8=True)).get_outputs()] == [
        "features"
    ]
    for graph, allowed in ((exact, 1e-6), (packed, 0.02)):
        features, found = open_graph(graph).run(["features", "maps"], {"image": photos})
        assert np.abs(features - expected).max() <= allowed * np.abs(expected).max()
        assert np.abs(found - maps).max() <= 2 * allowed * np.abs(maps).max()


@pytest.mark.parametrize(("shape", "axis"), [((5, 3, 3, 3), 0), ((7, 4), 1), ((2, 6), 0)])
def test_each_channel_has_a_scale_of_its_own(shape: tuple[int, ...], axis: int) -> None:
    size = [-1 if i == axis else 1 for i in range(len(shape))]
    factors = (10.0 ** np.arange(shape[axis])).reshape(size)
    values = (np.random.default_rng(0).normal(size=shape) * factors).astype(np.float32)
    whole, scales = quantise_weights(values, axis)
    assert (whole.dtype, scales.shape) == (np.int8, (shape[axis],))
    assert (np.abs(whole * scales.reshape(size) - values) / factors).max() < 0.05
    assert not quantise_weights(np.zeros((3, 2), np.float32), 0)[0].any()


def test_only_maps_that_tell_places_are_sent(toy_model: Path, tmp_path: Path) -> None:
    for places, sent in ((4, ["features", "maps"]), (2, ["features"])):
        model = add_maps(write_toy_bundle(tmp_path / f"model-{places}"), 16, places)
        folder = tmp_path / f"data-{places}"
        blocks = read_blocks(folder, write_data(ModelBundle.load(model), folder))
        assert [o.name for o in open_graph(lzma.decompress(blocks["graph"])).get_outputs()] == sent


def test_long_data_come_in_parts(
    toy_model: Path, tmp_path: Path, static: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastclf.dashboard.site.data._PART", 1000)
    names = write_data(ModelBundle.load(toy_model), tmp_path / "a")
    assert {"examples-1.js", "examples-2.js", "head.js"} <= set(names)
    blocks = read_blocks(tmp_path / "a", names)
    assert lzma.decompress(blocks["runtime"]) == b"runtime"
    sizes = read_head(blocks["head"])["parts"]["examples"]["sizes"]
    assert (sum(sizes), max(sizes)) == (len(base64.b64encode(blocks["examples"])), 1000)


def test_what_cannot_be_written_is_one_sentence(
    toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = ModelBundle.load(toy_model)
    with pytest.raises(UsageError, match="int8 or float32"):
        write_data(bundle, tmp_path / "a", precision="int4")
    find: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(
        "fastclf.dashboard.site.graph.find_spec", lambda name: None if name == "onnx" else find(name)
    )
    with pytest.raises(MissingExtraError, match="needs the package onnx"):
        write_data(bundle, tmp_path / "a")
    assert not (tmp_path / "a").exists()
