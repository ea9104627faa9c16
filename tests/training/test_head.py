"""Mode head: features once, the head's answers from the Learner, regularisation by cross-validation."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastclf import Catalog, ModelBundle, Predictor
from fastclf.errors import PhotosError
from fastclf.metrics import compute_log_loss, compute_softmax
from fastclf.model import FeatureCache
from fastclf.photos import decode_photo
from fastclf.refit.linear_head import STRENGTH_ON_OWN_FEATURES
from fastclf.training import build_dls, build_learner, load_data, train, train_head
from fastclf.training.export import ExportNet, compute_features_id
from fastclf.training.fitting import compute_features
from fastclf.training.fitting import head as module

from ..drawing import draw_photo, draw_photos
from .tiny import ARCH, SIZE, build, read_state, write_weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def headed(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A Learner whose head was fitted, with what it was fitted on; two classes are hard to tell apart."""
    folder = draw_photos(tmp_path_factory.mktemp("head") / "photos", per_class=16)
    for i in range(16):  # nearly blue
        mixed = np.add(draw_photo("blue", 500 + i), np.array([0.0, 0, -12]))
        (folder / "navy").mkdir(exist_ok=True)
        Image.fromarray(mixed.clip(0, 255).astype(np.uint8)).save(folder / "navy" / f"{i}.png")
    data = load_data(folder)
    learn = build(data, weights=weights)
    before = read_state(learn)
    head, rows = train_head(learn, data)
    features = compute_features(learn, data, ("train", "valid"))
    return SimpleNamespace(
        folder=folder, data=data, learn=learn, before=before, head=head, row=rows[0], features=features
    )


def test_the_learner_answers_like_its_head_on_the_same_features(headed: SimpleNamespace) -> None:
    files = list(headed.data.part("valid")["file"])
    with headed.learn.no_bar():
        preds = headed.learn.get_preds(dl=headed.learn.dls.test_dl(files))[0].numpy()
    ours = compute_softmax(headed.features["valid"] @ headed.head.weight.T + headed.head.bias)
    assert np.abs(preds - ours).max() < 1e-4
    vocab = list(headed.learn.dls.vocab)
    targets = np.array([vocab.index(label) for label in headed.data.part("valid")["label"]])
    assert headed.row["accuracy"] == pytest.approx((ours.argmax(1) == targets).mean())
    assert headed.row["valid_loss"] == pytest.approx(compute_log_loss(ours, targets), abs=1e-5)
    # the body is as it was
    after = read_state(headed.learn)
    assert all(np.array_equal(after[n], v) for n, v in headed.before.items() if n.startswith("0."))


def test_validation_photos_have_no_part_in_the_choice(headed: SimpleNamespace) -> None:
    frame = headed.data.frame.copy()
    valid = frame["split"] == "valid"
    frame.loc[valid, "label"] = frame.loc[valid, "label"].to_numpy()[::-1]
    other, _ = train_head(headed.learn, dataclasses.replace(headed.data, frame=frame))
    assert other.C == headed.head.C
    assert other.table == headed.head.table
    assert np.array_equal(other.weight, headed.head.weight)


def test_a_body_that_learned_these_photos_chooses_no_regularisation(headed: SimpleNamespace) -> None:
    head, _ = train_head(headed.learn, headed.data, own_features=True)
    assert (head.C, head.folds) == (STRENGTH_ON_OWN_FEATURES, 0)


def test_features_are_computed_once_and_by_network_and_transform(
    headed: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    inner = module._open_network
    monkeypatch.setattr(module, "_open_network", lambda *a: opened.append(1) or inner(*a))
    module.compute_features(headed.learn, headed.data, ("train", "valid"))
    assert opened == []
    draw_photo("red", 900).save(headed.folder / "red" / "another.png")
    try:
        seen: list[tuple[int, int]] = []
        more = load_data(headed.folder)
        module.compute_features(headed.learn, more, ("train", "valid"), lambda *d: seen.append(d))
        assert seen in ([(1, 1)], [])  # [] where the draw made it a test photo
        assert len(opened) == len(seen)
    finally:
        (headed.folder / "red" / "another.png").unlink()

    def name(learn: Any) -> str:
        preprocess = module.read_preprocess(learn)
        return compute_features_id(ExportNet(learn), preprocess)

    file = tmp_path / "w.safetensors"
    ids = [name(headed.learn), name(build(headed.data, weights=write_weights(file)))]
    assert ids[0] == ids[1]
    ids.append(name(build(headed.data, weights=write_weights(file, seed=2))))
    ids.append(name(build(headed.data, weights=write_weights(file), resize="crop")))
    ids.append(name(build_learner(build_dls(headed.data, 48), ARCH, weights=file)))
    other = write_weights(file, "test_byobnet")
    ids.append(name(build_learner(build_dls(headed.data, SIZE), "test_byobnet", weights=other)))
    assert len(set(ids)) == 5


def test_a_class_whose_photos_vanished_is_named(weights: Path, tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=6)
    data = load_data(folder)
    learn = build(data, weights=weights)
    shutil.rmtree(folder / "green")
    with pytest.raises(PhotosError, match="No training photo of green can be read"):
        train_head(learn, data)


def test_two_classes_one_of_three_photos(weights: Path, tmp_path: Path) -> None:
    folder = draw_photos(tmp_path / "photos", per_class=12)
    shutil.rmtree(folder / "green")
    for path in sorted((folder / "red").iterdir())[3:]:
        path.unlink()
    data = load_data(folder)
    learn = build(data, weights=weights)
    head, rows = train_head(learn, data)
    assert head.weight.shape[0] == 2
    assert head.folds == 2
    with learn.no_bar():
        assert learn.validate()[1] == pytest.approx(rows[0]["accuracy"])


def test_the_bundle_of_mode_head_answers_like_its_head_and_says_what_was_done(
    headed: SimpleNamespace, weights: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    bundle = train(
        headed.folder,
        tmp_path / "model",
        arch=ARCH, size=SIZE, weights=str(weights), mode="head", track="csv", say=said.append, quiet=True,
    )  # fmt: skip
    record = bundle.manifest.training.to_dict()
    assert record["mode"] == "head"
    assert record["head"]["C"] == headed.head.C
    assert record["head"]["own_features"] is False
    assert (record["lr"], record["planned_epochs"], record["track"]) == (None, None, None)
    assert record["weights"]["name"] == "w.safetensors"
    assert str(weights.parent) not in (bundle.path / "bundle.json").read_text()
    assert any("--track csv has nothing to report" in s for s in said)
    assert {p.name for p in tmp_path.iterdir()} == {"model"}
    valid = headed.data.part("valid")
    predictor = Predictor(bundle)
    logits, features = predictor.run(
        predictor.preprocess.batch([decode_photo(p).image for p in valid["path"]])
    )
    assert np.abs(features - headed.features["valid"]).max() < 1e-3
    ours = compute_softmax(headed.features["valid"] @ headed.head.weight.T + headed.head.bias)
    assert np.abs(compute_softmax(logits) - ours).max() < 1e-3
    with Catalog(headed.folder) as catalog:
        cache = FeatureCache(catalog.private, bundle.manifest.features_id)
    assert len(cache.load()) >= len(headed.features["train"]) + len(valid)
    assert ModelBundle.load(bundle.path).manifest.metrics.valid["n"] == len(valid)
