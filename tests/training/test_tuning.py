"""Training all layers begins where mode head ends: with the head that is fitted on the frozen body's features."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastclf import ModelBundle, Predictor
from fastclf.backbone import PACKAGED
from fastclf.errors import UsageError
from fastclf.head import find_shift
from fastclf.training import train
from fastclf.training.earlier import EarlierModel

from ..drawing import draw_navy, draw_photos
from .tiny import ARCH, prepare, read_state

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of four classes, two of which are hard to tell apart."""
    return draw_navy(draw_photos(tmp_path_factory.mktemp("hard") / "photos", per_class=16), 16)


@pytest.fixture(scope="module")
def headed(folder: Path) -> ModelBundle:
    """A head of the packaged network, without export.pkl and weights of its own."""
    bundle = train(folder, folder.parent / "headed", mode="head", size=64, quiet=True)
    assert "body.safetensors" not in bundle.manifest.files
    return bundle


def _validate(run: Any) -> tuple[float, float]:
    with run.learn.no_bar(), run.learn.no_logging():
        loss, accuracy = run.learn.validate()
    return float(loss), float(accuracy)


@pytest.mark.parametrize("kind", [pytest.param("packaged", marks=pytest.mark.thorough), "file"])
def test_all_layers_begin_from_the_head_and_a_rate_near_zero_ends_there(
    kind: str, folder: Path, headed: ModelBundle, weights: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"size": 64}
    if kind == "file":
        options = {"size": 32, "arch": ARCH, "weights": str(weights)}
        headed = train(folder, tmp_path / "head", mode="head", quiet=True, **options)
    [row] = headed.manifest.training.epochs
    assert row["valid_loss"] < 1  # with a head that has not learned it is log 4
    run = prepare(folder, tmp_path / "model", epochs=1, lr=1e-9, **options)
    assert _validate(run) == pytest.approx((row["valid_loss"], row["accuracy"]), abs=1e-3)
    assert [phase.name for phase in run._plan_phases(None)] == ["all"]

    before = read_state(run.learn)
    run.fit()
    [last] = run.fitted.epochs
    assert (last["valid_loss"], last["accuracy"]) == pytest.approx(
        (row["valid_loss"], row["accuracy"]), abs=1e-3
    )
    # the statistics of these few photos do not take the place of those that the body learned with
    after = read_state(run.learn)
    kept = [name for name in before if "running" in name]
    assert kept
    assert all(np.array_equal(before[name], after[name]) for name in kept)
    bundle = run.export()
    assert bundle.manifest.metrics.valid["accuracy"] == headed.manifest.metrics.valid["accuracy"]
    # fastai decodes whole photos
    assert bundle.preprocess == replace(headed.preprocess, least_side=0)
    assert bundle.manifest.licences.weights == headed.manifest.licences.weights
    assert {"export.pkl", "body.safetensors"} <= bundle.manifest.files.keys()


def test_a_model_that_stands_on_the_packaged_weights_is_trained_further(
    folder: Path, headed: ModelBundle, tmp_path: Path
) -> None:
    run = prepare(folder, tmp_path / "tuned", from_model=str(headed.path))
    [row] = headed.manifest.training.epochs
    assert _validate(run) == pytest.approx((row["valid_loss"], row["accuracy"]), abs=1e-3)
    assert (run.plan.arch, run.plan.size, run.resize) == (PACKAGED.arch, 64, "published")
    assert run.starts_trained


def test_a_head_is_fitted_again_on_the_packaged_weights_at_another_size_too(
    folder: Path, headed: ModelBundle, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"mode": "head", "from_model": str(headed.path), "quiet": True}
    again, larger = (
        train(folder, tmp_path / "again", **options),
        train(folder, tmp_path / "96", size=96, **options),
    )
    assert again.manifest.features_id == headed.manifest.features_id != larger.manifest.features_id
    assert (again.preprocess, again.manifest.training.resize) == (headed.preprocess, "published")
    assert again.manifest.training.head == headed.manifest.training.head
    assert again.manifest.training.to_dict()["from"]["features_id"] == headed.manifest.features_id
    assert larger.preprocess.input_size == (3, 96, 96)
    for bundle in (again, larger):
        assert bundle.manifest.licences == headed.manifest.licences
        assert not {"body.safetensors", "export.pkl"} & bundle.manifest.files.keys()
        assert Predictor(bundle).predict(folder / "red" / "000.png").label == "red"


def test_both_ways_even_rare_classes_out_once_and_training_further_begins_before_that(
    folder: Path, tmp_path: Path
) -> None:
    thinned = Path(shutil.copytree(folder, tmp_path / "photos"))
    for path in sorted((thinned / "navy").iterdir())[4:]:
        path.unlink()
    headed, plain = (
        train(thinned, tmp_path / balance, mode="head", size=64, balance=balance, quiet=True)
        for balance in ("on", "off")
    )
    said: list[str] = []
    run = prepare(thinned, tmp_path / "tuned", said=said, epochs=1, lr=1e-9, size=64, balance="on")
    shift = find_shift(run.data.targets("train"), "on")
    assert shift is not None
    assert headed.head[1] == pytest.approx(plain.head[1] + shift, abs=1e-5)
    run.fit()
    assert "Balance: " in " ".join(said)
    assert ", navy " in " ".join(said)
    tuned = run.export()
    assert tuned.head[1] == pytest.approx(headed.head[1], abs=1e-3)
    assert tuned.manifest.training.balance == "on"
    for bundle in (headed, plain, tuned):
        assert EarlierModel(bundle).unshifted_bias == pytest.approx(plain.head[1], abs=1e-3)


@pytest.mark.parametrize("asked", [{"size": 48}, {"resize": "pad"}])
def test_a_body_of_its_own_keeps_its_transform_in_mode_head(
    folder: Path, weights: Path, tmp_path: Path, asked: dict[str, Any]
) -> None:
    first = train(
        folder, tmp_path / "first", mode="head", arch=ARCH, size=32, weights=str(weights), quiet=True
    )
    options: dict[str, Any] = {"mode": "head", "from_model": str(first.path), "quiet": True}
    with pytest.raises(UsageError, match="Leave --size and --resize out"):
        train(folder, tmp_path / "second", **options, **asked)
    same = train(folder, tmp_path / "second", **options, size=32, resize="published")
    assert same.manifest.features_id == first.manifest.features_id
    assert same.manifest.files["body.safetensors"] == first.manifest.files["body.safetensors"]
