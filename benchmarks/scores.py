"""Ways to tell foreign photos from a network's features and logits, fitted on training photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from foreign import Ground, Seen
from sklearn.covariance import OAS
from sklearn.decomposition import PCA

from fastclf.model import MahalanobisDetector

Array = np.ndarray
Score = Callable[[Seen], Array]
Change = Callable[[Array], Array]

KEPT = "kept: Mahalanobis, roots at length 1, as fastclf does it"


def fit_all(ground: Ground) -> dict[str, Score]:
    """Return every way by name; a score is higher for what is further out."""
    x = ground.own["train"].features.astype(np.float64)
    mean, spread = x.mean(0), x.std(0) + 1e-6 * x.std()
    scores = {f"kNN cosine, k = {k}": _fit_neighbours(x, _unit, k) for k in (1, 5, 20, 50)}
    scores["kNN Euclidean, k = 5"] = _fit_neighbours(x, lambda f: f, 5)
    scores["kNN Euclidean, standardised, k = 5"] = _fit_neighbours(x, lambda f: (f - mean) / spread, 5)
    changes: dict[str, Change] = {
        "raw": lambda f: f,
        "standardised": lambda f: (f - mean) / spread,
        "length 1": _unit,
        "roots": _root,
        "roots at length 1": lambda f: _unit(_root(f)),
    }
    for name, change in changes.items():
        to_class = _fit_gaussian(change(x), ground.targets, change)
        to_all = _fit_gaussian(change(x), np.zeros_like(ground.targets), change)
        scores[f"Mahalanobis, {name}"] = to_class
        scores[f"relative Mahalanobis, {name}"] = lambda s, a=to_class, b=to_all: a(s) ** 2 - b(s) ** 2  # type: ignore[misc]
        scores[f"one Gaussian, {name}"] = to_all
    detector = MahalanobisDetector.fit(
        ground.own["train"].features, ground.own["valid"].features, ground.targets
    )
    scores[KEPT] = lambda s: detector.ood_score(s.features)
    return scores | _fit_logits(ground) | _fit_rests(ground, x) | _fit_joint(ground, scores)


def _fit_neighbours(x: Array, change: Change, k: int) -> Score:
    """Return the distance to the k-th nearest training photo."""
    reference = change(x)
    lengths = (reference**2).sum(1)

    def score(seen: Seen) -> Array:
        f = change(seen.features.astype(np.float64))
        squared = (f**2).sum(1)[:, None] + lengths - 2 * f @ reference.T
        return np.partition(np.sqrt(np.maximum(squared, 0)), k - 1, axis=1)[:, k - 1]

    return score


def _fit_gaussian(x: Array, targets: Array, change: Change) -> Score:
    """Return the distance to the nearest class under one covariance, shrunk by OAS."""
    _, index = np.unique(targets, return_inverse=True)
    means = np.stack([x[index == k].mean(0) for k in range(index.max() + 1)])
    whiten = np.linalg.cholesky(OAS(assume_centered=True).fit(x - means[index]).precision_)
    centres = means @ whiten

    def score(seen: Seen) -> Array:
        f = change(seen.features.astype(np.float64)) @ whiten
        return np.sqrt(np.min([((f - c) ** 2).sum(1) for c in centres], axis=0))

    return score


def _fit_logits(ground: Ground) -> dict[str, Score]:
    """Return what looks at logits, or at the length of the features, alone."""
    t = ground.bundle.temperature
    length = float(np.median(np.linalg.norm(ground.own["train"].features, axis=1)))
    return {
        "energy": lambda s: -_logsumexp(s.logits),
        "energy, with temperature": lambda s: -_logsumexp(s.logits / t),
        "most probable class": lambda s: _logsumexp(s.logits / t) - s.logits.max(1) / t,
        "largest logit": lambda s: -s.logits.max(1),
        "short features": lambda s: -np.linalg.norm(s.features, axis=1),
        "short or long features": lambda s: np.abs(np.log(np.linalg.norm(s.features, axis=1) / length)),
    }


def _fit_rests(ground: Ground, x: Array) -> dict[str, Score]:
    """Return what looks at the part of the features outside of the training photos' main directions."""
    found: dict[str, Score] = {}
    for share in (0.9, 0.99):
        pca = PCA(share, svd_solver="full").fit(x)

        def rest(seen: Seen, pca: Any = pca) -> Array:
            return np.linalg.norm(seen.features - pca.inverse_transform(pca.transform(seen.features)), axis=1)

        train = ground.own["train"]
        scale = train.logits.max(1).mean() / max(rest(train).mean(), 1e-12)
        found[f"outside of {share:.0%} of the variance"] = rest
        found[f"ViM, {share:.0%} of the variance"] = lambda s, rest=rest, scale=scale: (  # type: ignore[misc]
            scale * rest(s) - _logsumexp(s.logits)
        )
    return found


def _fit_joint(ground: Ground, scores: dict[str, Score]) -> dict[str, Score]:
    """Return sums and maxima of scores, each in validation spreads above the validation median."""
    roots, cosine = "Mahalanobis, roots at length 1", "kNN cosine, k = 5"
    pairs = ((roots, cosine), (roots, "Mahalanobis, standardised"), ("Mahalanobis, roots", cosine))

    def standardise(name: str) -> Score:
        median, upper = np.quantile(np.log(scores[name](ground.own["valid"]) + 1e-9), [0.5, 0.8413])
        return lambda s: (np.log(scores[name](s) + 1e-9) - median) / max(upper - median, 1e-9)

    found: dict[str, Score] = {}
    for a, b in pairs:
        parts = (standardise(a), standardise(b))
        found[f"sum of {a} and {b}"] = lambda s, parts=parts: parts[0](s) + parts[1](s)  # type: ignore[misc]
        found[f"larger of {a} and {b}"] = lambda s, parts=parts: np.maximum(parts[0](s), parts[1](s))  # type: ignore[misc]
    return found


def _unit(x: Array) -> Array:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def _root(x: Array) -> Array:
    return np.copysign(np.sqrt(np.abs(x)), x)


def _logsumexp(logits: Array) -> Array:
    top = logits.max(1)
    return np.asarray(top + np.log(np.exp(logits - top[:, None]).sum(1)))
