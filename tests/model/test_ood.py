"""Photos unlike the training photos: planted clusters, the stated rate, shapes at the edge, the bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastclf import ModelBundle
from fastclf.errors import BundleError, UsageError
from fastclf.model import JointDetector, MahalanobisDetector, hash_files
from fastclf.model.ood import find_threshold

from .test_bundle import edit

Array = np.ndarray


def draw_classes(rng: np.random.Generator, n: int, width: int = 16, classes: int = 3) -> tuple[Array, Array]:
    """Draw positive features around a centre a class, much wider along the first two directions."""
    targets = np.arange(n) % classes
    spread = np.where(np.arange(width) < 2, 0.5, 0.02)
    centres = 2 + np.random.default_rng(7).random((classes, width))
    return np.abs(centres[targets] + rng.normal(0, 1, (n, width)) * spread), targets


@pytest.fixture
def fitted(rng: np.random.Generator) -> MahalanobisDetector:
    train, targets = draw_classes(rng, 600)
    return MahalanobisDetector.fit(train, draw_classes(rng, 400)[0], targets)


def test_what_differs_where_the_training_photos_do_not_is_unfamiliar(
    fitted: MahalanobisDetector, rng: np.random.Generator
) -> None:
    own, _ = draw_classes(rng, 300)
    # as far as many of its own photos lie from each other, but in a direction in which these hardly differ
    foreign = own.copy()
    foreign[:, 8] += 0.5
    assert fitted.is_unfamiliar(fitted.ood_score(foreign)).mean() > 0.99
    along = own.copy()
    along[:, 0] += 0.5
    assert fitted.is_unfamiliar(fitted.ood_score(along)).mean() < 0.4


def test_between_two_classes_is_further_out_than_in_one(rng: np.random.Generator) -> None:
    targets = np.arange(200) % 2
    centres = np.array([[1.0, 0.2, 0.5, 0.5], [0.2, 1.0, 0.5, 0.5]])
    x = centres[targets] + rng.normal(0, 0.02, (200, 4))
    told = MahalanobisDetector.fit(x[:100], x[100:], targets[:100])
    untold = MahalanobisDetector.fit(x[:100], x[100:])
    between = centres.mean(0)[None]
    assert told.ood_score(between)[0] > 4 * told.threshold_
    assert untold.ood_score(between)[0] < 2 * untold.threshold_


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (39, 0.05), (150, 0.05), (150, 0.2)])
def test_the_stated_rate_is_kept_over_many_draws(n: int, rate: float, rng: np.random.Generator) -> None:
    train, targets = draw_classes(rng, 200, width=6)
    fitted = MahalanobisDetector.fit(train, train, targets)
    rates = []
    for _ in range(400):
        scores = fitted.ood_score(draw_classes(rng, n, width=6)[0])
        fresh = fitted.ood_score(draw_classes(rng, 200, width=6)[0])
        rates.append((fresh > find_threshold(scores, rate)).mean())
    error = 4 * np.std(rates) / np.sqrt(len(rates))
    assert rate - 1 / (n + 1) - error <= np.mean(rates) <= rate + error


def test_the_threshold_is_the_conformal_quantile() -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))
    assert find_threshold(scores, 0.05) == pytest.approx(95, abs=0.01)
    assert (scores > find_threshold(scores, 0.05)).sum() == 4
    # with too few photos for the rate the furthest is still familiar
    for few in (scores[:19], *(np.arange(n, dtype=float) for n in (1, 5, 18))):
        assert find_threshold(few, 0.05) == pytest.approx(few.max(), abs=0.01)
        assert not (few > find_threshold(few, 0.05)).any()


def test_the_threshold_comes_from_validation_photos_alone(rng: np.random.Generator) -> None:
    train, targets = draw_classes(rng, 300)
    valid = draw_classes(rng, 200)[0] + rng.normal(0, 0.1, (200, 16))
    # a network that learned its training photos by heart gives them features closer together
    fitted = MahalanobisDetector.fit(train, valid, targets)
    assert fitted.ood_score(valid).mean() > 2 * fitted.ood_score(train).mean()
    assert fitted.false_alarm_rate == (fitted.ood_score(valid) > fitted.threshold_).mean() < 0.05
    assert (fitted.stated_rate, fitted.n_valid) == (0.05, 200)


def test_scores_do_not_depend_on_scale_class_names_order_or_company(rng: np.random.Generator) -> None:
    (train, targets), (valid, _) = draw_classes(rng, 300), draw_classes(rng, 100)
    fitted = MahalanobisDetector.fit(train, valid, targets)
    expected = fitted.ood_score(valid)
    order = rng.permutation(len(train))
    for other in (
        MahalanobisDetector.fit(train * 1000, valid * 1000, targets),
        MahalanobisDetector.fit(train[order], valid, targets[order]),
        MahalanobisDetector.fit(train, valid, 5 - 2 * targets),
    ):
        assert other.ood_score(valid * 3) == pytest.approx(expected, rel=2e-2)
        assert other.threshold_ == pytest.approx(fitted.threshold_, rel=2e-2)
    alone = np.concatenate([fitted.ood_score(row[None]) for row in valid])
    assert alone == pytest.approx(expected, abs=1e-4)


def test_rounding_does_not_make_the_photo_at_the_threshold_unfamiliar(rng: np.random.Generator) -> None:
    (train, targets), (valid, _) = draw_classes(rng, 300), draw_classes(rng, 100)
    fitted = MahalanobisDetector.fit(train, valid, targets)
    for _ in range(20):
        rounded = valid * (1 + 1e-6 * rng.normal(size=valid.shape))
        assert (fitted.ood_score(rounded) > fitted.threshold_).mean() == fitted.false_alarm_rate


@pytest.mark.parametrize(
    ("n", "width", "classes"),
    [(400, 3, 2), (40, 512, 2), (60, 2048, 10), (10, 64, 10), (2, 4, 2), (1, 1, 1), (300, 8, 100)],
)
def test_shapes_at_the_edge_give_finite_scores_and_find_what_is_far(
    n: int, width: int, classes: int, rng: np.random.Generator
) -> None:
    train, targets = draw_classes(rng, n, width, classes)
    valid, _ = draw_classes(rng, max(20, n // 2), width, classes)
    fitted = MahalanobisDetector.fit(train, valid, targets)
    assert fitted.fits(width)
    assert fitted.axes_.nbytes <= 3_400_000
    scores = fitted.ood_score(valid)
    assert np.isfinite(scores).all()
    assert (scores > fitted.threshold_).mean() <= 0.05
    if width > 1:
        far = np.eye(width)[rng.integers(width, size=20)]
        assert fitted.is_unfamiliar(fitted.ood_score(far)).mean() > 0.9


def test_wide_features_keep_their_largest_axes_and_still_tell(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (train, targets), (valid, _) = draw_classes(rng, 600), draw_classes(rng, 400)
    whole = MahalanobisDetector.fit(train, valid, targets)
    monkeypatch.setattr("fastclf.model.mahalanobis._MAX_AXES_BYTES", 16 * 2 * 4)
    part = MahalanobisDetector.fit(train, valid, targets)
    assert (whole.axes_.shape, part.axes_.shape) == ((16, 16), (16, 4))
    foreign = valid.copy()
    foreign[:, 8] += 0.5
    assert part.is_unfamiliar(part.ood_score(foreign)).mean() > 0.99
    assert np.corrcoef(whole.ood_score(valid), part.ood_score(valid))[0, 1] > 0.9
    assert part.rest_ == pytest.approx(whole.variances_[4:].mean(), rel=0.01)


def test_a_whole_covariance_is_the_textbooks_distance(rng: np.random.Generator) -> None:
    (train, targets), (valid, _) = draw_classes(rng, 5000), draw_classes(rng, 50)
    fitted = MahalanobisDetector.fit(train, valid, targets)
    roots, asked = (np.sqrt(x) / np.linalg.norm(np.sqrt(x), axis=1, keepdims=True) for x in (train, valid))
    means = np.stack([roots[targets == k].mean(0) for k in range(3)])
    inverse = np.linalg.inv(np.cov((roots - means[targets]).T))
    distances = [np.einsum("ni,ij,nj->n", asked - m, inverse, asked - m) for m in means]
    expected = np.sqrt(np.min(distances, axis=0) / 16)
    # one direction has hardly any variance at length 1; the shrinkage is felt there
    assert np.corrcoef(fitted.ood_score(valid), expected)[0, 1] > 0.99


def test_photos_that_are_all_alike_are_familiar_and_others_are_not() -> None:
    same = np.full((30, 5), 0.7)
    fitted = MahalanobisDetector.fit(same, same[:10], np.arange(30) % 2)
    assert not fitted.is_unfamiliar(fitted.ood_score(same * (1 + 1e-7))).any()
    assert fitted.is_unfamiliar(fitted.ood_score(np.array([[0.7, 0.7, 0.7, 0.7, 0.0]]))).all()
    dead = MahalanobisDetector.fit(np.zeros((30, 5)), np.zeros((10, 5)))
    assert not dead.is_unfamiliar(dead.ood_score(np.zeros((2, 5)))).any()


def test_classes_whose_photos_are_all_alike_are_told_exactly(rng: np.random.Generator) -> None:
    targets = np.arange(40) % 10
    apart = rng.random((10, 16))[targets]
    fitted = MahalanobisDetector.fit(apart, apart[:20], targets)
    assert fitted.ood_score(apart) == pytest.approx(0, abs=0.01)
    assert fitted.is_unfamiliar(fitted.ood_score(rng.random((50, 16)))).all()


def test_features_that_are_no_numbers_are_left_out_and_are_unfamiliar(rng: np.random.Generator) -> None:
    (train, targets), (valid, _) = draw_classes(rng, 300), draw_classes(rng, 100)
    clean = MahalanobisDetector.fit(train[1:], valid[1:], targets[1:])
    train[0, 3], valid[0, 5] = np.nan, np.inf
    fitted = MahalanobisDetector.fit(train, valid, targets)
    assert fitted.threshold_ == clean.threshold_
    assert fitted.n_valid == 99
    scores = fitted.ood_score(np.array([[np.nan] * 16, [np.inf] * 16, [1e300] * 16]))
    assert np.isfinite(scores).all()
    assert fitted.is_unfamiliar(scores[:2]).all()


@pytest.mark.parametrize(
    ("train", "valid", "targets", "rate", "words"),
    [
        (np.ones((4, 3)), np.ones((2, 3)), None, 0.0, "between 0 and 1"),
        (np.ones((4, 3)), np.ones((2, 3)), None, 1.0, "between 0 and 1"),
        (np.ones((4, 3)), np.ones((2, 4)), None, 0.05, "do not fit"),
        (np.ones((4, 0)), np.ones((2, 0)), None, 0.05, "do not fit"),
        (np.ones((4, 3)), np.ones((2, 3)), np.zeros(3), 0.05, "one each"),
        (np.ones((4, 3)), np.ones((0, 3)), None, 0.05, "0 validation"),
        (np.full((4, 3), np.nan), np.ones((2, 3)), None, 0.05, "0 training"),
    ],
)
def test_what_cannot_be_fitted_is_a_sentence(
    train: Array, valid: Array, targets: Array | None, rate: float, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        MahalanobisDetector.fit(train, valid, targets, false_alarm_rate=rate)


def write_ood(model: Path, ood: dict[str, Any], **arrays: Array) -> None:
    """Put another detector into a bundle, hashed as it should be."""
    np.savez(model / "ood.npz", **arrays)  # type: ignore[arg-type]
    edit(model, ood=ood, files=hash_files(model))


def test_a_bundles_detector_scores_as_the_fitted_one(toy_model: Path, rng: np.random.Generator) -> None:
    train, valid = rng.random((50, 3)), rng.random((30, 3))
    fitted = MahalanobisDetector.fit(train, valid, np.arange(50) % 3)
    fitted.save(toy_model / "ood.npz")
    with np.load(toy_model / "ood.npz") as arrays:
        write_ood(toy_model, fitted.describe().to_dict(), **dict(arrays))
    read = ModelBundle.load(toy_model).detector
    assert isinstance(read, MahalanobisDetector)
    assert np.array_equal(read.ood_score(valid), fitted.ood_score(valid))
    assert (read.threshold_, read.stated_rate, read.n_valid) == (fitted.threshold_, 0.05, 30)
    assert read.false_alarm_rate == fitted.false_alarm_rate


def test_energy_tells_what_lies_between_the_classes_and_distance_what_lies_beyond(
    rng: np.random.Generator,
) -> None:
    def draw(n: int, place: Array) -> Array:
        """Draw features at places of the first axis, along which photos of one class differ a lot."""
        return np.abs(
            3 + rng.normal(0, 0.02, (n, 16)) + np.eye(16)[0] * (place + rng.normal(0, 0.45, n))[:, None]
        )

    targets = np.arange(600) % 2
    sides = 2.0 * targets - 1
    train, valid, own = draw(600, sides), draw(600, sides), draw(600, sides)
    weight = np.array([[-4.0], [4.0]]) * np.eye(16)[0]
    joint = JointDetector.fit(train, valid, targets, (weight, -3 * weight[:, 0]))
    between, beyond = draw(300, np.zeros(300)), own.copy()
    beyond[:, 8] += 0.5
    assert joint.is_unfamiliar(joint.ood_score(own)).mean() < 0.1
    assert joint.is_unfamiliar(joint.ood_score(beyond)).mean() > 0.99
    found = joint.is_unfamiliar(joint.ood_score(between)).mean()
    assert found > 2 * joint.distance.is_unfamiliar(joint.distance.ood_score(between)).mean()
    assert found > 0.2
    assert joint.false_alarm_rate <= joint.stated_rate
    scores = joint.ood_score(np.array([[np.nan] * 16, [np.inf] * 16, [1e300] * 16]))
    assert np.isfinite(scores).all()
    assert joint.is_unfamiliar(scores[:2]).all()


@pytest.mark.parametrize(
    "broken",
    [
        {"weight": np.ones((3, 4))}, {"bias": np.ones(2)}, {"bias": np.full(3, np.nan)}, {"usual": np.ones(3)},
        {"spread": np.zeros(2)}, {"spread": -np.ones(2)}, {"means": np.ones((3, 4))}, {"weight": None},
    ],
)  # fmt: skip
def test_a_joint_detector_comes_back_or_is_refused(
    toy_model: Path, rng: np.random.Generator, broken: dict[str, Any]
) -> None:
    train, valid = rng.random((50, 3)), rng.random((30, 3))
    fitted = JointDetector.fit(train, valid, np.arange(50) % 3, (rng.random((3, 3)), rng.random(3)))
    fitted.save(toy_model / "ood.npz")
    with np.load(toy_model / "ood.npz") as stored:
        arrays = dict(stored)
    write_ood(toy_model, fitted.describe().to_dict(), **arrays)
    read = ModelBundle.load(toy_model).detector
    assert isinstance(read, JointDetector)
    assert np.array_equal(read.ood_score(valid), fitted.ood_score(valid))
    assert (read.threshold_, read.n_valid) == (fitted.threshold_, 30)
    arrays = {name: value for name, value in {**arrays, **broken}.items() if value is not None}
    write_ood(toy_model, fitted.describe().to_dict(), **arrays)
    with pytest.raises(BundleError, match=r"damaged|does not fit"):
        ModelBundle.load(toy_model)


BROKEN: dict[str, list[Any]] = {
    "means": [np.ones((3, 4)), np.full((3, 3), np.nan), np.ones(3), np.ones((0, 3)), None],
    "axes": [np.ones((3, 9)), np.ones((2, 2)), np.ones((3, 3), int), np.array([["x"] * 3] * 3), None],
    "variances": [np.zeros(3), -np.ones(3), np.ones(2), None],
    "rest": [np.array(0.0), np.array(np.inf), np.ones(2), None],
    "threshold": [float("nan"), True, "high"],
    "stated_rate": [None],
}


@pytest.mark.parametrize(("name", "value"), [(name, v) for name, values in BROKEN.items() for v in values])
def test_a_detector_that_does_not_fit_is_refused_with_a_sentence(
    toy_model: Path, name: str, value: Any
) -> None:
    ood = json.loads((toy_model / "bundle.json").read_text())["ood"]
    with np.load(toy_model / "ood.npz") as stored:
        arrays = dict(stored)
    if name in ood:
        ood[name] = value
    else:
        arrays = {**arrays, name: value} if value is not None else {k: arrays[k] for k in arrays if k != name}
    write_ood(toy_model, ood, **arrays)
    with pytest.raises(BundleError, match=r"ood\.npz|damaged"):
        ModelBundle.load(toy_model)
