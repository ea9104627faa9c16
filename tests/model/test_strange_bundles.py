"""A bundle that a stranger made is refused in one sentence, whatever lies in its files' places."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastclf.errors import BundleError
from fastclf.model import ModelBundle, hash_files

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
    with zipfile.ZipFile(model / "head.npz", "w", zipfile.ZIP_DEFLATED) as packed:
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
    "an archive of a gigabyte": (lambda m: pack(m, declare((2, 2**26)), 2**29), "unpacks to more"),
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
