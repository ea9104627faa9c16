"""An earlier model is trained further: it begins with its own answers, and never judges on what it learned."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastclf import Catalog, ModelBundle, Predictor
from fastclf.catalog import load_dataset
from fastclf.errors import PhotosError, UsageError
from fastclf.head import refit_head, use_refit
from fastclf.metrics import compute_log_loss, compute_softmax
from fastclf.model import PhotoRow, TrainingRecord
from fastclf.system import hash_file
from fastclf.training import train
from fastclf.training.earlier import EarlierModel
from fastclf.training.fitting import compute_features

from ..drawing import draw_photo, draw_photos, draw_scene
from ..toy import write_toy_bundle
from .tiny import ARCH, SIZE, prepare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def earlier(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A model of mode head, its photos, and the photos' folder as it was."""
    root = tmp_path_factory.mktemp("earlier")
    folder = draw_photos(root / "photos", per_class=12)
    bundle = train(
        folder, root / "model", arch=ARCH, size=SIZE, mode="head", weights=str(weights), resize="crop",
        augment="upright", quiet=True,
    )  # fmt: skip
    return SimpleNamespace(folder=folder, bundle=bundle, root=root)


@pytest.fixture
def photos(earlier: SimpleNamespace, tmp_path: Path) -> Path:
    """A copy of the photos, with the splits that are on record."""
    return Path(shutil.copytree(earlier.folder, tmp_path / "photos"))


def _prepare(folder: Path, model: Path, **options: Any) -> Any:
    """Return a run up to its first epoch, and what it said."""
    said: list[str] = []
    run = prepare(folder, folder.parent / "out", said=said, from_model=str(model), **options)
    run.said = " ".join(said)
    return run


def _validate(run: Any) -> tuple[float, float]:
    with run.learn.no_bar(), run.learn.no_logging():
        loss, accuracy = run.learn.validate()
    return float(loss), float(accuracy)


def test_fine_tuning_begins_with_the_heads_answers(earlier: SimpleNamespace, photos: Path) -> None:
    run = _prepare(photos, earlier.bundle.path)
    [row] = earlier.bundle.manifest.training.epochs
    loss, accuracy = _validate(run)
    assert loss == pytest.approx(row["valid_loss"], abs=1e-3)
    assert accuracy == pytest.approx(row["accuracy"], abs=1e-3)
    assert run.starts_trained
    assert (run.plan.size, run.resize, run.augment) == (SIZE, "crop", "upright")
    assert [p.name for p in run._plan_phases(None)] == ["all"]
    assert run.learn.dls.after_batch.fs[-1].mean.flatten().tolist() == pytest.approx([0.5, 0.5, 0.5])


def test_a_worse_result_leaves_the_earlier_model_and_says_so(earlier: SimpleNamespace, photos: Path) -> None:
    run = _prepare(photos, earlier.bundle.path, epochs=1, lr=30.0)
    run.fit()
    assert run.fitted.best_epoch == 0
    assert run.describe()["best_epoch"] == 0
    assert _validate(run)[1] == pytest.approx(earlier.bundle.manifest.metrics.valid["accuracy"])
    assert run.describe()["lr"] == 30.0
    assert run.describe()["from"]["features_id"] == earlier.bundle.manifest.features_id


def test_a_new_class_is_learned(earlier: SimpleNamespace, photos: Path) -> None:
    (photos / "scene").mkdir()
    for i in range(12):
        draw_scene(f"s{i}").save(photos / "scene" / f"{i}.png")
    run = _prepare(photos, earlier.bundle.path)
    assert "New classes: scene." in run.said
    assert not run.starts_trained
    assert [p.name for p in run._plan_phases(None)] == ["head", "all"]
    head = train(photos, photos.parent / "head", mode="head", from_model=str(earlier.bundle.path), quiet=True)
    assert head.vocab == ["blue", "green", "red", "scene"]
    answers = Predictor(head).predict_many(sorted((photos / "scene").iterdir()))
    assert np.mean([answer.label == "scene" for answer in answers]) > 0.9
    # the body never learned from these photos, so cross-validation is honest
    assert head.manifest.training.head.own_features is False
    assert head.manifest.training.head.folds > 1


def test_a_class_that_is_gone_is_forgotten(earlier: SimpleNamespace, photos: Path) -> None:
    shutil.rmtree(photos / "green")
    run = _prepare(photos, earlier.bundle.path)
    assert "Classes that are gone: green." in run.said
    assert list(run.learn.dls.vocab) == ["blue", "red"]
    assert run.starts_trained
    assert _validate(run)[1] == 1.0


