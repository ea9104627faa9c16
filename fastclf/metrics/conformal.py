"""Sets of classes that hold the true one as often as stated: split conformal prediction."""

from __future__ import annotations

import math
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from .reliability import wilson_interval

Array = npt.NDArray[Any]

SET_COVERAGE = 0.95
"""How often a set is meant to hold the true class."""

_HAIR = 1e-4  # a photo's probability moves by less with the batch that it is answered in


class SetMetrics(TypedDict):
    """What sets of classes are worth on labelled photos, in JSON values.

    Attributes
    ----------
    stated
        How often they are meant to hold the true class.
    covered, interval
        How often they did (95 %, Wilson).
    size
        Classes in a set, on average.
    single
        Share of the photos with one class alone.
    """

    stated: float
    n: int
    covered: float
    interval: list[float]
    size: float
    single: float


def find_set_threshold(pred_probs: Array, targets: Array, coverage: float = SET_COVERAGE) -> float | None:
    """Return from which probability on a class belongs to a photo's set, None where too few photos tell.

    If the photos are exchangeable with those to come, the set of a new one holds its true class with the
    stated probability at least, whatever the probabilities are worth.

    Parameters
    ----------
    pred_probs
        (N, K), of photos that nothing was fitted on.
    targets
        (N,) indices of the true classes.
    coverage
        In (0, 1). It takes N of coverage / (1 - coverage) at least, 19 for 95 %.

    Returns
    -------
    float or None
        None where `n` is too small for the coverage.

    References
    ----------
    Sadinle, Lei and Wasserman, "Least Ambiguous Set-Valued Classifiers With Bounded Error Levels", Journal
    of the American Statistical Association 114, 2019.

    Examples
    --------
    >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    >>> round(find_set_threshold(probs, np.array([0, 0, 1, 1]), 0.75), 2)
    0.4
    """
    n = len(targets)
    rank = math.ceil((n + 1) * coverage - 1e-9)
    if rank > n:
        return None
    true = np.sort(pred_probs[np.arange(n), targets])[::-1]
    return max(0.0, float(true[rank - 1]) - _HAIR)


def find_sets(pred_probs: Array, threshold: float) -> Array:
    """Return (N, K) booleans: which classes belong to each photo's set; the most probable one always does.

    Parameters
    ----------
    pred_probs
        (N, K) or (K,).
    threshold
        From `find_set_threshold`.

    Returns
    -------
    array of bool
        Of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> find_sets(np.array([[0.7, 0.25, 0.05]]), 0.2).tolist()
    [[True, True, False]]
    """
    return np.asarray((pred_probs >= threshold) | (pred_probs == pred_probs.max(-1, keepdims=True)))


def measure_sets(
    pred_probs: Array, targets: Array, threshold: float, coverage: float = SET_COVERAGE
) -> SetMetrics:
    """Count how often the sets of (N, K) probabilities hold the true classes, (N,) indices; N at least 1."""
    sets, n = find_sets(pred_probs, threshold), len(targets)
    covered, sizes = int(sets[np.arange(n), targets].sum()), sets.sum(1)
    return {
        "stated": coverage,
        "n": n,
        "covered": covered / n,
        "interval": list(wilson_interval(covered, n)),
        "size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
    }
