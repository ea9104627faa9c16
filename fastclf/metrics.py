"""How good the answers are: pure functions of probabilities and true classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def compute_softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Return softmax(logits / temperature) over the last axis, in float64."""
    z = np.asarray(logits, np.float64) / temperature
    z = np.exp(z - z.max(-1, keepdims=True))
    return np.asarray(z / z.sum(-1, keepdims=True))


def compute_accuracy(pred_probs: Array, targets: Array) -> float:
    """Return the share of photos whose most probable class is the true one.

    Parameters
    ----------
    pred_probs
        (N, K) probabilities.
    targets
        (N,) indices of the true classes.
    """
    return float((pred_probs.argmax(1) == targets).mean())


def compute_log_loss(pred_probs: Array, targets: Array) -> float:
    """Return the mean negative log probability of the true class, in nats."""
    true = pred_probs[np.arange(len(targets)), targets]
    return float(-np.log(np.clip(true, 1e-12, 1)).mean())


def compute_ece(pred_probs: Array, targets: Array, bins: int = 15) -> float:
    """Return the expected calibration error in [0, 1] over equally wide bins of confidence.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    confidence, right = pred_probs.max(1), pred_probs.argmax(1) == targets
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[index == b].mean() - right[index == b].mean()) * (index == b).mean()
        for b in np.unique(index)
    ]
    return float(sum(gaps))


def compute_confusion(predicted: Array, targets: Array, classes: int) -> Array:
    """Return the (K, K) counts: a row for each true class, a column for each answer."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    return matrix


def wilson_interval(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a share, 95 % by default.

    Examples
    --------
    >>> [round(x, 3) for x in wilson_interval(98, 100)]
    [0.93, 0.994]
    """
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def compute_metrics(pred_probs: Array, targets: Array, vocab: Sequence[str]) -> dict[str, Any]:
    """Judge probabilities against the truth.

    Parameters
    ----------
    pred_probs
        (N, K) probabilities, N at least 1.
    targets
        (N,) indices of the true classes.
    vocab
        (K,) names of the classes.

    Returns
    -------
    dict
        ``n``, ``accuracy``, ``accuracy_interval`` (95 %, Wilson), ``error_rate``, ``loss`` (nats), ``ece``
        and ``per_class`` with ``n``, ``precision`` and ``recall`` (None where nothing was counted).
    """
    n = len(targets)
    predicted = pred_probs.argmax(1)
    matrix = compute_confusion(predicted, targets, len(vocab))
    right = int(np.trace(matrix))
    per_class = {
        name: {
            "n": int(matrix[k].sum()),
            "precision": _share(matrix[k, k], matrix[:, k].sum()),
            "recall": _share(matrix[k, k], matrix[k].sum()),
        }
        for k, name in enumerate(vocab)
    }
    return {
        "n": n,
        "accuracy": right / n,
        "accuracy_interval": list(wilson_interval(right, n)),
        "error_rate": 1 - right / n,
        "loss": compute_log_loss(pred_probs, targets),
        "ece": compute_ece(pred_probs, targets),
        "per_class": per_class,
    }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
