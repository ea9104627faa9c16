"""Splits, metrics, calibration and the detector: pure functions against hand-made truth."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from fastclf.metrics import (
    compute_confusion,
    compute_log_loss,
    compute_metrics,
    compute_softmax,
    fit_temperature,
    wilson_interval,
)
from fastclf.metrics.reliability import compute_ece
from fastclf.metrics.scores import compute_accuracy
from fastclf.photos import draw_splits


def _photos(n: int, classes: int = 3) -> tuple[list[str], list[str]]:
    return [f"{i:064x}" for i in range(n)], [f"class {i % classes}" for i in range(n)]


def test_splits_do_not_depend_on_the_order_of_the_photos(rng: np.random.Generator) -> None:
    groups, labels = _photos(300)
    expected = dict(zip(groups, draw_splits(groups, labels), strict=True))
    order = rng.permutation(300)
    shuffled = draw_splits([groups[i] for i in order], [labels[i] for i in order])
    assert all(expected[groups[i]] == split for i, split in zip(order, shuffled, strict=True))


def test_splits_have_the_wanted_shares_in_every_class() -> None:
    groups, labels = _photos(300)
    splits = draw_splits(groups, labels, valid=0.2, test=0.1)
    counts = Counter(zip(labels, splits, strict=True))
    for label in set(labels):
        assert counts[label, "valid"] == 20
        assert counts[label, "test"] == 10


def test_another_seed_draws_other_splits() -> None:
    groups, labels = _photos(300)
    assert draw_splits(groups, labels, seed=0) != draw_splits(groups, labels, seed=1)
    assert draw_splits(groups, labels, seed=1) == draw_splits(groups, labels, seed=1)


def test_a_group_never_straddles_splits() -> None:
    _, labels = _photos(300)
    groups = [f"{i // 7:064x}" for i in range(300)]
    splits = draw_splits(groups, labels)
    assert all(
        len({s for g, s in zip(groups, splits, strict=True) if g == group}) == 1 for group in set(groups)
    )
    assert set(splits) == {"train", "valid", "test"}


def test_a_tiny_class_is_still_validated() -> None:
    splits = draw_splits([f"{i:064x}" for i in range(3)], ["a"] * 3)
    assert Counter(splits) == {"train": 2, "valid": 1}


def test_recorded_splits_stay_and_new_groups_fill_what_is_lacking() -> None:
    groups, labels = _photos(300)
    recorded = dict(zip(groups[:150], draw_splits(groups[:150], labels[:150]), strict=True))
    splits = draw_splits(groups, labels, recorded=recorded)
    assert all(recorded[g] == s for g, s in zip(groups[:150], splits[:150], strict=True))
    counts = Counter(zip(labels, splits, strict=True))
    assert all((counts[c, "valid"], counts[c, "test"]) == (20, 10) for c in set(labels))


def test_a_group_follows_its_links_and_a_bridge_is_left_out() -> None:
    groups, labels = ["t", "v", "near t", "bridge", "free"], ["a"] * 5
    recorded = {"t": "train", "v": "valid"}
    links = [("t", "near t"), ("bridge", "t"), ("v", "bridge")]
    for seed in range(5):
        drawn = draw_splits(groups, labels, seed=seed, recorded=recorded, links=links, valid=0.6)
        assert drawn[:4] == ["train", "valid", "train", ""]
        assert drawn[4]


def test_linked_new_groups_end_in_one_split_or_are_left_out() -> None:
    groups, labels = _photos(300)
    links = [(groups[i], groups[i + 1]) for i in range(0, 200, 2)]
    drawn = dict(zip(groups, draw_splits(groups, labels, links=links), strict=True))
    assert all(drawn[a] == drawn[b] for a, b in links)


def test_softmax_is_stable_and_sums_to_one() -> None:
    probs = compute_softmax(np.array([[1000.0, 999.0], [-1000.0, 0.0]]))
    assert np.allclose(probs.sum(1), 1)
    assert probs[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_ece_of_a_known_case() -> None:
    # four answers at 0.8: three right → the gap of that bin is 0.05
    probs = np.array([[0.8, 0.2]] * 4)
    assert compute_ece(probs, np.array([0, 0, 0, 1])) == pytest.approx(0.05)


def test_log_loss_and_accuracy_of_a_known_case() -> None:
    probs = np.array([[0.5, 0.5], [0.25, 0.75]])
    targets = np.array([1, 1])
    assert compute_log_loss(probs, targets) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert compute_accuracy(probs, targets) == 0.5


def test_metrics_count_rows_as_truth() -> None:
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    targets = np.array([0, 1, 1, 1])
    assert compute_confusion(probs.argmax(1), targets, 2).tolist() == [[1, 0], [2, 1]]
    result = compute_metrics(probs, targets, ["a", "b"])
    assert result["accuracy"] == 0.5
    assert result["n"] == 4
    expected = {"n": 1, "precision": 1 / 3, "recall": 1.0, "recall_interval": list(wilson_interval(1, 1))}
    assert result["per_class"]["a"] == expected
    expected = {"n": 3, "precision": 1.0, "recall": 1 / 3, "recall_interval": list(wilson_interval(1, 3))}
    assert result["per_class"]["b"] == expected


def test_a_class_nobody_saw_has_no_precision() -> None:
    result = compute_metrics(np.array([[0.9, 0.1]]), np.array([0]), ["a", "b"])
    assert result["per_class"]["b"] == {"n": 0, "precision": None, "recall": None, "recall_interval": None}


def test_wilson_interval_of_extremes_stays_inside() -> None:
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10) == (pytest.approx(0.722, abs=1e-3), 1.0)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_temperature_recovers_what_the_logits_were_scaled_by(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 2, (4000, 5))
    probs = compute_softmax(logits)
    targets = np.array([rng.choice(5, p=p) for p in probs])
    assert fit_temperature(logits * 3, targets) == pytest.approx(3, rel=0.08)
    assert fit_temperature(logits / 2, targets) == pytest.approx(0.5, rel=0.08)


def test_temperature_of_a_faultless_small_validation_set_stays_modest() -> None:
    targets = np.arange(10) % 2
    logits = np.where(np.eye(2)[targets] > 0, 3.0, 0.0)
    assert 0.3 < fit_temperature(logits, targets) <= 1
    assert fit_temperature(np.empty((0, 2)), np.empty(0, int)) == 1.0
