from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastclf import ModelBundle, Predictor
from fastclf.errors import BundleError
from fastclf.model import PhotoRow, hash_files, write_photos


def edit(model: Path, **changes: Any) -> None:
    manifest = json.loads((model / "bundle.json").read_text())
    for key, value in changes.items():
        if value is None:
            del manifest[key]
        else:
            manifest[key] = value
    (model / "bundle.json").write_text(json.dumps(manifest))


def test_a_whole_bundle_opens(toy_model: Path) -> None:
    bundle = ModelBundle.load(toy_model)
    assert bundle.vocab == ["blue", "green", "red"]
    assert bundle.head[0].shape == (3, 3)
    assert bundle.detector is not None
    assert [p.name for p in bundle.example_files] == ["example-1.jpg", "example-2.jpg", "example-3.jpg"]


@pytest.mark.parametrize(
    "name", ["model.onnx", "head.npz", "ood.npz", "photos.csv", "examples/example-1.jpg"]
)
def test_a_changed_byte_in_any_file_is_refused_by_name(toy_model: Path, name: str) -> None:
    data = bytearray((toy_model / name).read_bytes())
    data[len(data) // 2] ^= 1
    (toy_model / name).write_bytes(data)
    with pytest.raises(BundleError, match=name):
        ModelBundle.load(toy_model)


def test_a_missing_file_is_refused_by_name(toy_model: Path) -> None:
    (toy_model / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks its file model\.onnx"):
        ModelBundle.load(toy_model)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "schema 2"),
        ({"vocab": None}, "lacks vocab"),
        ({"vocab": ["only"]}, "fewer than two"),
        ({"vocab": ["a", "b"]}, "names 2 classes"),
        ({"temperature": 0}, "temperature 0"),
        ({"temperature": "hot"}, "temperature 'hot'"),
        ({"ood": {"kind": "crystal ball"}}, "crystal ball"),
        ({"preprocess": {"method": "fold"}}, "preprocess"),
        ({"temperature": 1e-320}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"vocab": ["a", "b", "\ud800"]}, "damaged"),
        ({"ood": "yes"}, "damaged"),
        ({"ood": [1]}, "damaged"),
        ({"ood": {"kind": "knn-cosine", "k": 5, "threshold": None, "false_alarm_rate": 0.02}}, "damaged"),
        ({"ood": {"kind": "knn-cosine", "k": 5000, "threshold": 0.1, "false_alarm_rate": 0.02}}, "damaged"),
        ({"ood": {"kind": "knn-cosine"}}, "damaged"),
        ({"sealed_test": 5}, "damaged"),
        ({"metrics": []}, "metrics"),
        ({"preprocess": []}, "preprocess|damaged"),
        ({"files": []}, "outside|damaged"),
        ({"files": {}}, r"model\.onnx"),
        ({"files": {"../../etc/passwd": "0"}}, "outside"),
        ({"files": {"/etc/passwd": "0"}}, "outside"),
        ({"files": {"C:\\secrets": "0"}}, "outside"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_with_the_reason(
    toy_model: Path, changes: dict[str, Any], words: str
) -> None:
    edit(toy_model, **changes)
    with pytest.raises(BundleError, match=words):
        ModelBundle.load(toy_model)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_torn_manifest_is_a_sentence(toy_model: Path, text: str) -> None:
    (toy_model / "bundle.json").write_text(text)
    with pytest.raises(BundleError):
        ModelBundle.load(toy_model)


def test_no_model_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="fastclf train"):
        ModelBundle.load(tmp_path / "nothing")


