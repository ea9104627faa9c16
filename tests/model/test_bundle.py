"""A bundle opens whole or is refused with the reason; reading it writes nothing."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastclf import ModelBundle, Predictor
from fastclf.errors import BundleError, UsageError
from fastclf.model import Manifest, PhotoRow, check_target, hash_files, write_photos

from ..drawing import draw_photo
from ..toy import write_toy_bundle

PHOTO = draw_photo("red", 7)


def edit(model: Path, **changes: Any) -> None:
    manifest = json.loads((model / "bundle.json").read_text())
    for key, value in changes.items():
        if value is None:
            del manifest[key]
        else:
            manifest[key] = value
    (model / "bundle.json").write_text(json.dumps(manifest))


def test_a_whole_bundle_opens(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy_model)
    assert ModelBundle.load(".").vocab == ["blue", "green", "red"]
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
    with pytest.raises(BundleError, match=r"its file model\.onnx is missing; copy the whole folder"):
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
        ({"ood": {"kind": "mahalanobis", "threshold": None, "false_alarm_rate": 0.02}}, "damaged"),
        ({"ood": {"kind": "mahalanobis+energy", "threshold": 0.1, "false_alarm_rate": 0.02}}, "damaged"),
        ({"ood": {"kind": "mahalanobis"}}, "damaged"),
        ({"sealed_test": 5}, "damaged"),
        ({"metrics": []}, "metrics"),
        ({"preprocess": []}, "preprocess|damaged"),
        ({"files": []}, "outside|damaged"),
        ({"files": {}}, r"model\.onnx"),
        ({"files": {"../../etc/passwd": "0"}}, "outside"),
        ({"files": {"/etc/passwd": "0"}}, "outside"),
        ({"files": {"C:\\secrets": "0"}}, "outside"),
        *(({name: 5}, rf"damaged \({name} is 5") for name in ("arch", "title", "features_id", "created")),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_with_the_reason(
    toy_model: Path, changes: dict[str, Any], words: str
) -> None:
    edit(toy_model, **changes)
    with pytest.raises(BundleError, match=words):
        ModelBundle.load(toy_model)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000], ids=lambda text: text[:5])
def test_a_torn_manifest_is_a_sentence(toy_model: Path, text: str) -> None:
    (toy_model / "bundle.json").write_text(text)
    with pytest.raises(BundleError):
        ModelBundle.load(toy_model)


def test_no_model_says_how_to_get_one_and_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(BundleError, match="fastclf train"):
        ModelBundle.load(tmp_path / "nothing")
    assert time.monotonic() - began < 0.5


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


def test_a_graph_that_is_none_is_refused(toy_model: Path) -> None:
    (toy_model / "model.onnx").write_bytes(b"this is no graph")
    edit(toy_model, files=hash_files(toy_model))
    with pytest.raises(BundleError, match="no ONNX graph"):
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


def list_files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return {name: (size, time of the last change)} of a folder and all in it."""
    found = {path: path.stat() for path in (folder, *folder.rglob("*"))}
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


@pytest.mark.parametrize("state", ["whole", "with a stale card", "without its card", "half replaced"])
def test_reading_a_model_writes_nothing_whatever_a_kill_left(tmp_path: Path, state: str) -> None:
    model = write_toy_bundle(tmp_path / "models" / "model", judged=True)
    if state == "with a stale card":
        (model / "card.html").write_text("of yesterday")
    elif state == "without its card":
        (model / "card.md").unlink()
    elif state == "half replaced":
        model.rename(model.with_name(".model.old"))
    for path in (model.parent, *model.parent.rglob("*")):
        os.utime(path, (0, 0))
    before = list_files(model.parent)
    if state == "half replaced":
        with pytest.raises(BundleError, match="There is no model"):
            ModelBundle.load(model)
    else:
        bundle = ModelBundle.load(model)
        bundle.verify_files()
        assert len(bundle.example_files) == 3
        with Predictor(bundle) as predictor:
            assert predictor.predict_images([draw_photo("red", 1)], ["x"])[0].label == "red"
    assert list_files(model.parent) == before


def test_a_reader_waits_while_somebody_replaces_the_model(toy_model: Path) -> None:
    old = toy_model.with_name(f".{toy_model.name}.old")
    toy_model.rename(old)
    swap = threading.Timer(0.2, lambda: shutil.copytree(old, toy_model.with_name("x")).rename(toy_model))
    swap.start()
    assert ModelBundle.load(toy_model).vocab == ["blue", "green", "red"]
    swap.join()


# As the first versions wrote it, and with a key of a later one in each part.
EARLIER = {
    "schema": 1, "fastclf": "0.0.1", "python": "3.11", "created": "2025-01-01T00:00:00+00:00", "title": "T",
    "recipe": None, "arch": "resnet18", "vocab": ["a", "b"], "features_id": "f" * 64, "temperature": 1.5,
    "preprocess": {
        "input_size": [3, 8, 8], "resize_to": [8, 8], "method": "crop", "pad_mode": "zeros",
        "interpolation": "bilinear", "mean": [0.5, 0.5, 0.5], "std": None,
    },
    "ood": {"kind": "knn-cosine", "k": 5, "threshold": 0.1, "false_alarm_rate": 0.02, "later": 1},
    "metrics": {"train": None, "valid": {"n": 3, "accuracy": 1.0}, "test": None},
    "sealed_test": {"n": 4, "openings": [{"time": "t", "n": 4}], "later": 2},
    "training": {"mode": "finetune", "head": {"C": 0.1, "later": 3}, "seed": 0, "lr": None, "epochs": [{"epoch": 1}]},
    "files": {"model.onnx": "0", "head.npz": "1", "photos.csv": "2"}, "later": {"x": None},
}  # fmt: skip


