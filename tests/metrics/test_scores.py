"""Scores against scikit-learn and hand-made truth."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.metrics import (
    compute_auroc,
    compute_confusion,
    compute_metrics,
    compute_softmax,
    wilson_interval,
)
from fastclf.metrics.reliability import compute_ece, compute_reliability
from fastclf.metrics.scores import find_confused_pairs

VOCAB = ["ant", "bee", "cat"]


@pytest.fixture
def answers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    probs = rng.dirichlet(np.ones(3) * 0.5, 500)
    return probs, np.array([rng.choice(3, p=p) for p in probs])


def test_softmax_is_stable_and_sums_to_one() -> None:
    probs = compute_softmax(np.array([[1000.0, 999.0], [-1000.0, 0.0]]))
    assert np.allclose(probs.sum(1), 1)
    assert probs[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_confusion_and_recall_are_those_of_scikit_learn(answers: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

    probs, targets = answers
    result = compute_metrics(probs, targets, VOCAB)
    assert result["confusion"] == confusion_matrix(targets, probs.argmax(1)).tolist()
    precision, recall, _, n = precision_recall_fscore_support(targets, probs.argmax(1))
    for k, name in enumerate(VOCAB):
        c = result["per_class"][name]
        assert (c["precision"], c["recall"], c["n"]) == pytest.approx((precision[k], recall[k], n[k]))
        assert c["recall_interval"] == list(wilson_interval(round(recall[k] * n[k]), n[k]))
    assert result["loss"] == pytest.approx(log_loss(targets, probs))


def test_the_error_and_its_interval_mirror_the_accuracy(answers: tuple[np.ndarray, np.ndarray]) -> None:
    result = compute_metrics(*answers, VOCAB)
    wrong = round(result["error_rate"] * 500)
    assert result["accuracy"] + result["error_rate"] == pytest.approx(1)
    assert result["error_interval"] == pytest.approx(list(wilson_interval(wrong, 500)))
    assert result["error_interval"][0] < result["error_rate"] < result["error_interval"][1]


def test_calibration_before_scaling_is_told_where_it_is_known(answers: tuple[np.ndarray, np.ndarray]) -> None:
    probs, targets = answers
    raw = probs**3 / (probs**3).sum(1, keepdims=True)
    result = compute_metrics(probs, targets, VOCAB, raw)
    assert result["ece_raw"] == compute_ece(raw, targets) > result["ece"]
    assert result["reliability"]["raw"] == [list(point) for point in compute_reliability(raw, targets)]
    without = compute_metrics(probs, targets, VOCAB)
    assert without["ece_raw"] is None
    assert without["reliability"]["raw"] is None


def test_a_class_nobody_saw_has_no_precision() -> None:
    result = compute_metrics(np.array([[0.9, 0.1]]), np.array([0]), ["a", "b"])
    assert result["per_class"]["b"] == {"n": 0, "precision": None, "recall": None, "recall_interval": None}


def test_confused_pairs_are_counted_the_most_frequent_first() -> None:
    matrix = compute_confusion(np.array([1, 1, 2, 0, 1, 1]), np.array([0, 0, 0, 0, 1, 2]), 3)
    assert find_confused_pairs(matrix, VOCAB) == [
        {"label": "ant", "answer": "bee", "n": 2, "of": 4},
        {"label": "ant", "answer": "cat", "n": 1, "of": 4},
        {"label": "cat", "answer": "bee", "n": 1, "of": 1},
    ]
    assert len(find_confused_pairs(matrix, VOCAB, most=1)) == 1
    assert len(find_confused_pairs(np.ones((5, 5), int), list("abcde"))) == 10


def test_auroc_is_that_of_scikit_learn_with_ties(rng: np.random.Generator) -> None:
    from sklearn.metrics import roc_auc_score

    inside, outside = rng.normal(0, 1, 70).round(1), rng.normal(0.7, 1, 40).round(1)
    truth = np.r_[np.zeros(70), np.ones(40)]
    expected = roc_auc_score(truth, np.r_[inside, outside])
    assert compute_auroc(inside, outside) == pytest.approx(expected)
    assert compute_auroc(np.zeros(3), np.ones(2)) == 1.0
    assert compute_auroc(np.ones(3), np.zeros(2)) == 0.0
    assert compute_auroc(np.ones(3), np.ones(2)) == 0.5


def test_a_table_of_very_many_classes_is_left_out() -> None:
    k = 201
    result = compute_metrics(np.eye(k), np.arange(k), [str(i) for i in range(k)])
    assert result["confusion"] is None
    assert result["confused_pairs"] == []
