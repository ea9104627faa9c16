"""Whether two sets of photos differ: tests by permutation, which hold whatever the numbers are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ROUNDS = 999
"""Permutations: the smallest probability that can be found is one in so many and one."""
_MOST = 1500  # of each side, so that the kernel of both takes 72 MB
_HAIR = 1e-9


@dataclass(frozen=True)
class FeatureComparison:
    """What a comparison of features found.

    Attributes
    ----------
    p
        The probability of a difference as large as this between two draws of the same photos.
    distance
        The squared maximum mean discrepancy.
    witness
        (N,) how much more each new photo is like the other new ones than like the reference.
    """

    p: float
    distance: float
    witness: Array


def compare_features(
    reference: Array, new: Array, *, rounds: int = ROUNDS, seed: int = 0
) -> FeatureComparison:
    """Compare (M, D) and (N, D) features by the maximum mean discrepancy, and permutations of which is which.

    Features' signed roots are scaled to length 1; the kernel is a Gaussian as wide as the median distance. Of
    more than 1,500 a side as many are drawn for the test.

    References
    ----------
    Gretton et al., "A Kernel Two-Sample Test", Journal of Machine Learning Research 13, 2012.
    """
    rng = np.random.default_rng(seed)
    a, b = _scale(reference), _scale(new)
    chosen_a, chosen_b = _draw(len(a), rng), _draw(len(b), rng)
    x = np.concatenate([a[chosen_a], b[chosen_b]])
    squared = _measure_distances(x, x)
    width = max(float(np.median(squared[np.triu_indices(len(x), 1)])), 1e-12)
    kernel = np.exp(-squared / width)
    is_new = np.repeat([0.0, 1.0], [len(chosen_a), len(chosen_b)])
    found = _measure_discrepancy(kernel, is_new[:, None])[0]
    drawn = np.stack([rng.permutation(is_new) for _ in range(rounds)], 1)
    reached = int((_measure_discrepancy(kernel, drawn) >= found - _HAIR).sum())
    like_new = np.exp(-_measure_distances(b, b[chosen_b]) / width)
    like_reference = np.exp(-_measure_distances(b, a[chosen_a]) / width)
    witness = like_new.mean(1) - like_reference.mean(1)
    return FeatureComparison((reached + 1) / (rounds + 1), float(found), witness)


def _scale(features: Array) -> Array:
    x = np.asarray(features, np.float64)
    roots = np.copysign(np.sqrt(np.abs(x)), x)
    return np.asarray(roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12))


def _draw(n: int, rng: np.random.Generator) -> Array:
    return np.arange(n) if n <= _MOST else rng.choice(n, _MOST, replace=False)


def _measure_distances(a: Array, b: Array) -> Array:
    """Return the (M, N) squared distances of rows of length 1."""
    return np.asarray(np.maximum(2 - 2 * a @ b.T, 0))


def _measure_discrepancy(kernel: Array, is_new: Array) -> Array:
    """Return a squared discrepancy for each column of zeros and ones that says which photos are new."""
    n = is_new[:, 0].sum()
    weights = is_new / n - (1 - is_new) / (len(is_new) - n)
    return np.asarray((weights * (kernel @ weights)).sum(0))


def compare_tails(pairs: Sequence[tuple[Array, Array]], *, rounds: int = ROUNDS, seed: int = 0) -> float:
    """Return how probable it is that so many new photos have high scores among those of a reference.

    Each pair holds (M,) reference and (N,) new scores that one detector gave, which was fitted on neither. A
    photo counts the fourth power of the logarithm of its rank from above among all, so that a few far ones
    weigh more than many that are a little further; which are new is permuted in each pair. The power was
    chosen among 1 to 4 on photos of clothing with 5 % hand signs among them. (After Fisher, "Statistical
    Methods for Research Workers", 1925, whose sum takes the logarithm itself.)
    """
    rng = np.random.default_rng(seed)
    ranked = np.sort(np.concatenate([np.concatenate(pair) for pair in pairs]))
    found, drawn = 0.0, np.zeros(rounds)
    for reference, new in pairs:
        scores = np.concatenate([reference, new])
        above = len(ranked) - np.searchsorted(ranked, scores, "left")
        weights = np.log(above / (len(ranked) + 1)) ** 4
        found += weights[len(reference) :].sum()
        drawn += [rng.permutation(weights)[: len(new)].sum() for _ in range(rounds)]
    return (int((drawn >= found - _HAIR).sum()) + 1) / (rounds + 1)


def compare_exceedances(above: int, n: int, rank: int, reference: int) -> float:
    """Return how probable it is that so many of `n` new scores exceed a reference's `rank`-th highest.

    That is exact for scores that could as well have been exchanged: the number is beta-binomial.

    Examples
    --------
    >>> round(compare_exceedances(1, 1, 1, 19), 3)  # one of twenty is the highest
    0.05
    """
    a, b = rank, reference + 1 - rank

    def log_beta(x: float, y: float) -> float:
        return lgamma(x) + lgamma(y) - lgamma(x + y)

    k = range(above, n + 1)
    logs = [
        lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + log_beta(i + a, n - i + b) - log_beta(a, b)
        for i in k
    ]
    return float(min(1.0, np.exp(logs).sum()))
