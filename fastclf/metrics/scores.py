"""How good the answers are: pure functions of probabilities and true classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from .conformal import SetMetrics, measure_sets
from .reliability import Sure, compute_coverage, compute_ece, compute_reliability, find_sure, wilson_interval

Array = npt.NDArray[Any]

# a table of more classes would be most of what a model says of itself
_MOST_COUNTED = 200


class Metrics(TypedDict):
    """What labelled photos say of a model, in JSON values; an older bundle's may lack some.

    Attributes
    ----------
    n
        Photos.
    accuracy, error_rate
        Shares of right and of wrong answers.
    accuracy_interval, error_interval
        95 %, Wilson.
    balanced_accuracy
        The mean of the classes' recalls, each class that has photos counting alike.
    loss
        In nats.
    ece
        The expected calibration error.
    ece_raw
        Before temperature scaling, None where that is not known.
    per_class
        By class ``n``, ``precision``, ``recall`` and ``recall_interval``, None where nothing was counted.
    confusion
        (K, K) counts, a row a true class; None above 200 classes.
    confused_pairs
        From `find_confused_pairs`.
    coverage
        Rows of share of the photos, least confidence, share right, photos; the surest first.
    sure
        From which confidence on answers may be called sure, None where no level is reached.
    reliability
        From `compute_reliability`: "calibrated", and "raw" where it is known.
    sets
        What sets of classes are worth, None where the model names none.
    """

    n: int
    accuracy: float
    accuracy_interval: list[float]
    error_rate: float
    error_interval: list[float]
    balanced_accuracy: float
    loss: float
    ece: float
    ece_raw: float | None
    per_class: dict[str, dict[str, Any]]
    confusion: list[list[int]] | None
    confused_pairs: list[dict[str, Any]]
    reliability: dict[str, list[list[float]] | None]
    coverage: list[list[float]]
    sure: Sure | None
    sets: SetMetrics | None


def compute_softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Return softmax(logits / temperature) over the last axis, in float64.

    Parameters
    ----------
    logits
        (..., K).
    temperature
        Above 0; more makes the probabilities more alike.

    Returns
    -------
    array of float64
        (..., K), whose sums are 1.

    Examples
    --------
    >>> import numpy as np
    >>> compute_softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    z = np.asarray(logits, np.float64) / temperature
    z = np.exp(z - z.max(-1, keepdims=True))
    return np.asarray(z / z.sum(-1, keepdims=True))


def compute_log_loss(pred_probs: Array, targets: Array) -> float:
    """Return the mean negative log probability of the true class, in nats."""
    true = pred_probs[np.arange(len(targets)), targets]
    return float(-np.log(np.clip(true, 1e-12, 1)).mean())


def compute_confusion(predicted: Array, targets: Array, classes: int) -> Array:
    """Return the (K, K) counts: a row for each true class, a column for each answer."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    return matrix


def find_confused_pairs(matrix: Array, vocab: Sequence[str], most: int = 10) -> list[dict[str, Any]]:
    """Return which class is taken for which, the most frequent first.

    ``n`` of the ``of`` photos of a ``label`` got the ``answer``, by the counts of `compute_confusion`.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    order = sorted(np.argwhere(wrong).tolist(), key=lambda pair: (-wrong[pair[0], pair[1]], pair))
    return [
        {"label": vocab[i], "answer": vocab[j], "n": int(matrix[i, j]), "of": int(matrix[i].sum())}
        for i, j in order[:most]
    ]


def compute_auroc(inside: Array, outside: Array) -> float:
    """Return how often one of (M,) outside scores is higher than one of (N,) inside; equal ones count half.

    Examples
    --------
    >>> compute_auroc(np.array([0.1, 0.2]), np.array([0.2, 0.9]))
    0.875
    """
    ranked = np.sort(inside)
    below, upto = np.searchsorted(ranked, outside, "left"), np.searchsorted(ranked, outside, "right")
    return float((below + upto).sum() / (2 * len(ranked) * len(outside)))


def compute_metrics(
    pred_probs: Array,
    targets: Array,
    vocab: Sequence[str],
    raw_probs: Array | None = None,
    *,
    sure_threshold: float | None = None,
    set_threshold: float | None = None,
) -> Metrics:
    """Judge (N, K) probabilities, N at least 1, against the (N,) indices of the true classes.

    Parameters
    ----------
    pred_probs
        (N, K) probabilities, N at least 1.
    targets
        (N,) indices of the true classes.
    vocab
        The K classes.
    raw_probs
        (N, K), before temperature scaling, if they are at hand.
    sure_threshold
        From which confidence on an answer counts as sure; by default that is found on these photos.
    set_threshold
        From which probability on a class belongs to a photo's set, if there are sets.

    Returns
    -------
    Metrics
        JSON values.

    Examples
    --------
    >>> import numpy as np
    >>> probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> found = compute_metrics(probs, np.array([0, 1, 1]), ["cat", "dog"])
    >>> found["n"], round(found["accuracy"], 2), found["confusion"]
    (3, 0.67, [[1, 0], [1, 1]])
    """
    n = len(targets)
    predicted = pred_probs.argmax(1)
    matrix = compute_confusion(predicted, targets, len(vocab))
    right = int(np.trace(matrix))
    low, high = wilson_interval(right, n)
    there = matrix.sum(1) > 0
    return {
        "n": n,
        "accuracy": right / n,
        "accuracy_interval": [low, high],
        "error_rate": (n - right) / n,
        "error_interval": [1 - high, 1 - low],
        "balanced_accuracy": float((np.diag(matrix)[there] / matrix.sum(1)[there]).mean()),
        "loss": compute_log_loss(pred_probs, targets),
        "ece": compute_ece(pred_probs, targets),
        "ece_raw": None if raw_probs is None else compute_ece(raw_probs, targets),
        "per_class": {name: _judge_class(matrix, k) for k, name in enumerate(vocab)},
        "confusion": matrix.tolist() if len(vocab) <= _MOST_COUNTED else None,
        "confused_pairs": find_confused_pairs(matrix, vocab),
        "reliability": {
            "raw": None if raw_probs is None else _lists(compute_reliability(raw_probs, targets)),
            "calibrated": _lists(compute_reliability(pred_probs, targets)),
        },
        "coverage": _lists(compute_coverage(pred_probs, targets)),
        "sure": find_sure(pred_probs, targets, sure_threshold),
        "sets": None if set_threshold is None else measure_sets(pred_probs, targets, set_threshold),
    }


def _judge_class(matrix: Array, k: int) -> dict[str, Any]:
    right, n = int(matrix[k, k]), int(matrix[k].sum())
    return {
        "n": n,
        "precision": _share(right, matrix[:, k].sum()),
        "recall": _share(right, n),
        "recall_interval": list(wilson_interval(right, n)) if n else None,
    }


def _lists(points: Iterable[tuple[float, ...]]) -> list[list[float]]:
    return [list(point) for point in points]


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
