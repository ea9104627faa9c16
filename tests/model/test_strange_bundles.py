"""A bundle that a stranger made is refused in one sentence, whatever lies in its files' places."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastclf.errors import BundleError, MemoryShortageError
from fastclf.model import ModelBundle, Predictor, hash_files
from fastclf.system import memory_limit

Change = Callable[[Path], object]


def forge(model: Path, change: Change) -> Path:
    """Change a bundle and give its files' hashes again."""
    change(model)
    manifest = json.loads((model / "bundle.json").read_text())
    regular = hash_files(model)
    manifest["files"] = {**manifest["files"], **regular}
    (model / "bundle.json").write_text(json.dumps(manifest))
    return model


def list_file(model: Path, name: str) -> Path:
    """Name a file in the manifest."""
    manifest = json.loads((model / "bundle.json").read_text())
    manifest["files"][name] = "0" * 64
    (model / "bundle.json").write_text(json.dumps(manifest))
    (model / name).parent.mkdir(exist_ok=True)
    return model / name


def swap_manifest(model: Path, put: Callable[[Path], object]) -> None:
    (model / "bundle.json").unlink()
    put(model / "bundle.json")


def name_classes(names: list[str]) -> Change:
    def change(model: Path) -> None:
        manifest = json.loads((model / "bundle.json").read_text())
        manifest["vocab"] = names
        (model / "bundle.json").write_text(json.dumps(manifest))

    return change


