"""A head on the packaged network's features: trained without torch, honestly judged, cached, refused in a sentence."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastclf import ModelBundle, Predictor
from fastclf.backbone import PACKAGED, Backbone, open_packaged
from fastclf.catalog import Dataset, load_dataset
from fastclf.errors import PhotosError
from fastclf.head import HeadOptions, train_head
from fastclf.head.linear import STRENGTH_ON_OWN_FEATURES
from fastclf.metrics import compute_log_loss, compute_softmax
from fastclf.model import FeatureCache
from fastclf.photos import decode_photo

from ..drawing import draw_navy, draw_photo, draw_photos

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def body() -> Backbone:
    return open_packaged(64)


@pytest.fixture(scope="module")
def headed(body: Backbone, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A model whose head was fitted, with what it was fitted on; two classes are hard to tell apart."""
    root = tmp_path_factory.mktemp("head")
    folder = draw_navy(draw_photos(root / "photos", per_class=16), 16)
    data, said = load_dataset(folder), []
    told = HeadOptions(title="Colours", recipe="drawn", photo_licence="CC0", record={"resize": "published"})
    bundle = train_head(data, body, root / "model", told, say=said.append)
    return SimpleNamespace(folder=folder, data=data, bundle=bundle, said=" ".join(said))


def _read_features(data: Dataset, body: Backbone, split: str) -> Any:
    """What the cache of the folder holds: nothing is computed here."""
    cache = FeatureCache(data.private, body.features_id)
    rows, there = cache.stack([photo.sha256 for photo in data.part(split)])
    assert there.all()
    return rows


def test_the_model_answers_like_its_head_and_says_what_was_done(
    headed: SimpleNamespace, body: Backbone
) -> None:
    bundle, data = headed.bundle, headed.data
    valid, features = data.part("valid"), _read_features(data, body, "valid")
    weight, bias = bundle.head
    expected = features @ weight.T + bias
    with Predictor(bundle) as predictor:
        assert [o.name for o in predictor.session.get_outputs()] == ["features", "logits", "maps"]
        logits, seen = predictor.run(predictor.preprocess.batch([decode_photo(p.path).image for p in valid]))
    assert np.abs(seen - features).max() < 1e-3
    assert np.abs(compute_softmax(logits) - compute_softmax(expected)).max() < 1e-3

    [row] = bundle.manifest.training.epochs
    assert row["accuracy"] == (expected.argmax(1) == data.targets("valid")).mean() < 1
    loss = compute_log_loss(compute_softmax(expected), data.targets("valid"))
    assert row["valid_loss"] == pytest.approx(loss, abs=1e-5)
    manifest = bundle.manifest.to_dict()
    assert (manifest["title"], manifest["recipe"], manifest["arch"]) == ("Colours", "drawn", PACKAGED.arch)
    assert manifest["licences"] == {"weights": PACKAGED.licence, "photos": "CC0"}
    assert manifest["features_id"] == body.features_id
    assert (manifest["training"]["mode"], manifest["training"]["resize"]) == ("head", "published")
    assert manifest["metrics"]["valid"]["n"] == len(valid)
    assert manifest["metrics"]["test"] is None
    assert manifest["sealed_test"] == {"n": len(data.part("test")), "openings": []}
    assert manifest["ood"]["n"] == len(valid)
    assert "fastclf export-pkl" in manifest["export_pkl"]
    # the packaged weights are nothing to repeat
    assert {"model.onnx", "head.npz", "ood.npz", "photos.csv", "card.html"} <= manifest["files"].keys()
    assert not {"export.pkl", "body.safetensors"} & manifest["files"].keys()
    assert {(r.sha256, r.split) for r in bundle.read_photos()} == {
        (r.photo.sha256, r.split) for r in data.rows
    }
    head = manifest["training"]["head"]
    assert head["own_features"] is False
    assert f"C = {head['C']:g}, the best of {len(head['tried'])} in {head['folds']} folds" in headed.said


def test_test_photos_are_not_looked_at_and_the_others_are_cached(
    headed: SimpleNamespace, body: Backbone
) -> None:
    known = set(FeatureCache(headed.data.private, body.features_id).load())
    assert known == {p.sha256 for split in ("train", "valid") for p in headed.data.part(split)}
    assert len(headed.data.part("test")) > 0


def test_validation_photos_have_no_part_in_the_choice(
    headed: SimpleNamespace, body: Backbone, tmp_path: Path
) -> None:
    labels = iter([p.label for p in headed.data.part("valid")][::-1])
    rows = tuple(
        dataclasses.replace(r, photo=dataclasses.replace(r.photo, label=next(labels)))
        if r.split == "valid"
        else r
        for r in headed.data.rows
    )
    other = train_head(dataclasses.replace(headed.data, rows=rows), body, tmp_path / "model")
    assert other.manifest.training.head == headed.bundle.manifest.training.head
    assert other.manifest.training.head.folds > 1
    assert other.manifest.metrics.valid["accuracy"] != headed.bundle.manifest.metrics.valid["accuracy"]
    assert all(np.array_equal(*pair) for pair in zip(other.head, headed.bundle.head, strict=True))


def test_a_body_that_learned_these_photos_chooses_no_regularisation(
    headed: SimpleNamespace, body: Backbone, tmp_path: Path
) -> None:
    bundle = train_head(headed.data, body, tmp_path / "model", HeadOptions(own_features=True))
    head = bundle.manifest.training.head
    assert (head.C, head.folds, head.own_features) == (STRENGTH_ON_OWN_FEATURES, 0, True)


def test_features_are_computed_once_and_again_by_another_network_or_transform(
    headed: SimpleNamespace, body: Backbone, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(headed.folder, tmp_path / "photos"))
    for i in range(4):
        draw_photo("red", 900 + i).save(folder / "red" / f"more{i}.png")
    data = load_dataset(folder)
    seen: dict[str, list[tuple[int, int]]] = {}
    renamed = Backbone.build(body.arch, body.graph + b"\x7a\x00", body.preprocess, body.licence)
    ways = {"again": body, "last": body, "transform": open_packaged(64, "squish"), "network": renamed}
    for name, way in ways.items():
        seen[name] = []
        train_head(data, way, tmp_path / "model", progress=lambda *done, to=seen[name]: to.append(done))
    new = (
        len(data.part("train"))
        + len(data.part("valid"))
        - len(headed.data.part("train") + headed.data.part("valid"))
    )
    assert sum(done == n for done, n in seen["again"]) <= 2
    assert sum(n for done, n in seen["again"] if done == n) == new > 0
    assert seen["last"] == []
    for name in ("transform", "network"):
        computed = sum(n for done, n in seen[name] if done == n)
        assert computed == len(data.part("train")) + len(data.part("valid")), name


def test_a_class_whose_photos_vanished_is_named(body: Backbone, tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=6)
    data = load_dataset(folder)
    shutil.rmtree(folder / "green")
    with pytest.raises(PhotosError, match="No training photo of green can be read"):
        train_head(data, body, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_two_classes_one_of_three_photos(body: Backbone, tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=12)
    shutil.rmtree(folder / "green")
    for path in sorted((folder / "red").iterdir())[3:]:
        path.unlink()
    bundle = train_head(load_dataset(folder), body, tmp_path / "model")
    assert bundle.head[0].shape == (2, 1280)
    assert bundle.manifest.training.head.folds == 2
    assert ModelBundle.load(bundle.path).vocab == ["blue", "red"]
    assert Predictor(bundle).predict(folder / "red" / "000.png").label == "red"