def test_a_pickle_in_the_arrays_is_not_unpickled(toy_model: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "boom",))

    np.savez(toy_model / "head.npz", weight=np.array([Bomb()], dtype=object), bias=np.zeros(3))
    edit(toy_model, files=hash_files(toy_model))
    with pytest.raises(BundleError, match=r"head\.npz"):
        ModelBundle.load(toy_model)
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("name", ["head.npz", "ood.npz", "photos.csv"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 garbage", b"\x93NUMPY\x01\x00", bytes(range(256))])
def test_a_file_that_parses_as_nothing_is_a_sentence(toy_model: Path, name: str, content: bytes) -> None:
    (toy_model / name).write_bytes(content)
    edit(toy_model, files=hash_files(toy_model))
    if name == "photos.csv" and not content:
        assert ModelBundle.load(toy_model).read_photos() == []
        return
    with pytest.raises(BundleError):
        ModelBundle.load(toy_model)


def test_a_deeply_nested_manifest_is_a_sentence(toy_model: Path) -> None:
    (toy_model / "bundle.json").write_text("[" * 100_000)
    with pytest.raises(BundleError):
        ModelBundle.load(toy_model)


def test_the_current_folder_can_be_the_model(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy_model)
    assert ModelBundle.load(".").vocab == ["blue", "green", "red"]


def test_a_part_of_the_test_set_does_not_replace_the_metrics_of_the_whole(toy_model: Path) -> None:
    bundle = ModelBundle.load(toy_model).record_opening({"folder": "all", "metrics": {"n": 4}})
    bundle = bundle.record_opening({"folder": "some", "metrics": {"n": 2}})
    assert bundle.manifest["metrics"]["test"] == {"n": 4}
    assert len(bundle.manifest["sealed_test"]["openings"]) == 2


def test_a_graph_that_is_none_is_refused(toy_model: Path) -> None:
    (toy_model / "model.onnx").write_bytes(b"this is no graph")
    edit(toy_model, files=hash_files(toy_model))
    with pytest.raises(BundleError, match="ONNX Runtime refuses"):
        Predictor(toy_model)


def test_a_graph_of_another_size_is_refused(toy_model: Path) -> None:
    preprocess = json.loads((toy_model / "bundle.json").read_text())["preprocess"]
    edit(toy_model, preprocess={**preprocess, "input_size": [3, 16, 16], "resize_to": [16, 16]})
    with pytest.raises(BundleError, match="takes"):
        Predictor(toy_model)


@pytest.mark.parametrize("resize_to", [[8, 7], [7, 8], [8], [8, 8, 8], [9, 5000], [10.5, 8]])
def test_a_photo_is_never_brought_to_less_than_what_the_network_sees(
    toy_model: Path, resize_to: list[Any]
) -> None:
    preprocess = json.loads((toy_model / "bundle.json").read_text())["preprocess"]
    edit(toy_model, preprocess={**preprocess, "resize_to": [10, 12]})
    assert ModelBundle.load(toy_model).preprocess(Image.new("RGB", (30, 20))).shape == (3, 8, 8)
    edit(toy_model, preprocess={**preprocess, "resize_to": resize_to})
    with pytest.raises(BundleError, match="preprocess"):
        ModelBundle.load(toy_model)


def test_an_interrupted_replacement_comes_back(toy_model: Path) -> None:
    toy_model.rename(toy_model.with_name(f".{toy_model.name}.old"))
    assert ModelBundle.load(toy_model).vocab == ["blue", "green", "red"]


def test_an_opening_of_the_test_set_is_recorded_each_time(toy_model: Path) -> None:
    bundle = ModelBundle.load(toy_model)
    bundle = bundle.record_opening({"folder": "a", "metrics": {"n": 1}})
    bundle.record_opening({"folder": "b", "metrics": {"n": 2}})
    openings = ModelBundle.load(toy_model).manifest["sealed_test"]["openings"]
    assert [o["folder"] for o in openings] == ["a", "b"]
    assert all(o["time"] for o in openings)


def test_photos_come_back_as_they_were_written(toy_model: Path) -> None:
    rows = [PhotoRow("b", "dog, big", "b", "train"), PhotoRow("a", 'a "cat"', "a", "test")]
    write_photos(toy_model, rows)
    assert ModelBundle(toy_model, {}).read_photos() == [rows[1], rows[0]]