def pack(model: Path, header: bytes, n_zeros: int) -> None:
    with zipfile.ZipFile(model / "head.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("weight.npy", header + bytes(n_zeros))
        packed.writestr("bias.npy", b"")


def declare(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def change_graph(change: Callable[[Any], object]) -> Change:
    def apply(model: Path) -> None:
        graph = onnx.load(model / "model.onnx")
        change(graph)
        (model / "model.onnx").write_bytes(graph.SerializeToString())

    return apply


def move_weights(graph: Any) -> None:
    weights = max(graph.graph.initializer, key=lambda one: len(one.raw_data))
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def add_node(kind: str, **attributes: Any) -> Callable[[Any], object]:
    def change(graph: Any) -> None:
        graph.graph.initializer.append(numpy_helper.from_array(np.array([10**5, 10**5]), "shape"))
        graph.graph.node.append(helper.make_node(kind, ["shape"], ["more"], **attributes))

    return change


def add_nodes(graph: Any) -> None:
    graph.graph.node.extend(helper.make_node("Identity", ["image"], [f"more{n}"]) for n in range(20_000))


def add_function(graph: Any) -> None:
    graph.functions.append(helper.make_function("own", "f", ["x"], ["x"], [], []))


EMPTY = helper.make_graph([], "inner", [], [])
STRANGE: dict[str, tuple[Change, str]] = {
    "a pipe for an example": (lambda m: os.mkfifo(list_file(m, "examples/f.jpg")), "is a pipe"),
    "a pipe for the manifest": (lambda m: swap_manifest(m, os.mkfifo), "is a pipe"),
    "a device for the manifest": (
        lambda m: swap_manifest(m, lambda file: file.symlink_to("/dev/zero")), "a place outside"),
    "a link to a device": (lambda m: list_file(m, "examples/z.jpg").symlink_to("/dev/zero"), "a place outside"),
    "a link out of the folder": (
        lambda m: list_file(m, "examples/p.jpg").symlink_to("/etc/passwd"), "a place outside"),
    "a file of a terabyte": (
        lambda m: list_file(m, "examples/t.jpg").open("wb").truncate(2**40), "at most 32 MB"),
    "a manifest of a terabyte": (lambda m: (m / "bundle.json").open("ab").truncate(2**40), "at most 32 MB"),
    "a shape of terabytes": (lambda m: pack(m, declare((2, 2**40)), 8), "declares the shape"),
    "a shape below zero": (lambda m: pack(m, declare((-1, 2)), 8), "has the shape"),
    "an archive of more than is read": (lambda m: pack(m, declare((2, 2**25)), 2**28), "unpacks to more"),
    "no numbers": (lambda m: pack(m, declare((2, 2), "|O"), 8), "of object"),
    "a class twice": (name_classes(["red", "red"]), "names a class twice"),
    "a class without a name": (name_classes(["red", " "]), "names a class twice"),
    "an endless class": (name_classes(["red", "b" * 2000]), "names a class twice"),
    "weights elsewhere": (change_graph(move_weights), "weights in another file"),
    "a loop": (change_graph(add_node("Loop", body=EMPTY)), "another graph"),
    "a branch": (change_graph(add_node("If", then_branch=EMPTY, else_branch=EMPTY)), "another graph"),
    "functions": (change_graph(add_function), "functions of its own"),
    "too many operators": (change_graph(add_nodes), "more than 20,000 operators"),
    "an array of gigabytes": (change_graph(add_node("ConstantOfShape")), "makes an array of the shape"),
    "another format": (lambda m: (m / "model.onnx").write_bytes(b"\x18\0\0\0ORTM" + bytes(99)), "own format"),
    "no graph": (lambda m: (m / "model.onnx").write_bytes(b"\x0a\xff\xff\xff"), "no ONNX graph"),
    "no hashes": (
        lambda m: (m / "photos.csv").write_text("sha256,label,group,split\n" + "a,b,c,d\n" * 9), "no photo's hash"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_what_a_stranger_put_into_a_bundle_is_refused_in_one_sentence(name: str, toy_model: Path) -> None:
    change, words = STRANGE[name]
    with pytest.raises(BundleError, match=words) as caught:
        ModelBundle.load(forge_unless_strange(toy_model, change))
    assert "\n" not in str(caught.value)


def forge_unless_strange(model: Path, change: Change) -> Path:
    """Give the hashes again where the change left a manifest that can be read."""
    file = model / "bundle.json"
    before = (model / "model.onnx").read_bytes(), (model / "head.npz").read_bytes()
    change(model)
    after = (model / "model.onnx").read_bytes(), (model / "head.npz").read_bytes()
    if before == after and not (model / "photos.csv").read_bytes().startswith(
        b"sha256,label,group,split\na,"
    ):
        return model
    assert file.is_file()
    return forge(model, lambda _: None)


def test_a_bundle_may_lie_behind_a_link_and_hold_links_within(toy_model: Path, tmp_path: Path) -> None:
    (toy_model / "kept").mkdir()
    (toy_model / "model.onnx").rename(toy_model / "kept" / "graph")
    (toy_model / "model.onnx").symlink_to("kept/graph")
    (tmp_path / "elsewhere").symlink_to(toy_model)
    assert ModelBundle.load(tmp_path / "elsewhere").vocab


def test_an_example_that_is_a_link_out_of_the_model_is_not_shown(toy_model: Path, red_png: Path) -> None:
    bundle = ModelBundle.load(toy_model)
    list_file(toy_model, "examples/own.jpg").symlink_to(red_png)
    opened = ModelBundle(toy_model, bundle.manifest.read(toy_model))
    assert (toy_model / "examples/own.jpg").exists()
    assert "own.jpg" not in [file.name for file in opened.example_files]


Nodes = list[tuple[str, list[str], dict[str, Any]]]


def grow(nodes: Nodes, **shapes: list[int]) -> Change:
    """Let a graph make an array of 2 GB or more out of its photo, and add its mean to the photo."""

    def change(graph: Any) -> None:
        for name, shape in shapes.items():
            graph.graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), name))
        graph.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
        for node in graph.graph.node:
            node.input[:] = ["grown" if name == "image" else name for name in node.input]
        made = [
            helper.make_node(kind, given, [f"g{n}"], **more) for n, (kind, given, more) in enumerate(nodes)
        ]
        last = f"g{len(nodes) - 1}"
        made += [
            helper.make_node("ReduceMean", [last], ["mean"], keepdims=0),
            helper.make_node("Add", ["image", "mean"], ["grown"]),
        ]
        before = list(graph.graph.node)
        del graph.graph.node[:]
        graph.graph.node.extend([*made, *before])

    return change_graph(change)


GROWING: dict[str, Change] = {
    "an outer product": grow(
        [("Tile", ["image", "t"], {}), ("Reshape", ["g0", "a"], {}), ("Reshape", ["g0", "b"], {}), ("MatMul", ["g1", "g2"], {})],
        t=[1, 1, 12, 12], a=[-1, 1], b=[1, -1]),
    "a sum of a row and a column": grow(
        [("Expand", ["one", "a"], {}), ("Expand", ["one", "b"], {}), ("Add", ["g0", "g1"], {}), ("Mul", ["g2", "g2"], {})],
        a=[23_000, 1], b=[1, 23_000]),
    "doubling": grow([("Concat", ["image" if n == 0 else f"g{n - 1}"] * 2, {"axis": 2}) for n in range(22)]),
    "a fill of a shape that is reckoned": grow(
        [("Add", ["a", "a"], {}), ("ConstantOfShape", ["g0"], {}), ("Mul", ["g1", "g1"], {})], a=[11_500, 11_500]),
    "tiles of tiles": grow(
        [("Tile", ["image", "a"], {}), ("Tile", ["g0", "a"], {})], a=[1, 1, 42, 42]),
    "wide edges": grow([("Pad", ["image", "a"], {})], a=[0, 0, 0, 0, 0, 0, 13_500, 13_500]),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count what a process writes to")
@pytest.mark.parametrize("name", GROWING)
def test_a_network_that_makes_gigabytes_of_a_photo_is_refused_before_they_are_there(
    name: str, toy_model: Path, red_png: Path
) -> None:
    import resource

    model = forge(toy_model, GROWING[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((BundleError, MemoryShortageError), match="memory") as caught:
        Predictor(model).predict(red_png)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1.2 * 2**20  # kB


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count what a process writes to")
def test_a_network_that_waits_for_one_photo_is_refused_in_a_process_of_ours(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a white photo makes a shape of 23,000 x 23,000, a black one of 1 x 1
    nodes: Nodes = [
        ("ReduceMax", ["image"], {"keepdims": 0}), ("Cast", ["g0"], {"to": TensorProto.INT64}), ("Mul", ["g1", "a"], {}),
        ("Max", ["g2", "least"], {}), ("ConstantOfShape", ["g3"], {}), ("Mul", ["g4", "g4"], {}),
    ]  # fmt: skip
    model = forge(toy_model, grow(nodes, a=[23_000, 23_000], least=[1, 1]))
    guards = memory_limit.threading.Event()
    guards.set()
    monkeypatch.setattr(memory_limit, "_guards", guards)
    with Predictor(model) as predictor:
        assert predictor.predict(np.zeros((64, 64, 3), np.uint8)).label
        with pytest.raises((BundleError, MemoryShortageError), match="memory"):
            predictor.predict(np.full((64, 64, 3), 255, np.uint8))
        assert predictor.predict(np.zeros((64, 64, 3), np.uint8)).label
