"""The linear head: multinomial logistic regression on pooled features; needs scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from ..metrics import compute_log_loss, compute_softmax

Array = npt.NDArray[Any]

# Strength of the pull towards small weights, on features scaled to unit variance: large is weak.
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
# For features of a body that learned these very photos, which tell nothing about strength.
STRENGTH_ON_OWN_FEATURES = 0.02
_FOLDS = 5


@dataclass(frozen=True)
class LinearHead:
    """A fitted head: logits are ``features @ weight.T + bias``.

    Attributes
    ----------
    weight, bias
        (K, D) and (K,), float32.
    C
        The regularisation it was fitted with; large is weak.
    table
        A row for each `C` that cross-validation tried: ``C``, ``loss`` (nats) and ``accuracy``, out of fold.
    folds
        How many folds there were; 0 without cross-validation.
    """

    weight: Array
    bias: Array
    C: float
    table: tuple[dict[str, float], ...] = ()
    folds: int = 0

    def compute_logits(self, features: Array) -> Array:
        """Return (N, K) logits of (N, D) features."""
        return np.asarray(features @ self.weight.T + self.bias)


def fit_head(features: Array, targets: Array, C: float = STRENGTH_ON_OWN_FEATURES) -> LinearHead:  # noqa: N803
    """Fit multinomial logistic regression to (N, D) features and (N,) indices, each class at least once.

    The regularisation `C` is that of features scaled to unit variance.
    """
    exact = features.astype(np.float64)
    mean, deviation = exact.mean(0), exact.std(0)
    # a feature that never moves among these photos says nothing of others in which it does
    moves = deviation > 1e-6 * exact.std()
    # one common factor keeps the sum of squares at about one a photo, whatever the width
    width = np.sqrt(features.shape[1])
    scale = np.where(moves, deviation, np.inf)
    model = LogisticRegression(C=C * features.shape[1], max_iter=300, tol=1e-4)
    # BLAS threads that wait for each other made this 50 times slower where cores are shared
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # weakly pulled weights need not arrive
        model.fit((exact - mean) / scale / width, targets)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # two classes: scikit-learn fits their difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / (scale * width)
    bias = bias - weight @ mean
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32), C)


def fit_head_by_cross_validation(
    features: Array, targets: Array, groups: Sequence[str], *, seed: int = 0
) -> LinearHead:
    """Fit the head with the regularisation that has the least log loss out of fold.

    The (N, D) features are of a body that did not learn from these labels. Photos that nearly agree share one
    of the (N,) groups, and never stand on both sides of a fold. Where a class has fewer than two groups,
    there is nothing to cross-validate with and `STRENGTH_ON_OWN_FEATURES` is taken.
    """
    pairs = _draw_folds(features, targets, groups, seed)
    if not pairs:
        return fit_head(features, targets)
    table: list[dict[str, float]] = []
    for C in STRENGTHS:  # noqa: N806
        table.append(_judge_strength(features, targets, pairs, C))
        if len(table) > 2 and table[-3]["loss"] < table[-2]["loss"] < table[-1]["loss"]:
            break  # from here on it only overfits more
    best = min(table, key=lambda row: (row["loss"], row["C"]))
    head = fit_head(features, targets, best["C"])
    return LinearHead(head.weight, head.bias, head.C, tuple(table), len(pairs))


def _draw_folds(
    features: Array, targets: Array, groups: Sequence[str], seed: int
) -> list[tuple[Array, Array]]:
    """Return the indices of training and held-out photos, only where every class is trained."""
    names = np.asarray(groups)
    folds = min(_FOLDS, *(len(np.unique(names[targets == k])) for k in np.unique(targets)))
    if folds < 2:
        return []
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(features, targets, groups)
    return [pair for pair in splits if len(np.unique(targets[pair[0]])) == targets.max() + 1]


def _judge_strength(
    features: Array,
    targets: Array,
    pairs: Sequence[tuple[Array, Array]],
    C: float,  # noqa: N803
) -> dict[str, float]:
    probs = np.full((len(targets), int(targets.max()) + 1), np.nan)
    for train, held in pairs:
        head = fit_head(features[train], targets[train], C)
        probs[held] = compute_softmax(head.compute_logits(features[held].astype(np.float64)))
    judged = np.isfinite(probs).all(1)
    right = probs[judged].argmax(1) == targets[judged]
    loss = compute_log_loss(probs[judged], targets[judged])
    return {"C": float(C), "loss": round(loss, 6), "accuracy": round(float(right.mean()), 6)}