def test_the_splits_of_the_model_go_with_it(earlier: SimpleNamespace, tmp_path: Path) -> None:
    fresh = draw_photos(tmp_path / "photos", per_class=12)
    draw_photo("red", 777).save(fresh / "red" / "new.png")
    run = _prepare(fresh, earlier.bundle.path, seed=9)
    known = {row.sha256: row.split for row in earlier.bundle.read_photos()}
    today = {row.photo.sha256: row.split for row in run.data.rows}
    assert {sha: today[sha] for sha in known} == known
    assert len(today) == len(known) + 1


def test_photos_that_the_model_learned_may_not_judge_it(earlier: SimpleNamespace, tmp_path: Path) -> None:
    other = draw_photos(tmp_path / "photos", per_class=12)
    load_dataset(other, seed=5)  # draws splits of its own
    with Catalog(other) as catalog:
        before = {p.sha256: p.split for p in catalog.photos().photos}
    known = {row.sha256: row.split for row in earlier.bundle.read_photos()}
    clash = sum(known[s] == "train" and split != "train" for s, split in before.items())
    assert clash > 0
    draw_photo("red", 778).save(other / "red" / "new.png")
    with pytest.raises(PhotosError, match=f"{clash} photos that .* was trained on"):
        _prepare(other, earlier.bundle.path)
    with Catalog(other) as catalog:
        after = {p.sha256: p.split for p in catalog.photos().photos}
    assert {sha: after[sha] for sha in before} == before
    assert [split for sha, split in after.items() if sha not in before] == [""]
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_continued_is_refused(earlier: SimpleNamespace, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"is a {ARCH} and --arch says resnet18"):
        _prepare(photos, earlier.bundle.path, arch="resnet18")
    toy = write_toy_bundle(tmp_path / "toy", rows=[PhotoRow("0" * 64, "red", "g", "train")])
    with pytest.raises(UsageError, match=r"holds no body\.safetensors"):
        _prepare(photos, toy)


def test_another_size_is_possible_and_todays_labels_count(earlier: SimpleNamespace, photos: Path) -> None:
    with Catalog(photos) as catalog:
        catalog.scan()
        catalog.relabel(["red/000.png"], "blue")
    run = _prepare(photos, earlier.bundle.path, size=48)
    assert run.plan.size == 48
    assert run.learn.dls.one_batch()[0].shape[-1] == 48
    labels = {row.photo.name: row.photo.label for row in run.data.rows}
    assert labels["red/000.png"] == "blue"


def test_after_a_refit_it_goes_on_from_the_refitted_head(
    earlier: SimpleNamespace, photos: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(earlier.bundle.path, tmp_path / "model"))
    with Catalog(photos) as catalog:
        catalog.scan()
        train = [p.name for p in catalog.photos().photos if p.split == "train" and p.label == "red"]
        catalog.relabel(train[:4], "blue")
    refitted = refit_head(model, photos)
    use_refit(model, refitted.stamp)
    bundle = ModelBundle.load(model)
    assert not np.allclose(bundle.head[0], earlier.bundle.head[0])
    body = "body.safetensors"
    assert hash_file(model / body) == hash_file(earlier.bundle.path / body)
    run = _prepare(photos, model)
    assert _validate(run)[0] == pytest.approx(_logloss(bundle, run), abs=1e-3)


def _logloss(bundle: ModelBundle, run: Any) -> float:
    """The loss of the bundle's head, before temperature, on the validation photos."""
    features = compute_features(run.learn, run.data, "valid")
    logits = features @ bundle.head[0].T + bundle.head[1]
    return float(compute_log_loss(compute_softmax(logits), run.data.targets("valid")))


def test_what_the_record_says_of_the_earlier_training_goes_on(
    earlier: SimpleNamespace, photos: Path, tmp_path: Path
) -> None:
    def source(**training: Any) -> EarlierModel:
        record = {**earlier.bundle.manifest.training.to_dict(), **training}
        manifest = replace(earlier.bundle.manifest, training=TrainingRecord.from_dict(record))
        return EarlierModel(ModelBundle(earlier.bundle.path, manifest))

    assert source().is_general
    assert not source(head=None).is_general
    # a head on a body that had been fine-tuned on these photos before
    assert not source(head={"C": 0.02, "own_features": True}).is_general
    assert source(resize="random-crop").resize == "random-crop"
    assert source(resize=None).resize == "crop"
    assert source(augment="none").augment == "none"
    assert source(augment=["?"]).augment is None
