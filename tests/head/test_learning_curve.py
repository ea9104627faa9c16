"""What twice the photos would bring: right where more help, silent where that cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.head import fit_head, measure_learning_curve
from fastclf.head import learning_curve as module

_C = 0.3


def _draw(
    rng: np.random.Generator, centres: np.ndarray, a_class: int, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    targets = np.tile(np.arange(len(centres)), a_class)
    features = centres[targets] + noise * rng.normal(size=(len(targets), centres.shape[1]))
    return features.astype(np.float32), targets


@pytest.mark.slow
def test_twice_the_photos_bring_what_was_expected() -> None:
    inside = told = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(4, 60))
        train, valid = _draw(rng, centres, 30, 3.5), _draw(rng, centres, 50, 3.5)
        head = fit_head(*train, _C)
        curve = measure_learning_curve(train, valid, head, list("abcd"), seed=seed)
        assert curve is not None
        assert [n for n, _ in curve.points] == [30, 60, 90, 120]
        assert curve.points[-1][1] == (head.compute_logits(valid[0]).argmax(1) == valid[1]).mean()
        if curve.doubled is None:
            continue
        told += 1
        twice = fit_head(*_draw(rng, centres, 60, 3.5), _C)
        new, truth = _draw(rng, centres, 1000, 3.5)
        expected, low, high = curve.doubled
        inside += low <= (twice.compute_logits(new).argmax(1) == truth).mean() <= high
        assert curve.points[-1][1] < expected < 1
    assert told >= 6
    assert inside >= told - 1


@pytest.mark.slow
def test_where_more_photos_do_not_help_little_is_said(rng: np.random.Generator) -> None:
    told = 0
    for _ in range(12):
        noise, targets = rng.normal(size=(200, 20)).astype(np.float32), np.arange(200) % 2
        train, valid = (noise[:120], targets[:120]), (noise[120:], targets[120:])
        curve = measure_learning_curve(train, valid, fit_head(*train, _C), ["a", "b"])
        assert curve is not None
        assert curve.doubled is not None or not curve.gains
        told += curve.doubled is not None
    assert told <= 2  # by chance one in forty
    # a class each, far apart: no error is left to get rid of
    far = _draw(rng, 100 * np.eye(2, 20), 40, 1.0)
    curve = measure_learning_curve(far, far, fit_head(*far, _C), ["a", "b"])
    assert curve is not None
    assert curve.doubled is None


def test_the_class_that_gains_is_named(rng: np.random.Generator) -> None:
    centres = np.zeros((3, 60))
    centres[0, :30], centres[1], centres[2] = 30, rng.normal(size=60), rng.normal(size=60)
    train, valid = _draw(rng, centres, 40, 4.0), _draw(rng, centres, 60, 4.0)
    curve = measure_learning_curve(train, valid, fit_head(*train, _C), ["easy", "b", "c"])
    assert curve is not None
    assert curve.gains in ("b", "c", "")


def test_too_few_photos_give_no_curve_and_very_many_neither(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    centres = rng.normal(size=(2, 10))
    few, some = _draw(rng, centres, 3, 1.0), _draw(rng, centres, 20, 1.0)
    assert measure_learning_curve(few, some, fit_head(*few, _C), ["a", "b"]) is None
    assert measure_learning_curve(some, few, fit_head(*some, _C), ["a", "b"]) is None
    monkeypatch.setattr(module, "_MOST_WORK", 2.5 * some[0].size * 2)
    found = measure_learning_curve(some, some, fit_head(*some, _C), ["a", "b"])
    assert found is not None
    assert found.draws == 2
    monkeypatch.setattr(module, "_MOST_WORK", 0.5 * some[0].size * 2)
    assert measure_learning_curve(some, some, fit_head(*some, _C), ["a", "b"]) is None
