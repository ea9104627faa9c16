"""The linear head: what scikit-learn would answer, with a regularisation that no leak chooses."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf import head as module
from fastclf.metrics import compute_softmax


def _draw(rng: np.random.Generator, n: int, d: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    targets = np.arange(n) % k
    centres = rng.normal(size=(k, d))
    scale = rng.uniform(10, 20, d)  # none so small that it is not standardised
    return ((centres[targets] + rng.normal(size=(n, d)) * 2) * scale + 5).astype(np.float32), targets


def _answer(head: module.LinearHead, features: np.ndarray) -> np.ndarray:
    return compute_softmax(features.astype(np.float64) @ head.weight.T + head.bias)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("C", [1e-3, 0.02])
def test_the_head_is_scikit_learns_on_standardised_features(
    rng: np.random.Generator, k: int, C: float
) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    features, targets = _draw(rng, 120, 30, k)
    head = module.fit_head(features, targets, C)
    scaler = StandardScaler().fit(features.astype(np.float64))
    model = LogisticRegression(C=C, max_iter=5000, tol=1e-8).fit(scaler.transform(features), targets)
    more = _draw(rng, 50, 30, k)[0]
    for x in (features, more):
        assert np.abs(_answer(head, x) - model.predict_proba(scaler.transform(x))).max() < 5e-3
    assert head.weight.shape == (k, 30)
    assert head.weight.dtype == head.bias.dtype == np.float32
    assert head.C == C


def test_photos_of_one_group_never_judge_each_other(rng: np.random.Generator) -> None:
    """Labels that only a copy knows: with copies on both sides weak regularisation would look perfect."""
    centres = rng.normal(size=(40, 20))
    targets = np.repeat(rng.permutation(np.arange(40) % 2), 6)
    features = (np.repeat(centres, 6, 0) + 0.01 * rng.normal(size=(240, 20))).astype(np.float32)
    groups = [f"g{i}" for i in np.repeat(np.arange(40), 6)]
    honest = module.fit_head_by_cross_validation(features, targets, groups)
    leaking = module.fit_head_by_cross_validation(features, targets, [str(i) for i in range(240)])
    assert leaking.C > honest.C
    best = min(honest.table, key=lambda row: row["loss"])
    assert best["C"] == honest.C
    assert best["loss"] > 0.6
    assert min(row["loss"] for row in leaking.table) < 0.55


def test_the_best_strength_out_of_fold_is_taken_and_the_same_seed_finds_the_same(
    rng: np.random.Generator,
) -> None:
    features, targets = _draw(rng, 150, 20, 3)
    groups = [str(i) for i in range(150)]
    head = module.fit_head_by_cross_validation(features, targets, groups, seed=3)
    again = module.fit_head_by_cross_validation(features, targets, groups, seed=3)
    assert head.folds == 5
    assert [row["C"] for row in head.table] == list(module.linear.STRENGTHS)[: len(head.table)]
    assert min(head.table, key=lambda row: row["loss"])["C"] == head.C
    assert np.array_equal(head.weight, again.weight)
    assert np.array_equal(head.weight, module.fit_head(features, targets, head.C).weight)


def test_a_class_of_one_group_has_nothing_to_cross_validate_with(rng: np.random.Generator) -> None:
    features, targets = _draw(rng, 30, 8, 3)
    groups = ["same" if t == 2 else str(i) for i, t in enumerate(targets)]
    head = module.fit_head_by_cross_validation(features, targets, groups)
    assert (head.C, head.table, head.folds) == (module.linear.STRENGTH_ON_OWN_FEATURES, (), 0)


def test_a_class_of_three_photos_is_cross_validated_in_as_many_folds(rng: np.random.Generator) -> None:
    features, targets = _draw(rng, 43, 8, 2)
    keep = (targets == 0) | (np.cumsum(targets) <= 3)
    features, targets = features[keep], targets[keep]
    head = module.fit_head_by_cross_validation(features, targets, [str(i) for i in range(len(targets))])
    assert head.folds == 3
    assert all(np.isfinite(row["loss"]) for row in head.table)


def test_a_feature_that_never_moved_among_the_training_photos_does_not_decide_about_others(
    rng: np.random.Generator,
) -> None:
    features, targets = _draw(rng, 60, 8, 3)
    features[:, 3] = 0.1
    head = module.fit_head(features, targets, 1.0)
    moved = features.copy()
    moved[:, 3] = 7.0
    assert np.array_equal(_answer(head, moved), _answer(head, features))
    assert np.isfinite(head.weight).all()


def test_features_that_never_move_give_the_classes_shares() -> None:
    head = module.fit_head(np.zeros((6, 4), np.float32), np.array([0, 0, 0, 0, 1, 1]))
    assert not head.weight.any()
    assert _answer(head, np.ones((1, 4), np.float32))[0] == pytest.approx([2 / 3, 1 / 3], abs=1e-3)


def test_a_feature_that_hardly_moved_decides_no_more_than_others(rng: np.random.Generator) -> None:
    features, targets = _draw(rng, 60, 8, 3)
    features[:, 3] = 1e-3 * np.arange(60) / 60 + targets * 1e-3
    moved = features.copy()
    moved[:, 3] = 30.0
    usual = module.fit_head(np.delete(features, 3, 1), targets, 1.0)
    change = np.abs(
        _answer(module.fit_head(features, targets, 1.0), moved) - _answer(usual, np.delete(moved, 3, 1))
    )
    assert change.max() < 0.2