def test_nothing_of_another_version_is_lost_when_a_manifest_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(EARLIER))
    manifest = Manifest.read(tmp_path)
    assert (manifest.ood.more["k"], manifest.metrics.valid["n"], manifest.training.head.C) == (5, 3, 0.1)
    assert (manifest.sealed_test.n, manifest.licences.photos, manifest.parity) == (4, "not recorded", None)
    manifest.write(tmp_path)
    again = json.loads((tmp_path / "bundle.json").read_text())
    for key, value in EARLIER.items():
        kept = {k: again[key][k] for k in value} if isinstance(value, dict) else again[key]
        assert kept == value, key
    assert Manifest.read(tmp_path) == manifest


def test_photos_come_back_as_they_were_written(toy_model: Path) -> None:
    rows = [PhotoRow("b" * 64, "dog, big", "b", "train"), PhotoRow("a" * 64, 'a "cat"', "a", "test")]
    write_photos(toy_model, rows)
    bundle = ModelBundle.load(toy_model, verify=False)
    assert bundle.read_photos() == [rows[1], rows[0]]


@pytest.mark.parametrize("name", ["photos.csv", "examples/example-1.jpg", "card.html", "extra.bin"])
@pytest.mark.parametrize("fault", ["missing", "pointer", "unreadable"])
def test_what_no_answer_needs_does_not_keep_a_model_from_opening(
    toy_model: Path, name: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (toy_model / "extra.bin").write_bytes(b"weights for training further")
    edit(toy_model, files=hash_files(toy_model))
    spoil(toy_model / name, fault, monkeypatch)
    bundle = ModelBundle.load(toy_model)
    assert Predictor(bundle).predict(PHOTO).label == "red"
    if name != "card.html":
        with pytest.raises(
            BundleError, match=f"needs more: {name} (is missing|is a Git LFS|may not be read)"
        ):
            bundle.require(name)
    if name == "photos.csv":
        with pytest.raises(BundleError, match=r"photos\.csv"):
            bundle.read_photos()
    assert len(bundle.example_files) == 3 - ((name, fault) == ("examples/example-1.jpg", "missing"))


@pytest.mark.parametrize("name", ["model.onnx", "head.npz", "ood.npz", "bundle.json"])
@pytest.mark.parametrize("fault", ["missing", "pointer", "unreadable"])
def test_what_an_answer_needs_is_named_with_what_to_do(
    toy_model: Path, name: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(toy_model / name, fault, monkeypatch)
    words = {"missing": "missing|no model", "pointer": "git lfs pull", "unreadable": r"chmod a\+r|denied"}[
        fault
    ]
    with pytest.raises(BundleError, match=words):
        ModelBundle.load(toy_model)


def spoil(file: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "missing":
        file.unlink()
    elif fault == "pointer":
        file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    else:
        opened = Path.open

        def refuse(self: Path, *args: Any, **options: Any) -> Any:
            if self == file:
                raise PermissionError(13, "Permission denied", str(self))
            return opened(self, *args, **options)

        monkeypatch.setattr(Path, "open", refuse)


def test_line_ends_of_another_system_do_not_matter(toy_model: Path) -> None:
    write_photos(
        toy_model, [PhotoRow("0" * 64, "red", "g", "train"), PhotoRow("1" * 64, "blue", "h", "valid")]
    )
    edit(toy_model, files=hash_files(toy_model))
    before = ModelBundle.load(toy_model).read_photos()
    for name in ("bundle.json", "photos.csv", "card.md", "card.html"):
        file = toy_model / name
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert ModelBundle.load(toy_model).read_photos() == before
    with (toy_model / "photos.csv").open("ab") as f:
        f.write(b"2,red,i,train\r\n")
    with pytest.raises(BundleError, match=r"photos\.csv differs"):
        ModelBundle.load(toy_model)


def test_stray_files_and_another_name_do_not_matter(toy_model: Path) -> None:
    for name in (
        ".DS_Store",
        "Thumbs.db",
        "._model.onnx",
        "examples/.DS_Store",
        "desktop.ini",
        ".gitattributes",
    ):
        (toy_model / name).write_bytes(b"\0\0")
    moved = toy_model.rename(toy_model.with_name("мой модель (1)"))
    assert Predictor(moved).predict(PHOTO).label == "red"


def test_a_file_of_the_model_stands_for_its_folder(toy_model: Path, tmp_path: Path) -> None:
    for name in ("bundle.json", "model.onnx"):
        assert ModelBundle.load(toy_model / name).path == toy_model
    other = tmp_path / "m.zip"
    other.write_bytes(b"PK\3\4")
    with pytest.raises(BundleError, match="unpack it"):
        ModelBundle.load(other)
    other.write_bytes(b"weights")
    with pytest.raises(BundleError, match=r"is a file, not a model's folder\. Name the model's folder"):
        ModelBundle.load(other)
    (tmp_path / "outer").mkdir()
    toy_model.rename(tmp_path / "outer" / "m")
    with pytest.raises(BundleError, match=r"but one in .*outer/m"):
        ModelBundle.load(tmp_path / "outer")


def test_what_a_killed_look_left_in_a_model_is_no_other_thing(toy_model: Path) -> None:
    (toy_model / ".fastclf-0123abcd").write_bytes(b"0" * 64)
    check_target(toy_model)
    (toy_model / ".fastclf-notes").write_text("mine")
    with pytest.raises(UsageError, match="holds other things than a model"):
        check_target(toy_model)
