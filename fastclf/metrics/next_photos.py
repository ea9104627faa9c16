"""Which photos without a label to label next: doubtful ones, of which no two are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# So many times as many of the most doubtful photos are looked at. Tried on clothing and hand signs, 20 and 40
# at a time: with 3 the first forty were worse than drawn ones, with 10 the later ones were less worth.
_CANDIDATES = 5
_ROUNDS = 10
_LEAST_DOUBT = 1e-3
# With fewer labels a class, photos that stand for many others teach more than the most doubtful ones. Tried
# on the same photos: 6, 8 and 12; and as alike a tenth, a quarter and a half of all pairs.
_FEW = 6
_ALIKE = 0.75
# So many of the most doubtful photos are compared with each other: 36 MB.
_MOST_COMPARED = 3000


def compute_doubt(pred_probs: Array) -> Array:
    """Return how near the second answer of each photo is to the first: (N,) from 0, sure, to 1.

    Examples
    --------
    >>> compute_doubt(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    ranked = np.sort(pred_probs, axis=1)
    return np.asarray(1 - (ranked[:, -1] - ranked[:, -2]))


def choose_next(
    features: Array, pred_probs: Array, n: int, *, labelled: Array | None = None, seed: int = 0
) -> Array:
    """Return the rows of the `n` photos to label next, the most doubtful first.

    The most doubtful photos, five times as many as are wanted, are put into `n` clusters of their features,
    in which doubt weighs; of each cluster the photo in its middle is taken. Doubt alone would pick photos
    that are all alike. Where a class has fewer than six labels on average, nobody knows yet what to doubt:
    then photos are taken one by one that are like as many doubtful ones as possible, and unlike those that
    are labelled or taken.

    Parameters
    ----------
    features
        (N, D) pooled features.
    pred_probs
        (N, K) what a head that was fitted on the labelled photos answers.
    n
        How many to choose; all rows if there are no more.
    labelled
        (M, D) features of the photos that the head was fitted on; by default there are enough of them.
    seed
        Of the first middles.

    References
    ----------
    Zhdanov, "Diverse Mini-Batch Active Learning", arXiv 1901.05954, 2019. Wei, Iyer, Bilmes, "Submodularity
    in Data Subset Selection and Active Learning", ICML 2015.
    """
    doubt = compute_doubt(pred_probs)
    candidates = np.argsort(-doubt, kind="stable")[: _CANDIDATES * n]
    if len(doubt) <= n:
        return np.asarray(candidates)
    if labelled is not None and len(labelled) < _FEW * pred_probs.shape[1]:
        return _cover(features, doubt, labelled, n)
    x, weights = _scale(features[candidates]), doubt[candidates] + _LEAST_DOUBT
    middles = _place_middles(x, weights, n, np.random.default_rng(seed))
    chosen = _find_nearest(x, middles)
    # two middles may share a photo; the most doubtful of the rest take the places that are left
    rest = [i for i in range(len(x)) if i not in chosen]
    return np.asarray(candidates[np.sort([*chosen, *rest[: n - len(chosen)]])])


def _cover(features: Array, doubt: Array, labelled: Array, n: int) -> Array:
    """Return rows that cover the doubtful photos, the most doubtful first: facility location, greedily."""
    rows = np.argsort(-doubt, kind="stable")[:_MOST_COMPARED]
    x, weights = _scale(features[rows]).astype(np.float32), doubt[rows] + _LEAST_DOUBT
    alike = x @ x.T
    least = np.quantile(alike, _ALIKE)
    alike = np.maximum(alike - least, 0)
    best = np.maximum((x @ _scale(labelled).astype(np.float32).T).max(1) - least, 0)
    chosen: list[int] = []
    for _ in range(n):
        gain = weights @ np.maximum(alike - best[:, None], 0)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        best = np.maximum(best, alike[:, chosen[-1]])
    return np.asarray(rows[np.sort(chosen)])


def _scale(features: Array) -> Array:
    x = np.asarray(features, np.float64)
    roots = np.copysign(np.sqrt(np.abs(x)), x)
    return np.asarray(roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12))


def _place_middles(x: Array, weights: Array, n: int, rng: np.random.Generator) -> Array:
    """Return (n, D) middles of clusters: k-means with weights, begun far from each other."""
    rows = [int(weights.argmax())]
    far = np.full(len(x), np.inf)
    for _ in range(n - 1):
        far = np.minimum(far, ((x - x[rows[-1]]) ** 2).sum(1))
        far[rows] = 0
        share = far * weights
        rows.append(
            int(rng.choice(len(x), p=share / share.sum())) if share.sum() > 0 else int(share.argmax())
        )
    middles = x[rows]
    for _ in range(_ROUNDS):
        nearest = _find_cluster(x, middles)
        for k in range(n):
            if (mine := nearest == k).any():
                middles[k] = np.average(x[mine], axis=0, weights=weights[mine])
    return middles


def _find_cluster(x: Array, middles: Array) -> Array:
    return np.asarray((2 * x @ middles.T - (middles**2).sum(1)).argmax(1))


def _find_nearest(x: Array, middles: Array) -> list[int]:
    """Return the photo nearest to each middle among those of its cluster; an empty cluster has none."""
    nearest = _find_cluster(x, middles)
    chosen = []
    for k in range(len(middles)):
        mine = np.flatnonzero(nearest == k)
        if len(mine):
            chosen.append(int(mine[((x[mine] - middles[k]) ** 2).sum(1).argmin()]))
    return chosen
