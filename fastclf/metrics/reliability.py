"""How sure one may be: intervals of shares, calibration, and accuracy against coverage."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_BINS = 15
_MOST_POINTS = 21
_LEAST_SURE_PHOTOS = 20
_LEAST_ACCURACY = 0.95
# what is called sure is at least as likely as not
_SURE_FROM = 50


class Sure(TypedDict):
    """From which confidence on answers may be called sure, and what these are worth.

    Attributes
    ----------
    level
        The accuracy that was asked for, None where the threshold was chosen on other photos.
    coverage, n
        Share of the photos, and their number.
    interval
        95 %, Wilson.
    """

    threshold: float
    level: float | None
    coverage: float
    n: int
    accuracy: float
    interval: list[float]


def wilson_interval(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a share, 95 % by default.

    Parameters
    ----------
    successes, n
        So many of so many.
    z
        The normal quantile of the interval.

    Returns
    -------
    tuple of float
        Its ends, in [0, 1].

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


def compute_ece(pred_probs: Array, targets: Array) -> float:
    """Return the expected calibration error in [0, 1] over fifteen equally wide bins of confidence.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    curve = compute_reliability(pred_probs, targets)
    return float(sum(abs(confidence - right) * n for confidence, right, n in curve) / len(targets))


def compute_reliability(pred_probs: Array, targets: Array) -> list[tuple[float, float, int]]:
    """Return (mean confidence, share that is right, number of photos) of each bin that holds photos."""
    confidence, right = _judge_answers(pred_probs, targets)
    index = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        (float(confidence[index == b].mean()), float(right[index == b].mean()), int((index == b).sum()))
        for b in np.unique(index)
    ]


def compute_coverage(pred_probs: Array, targets: Array) -> list[tuple[float, float, float, int]]:
    """Return how right the answers are when only the surest ones are given.

    At most 21 of (share of the photos that are answered, least confidence of these, accuracy on them, their
    number), the surest first; the last one is all photos. See El-Yaniv and Wiener, "On the Foundations of
    Noise-free Selective Classification", JMLR 2010.
    """
    confidence, right = _judge_answers(pred_probs, targets)
    n = len(confidence)
    ranked = np.sort(confidence)[::-1]
    ranks = np.unique(np.ceil(np.linspace(0, n, min(_MOST_POINTS, n) + 1)[1:]).astype(int))
    points = []
    # equally sure answers are given or held back together
    for threshold in sorted({float(ranked[rank - 1]) for rank in ranks}, reverse=True):
        kept = confidence >= threshold
        points.append((float(kept.mean()), threshold, float(right[kept].mean()), int(kept.sum())))
    return points


def find_sure(pred_probs: Array, targets: Array, threshold: float | None = None) -> Sure | None:
    """Find from which confidence on the answers may be called sure, None where from none.

    The threshold is the lowest whole per cent, from 50 up, at which the answers err at most half as often as
    all answers do, and at most one time in twenty, on 20 photos at least. One that was chosen on other photos
    is only applied.
    """
    confidence, right = _judge_answers(pred_probs, targets)
    if threshold is not None:
        return _describe_sure(confidence, right, threshold, None)
    level = max(_LEAST_ACCURACY, (1 + float(right.mean())) / 2)
    for percent in range(_SURE_FROM, 100):
        kept = confidence >= percent / 100
        if kept.sum() < _LEAST_SURE_PHOTOS:
            return None
        if right[kept].mean() >= level:
            return _describe_sure(confidence, right, percent / 100, level)
    return None


def _describe_sure(confidence: Array, right: Array, threshold: float, level: float | None) -> Sure | None:
    kept = confidence >= threshold
    n, successes = int(kept.sum()), int(right[kept].sum())
    if n == 0:
        return None
    return {
        "threshold": threshold,
        "level": level,
        "coverage": n / len(confidence),
        "n": n,
        "accuracy": successes / n,
        "interval": list(wilson_interval(successes, n)),
    }


def _judge_answers(pred_probs: Array, targets: Array) -> tuple[Array, Array]:
    """Return (N,) confidences and (N,) whether each answer is right."""
    return pred_probs.max(1), pred_probs.argmax(1) == targets
