"""The linear head: multinomial logistic regression on pooled features; needs SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from ..issues import draw_folds
from ..metrics import compute_log_loss, compute_softmax

Array = npt.NDArray[Any]

# Strength of the pull towards small weights, on features scaled to unit variance: large is weak.
STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 0.3, 1.0, 3.0)
# For features of a body that learned these very photos, which tell nothing about strength.
STRENGTH_ON_OWN_FEATURES = 0.02
_FOLDS = 5
# Of all features' deviation. Tuned on photos of hand signs and clothing, 10 to 70 a class:
# without it the log loss of single heads was 30 and more.
_LEAST_DEVIATION = 0.3


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

    def describe(self, *, own_features: bool = False) -> dict[str, Any]:
        """Return how it was fitted, for the record: the fields of `HeadRecord`."""
        tried = [dict(row) for row in self.table]
        return {"C": self.C, "folds": self.folds, "tried": tried, "own_features": own_features}


def fit_head(
    features: Array,
    targets: Array,
    C: float = STRENGTH_ON_OWN_FEATURES,  # noqa: N803
    *,
    exactly: bool = True,
) -> LinearHead:
    """Fit multinomial logistic regression with a given regularisation.

    Parameters
    ----------
    features
        (N, D) pooled body output.
    targets
        (N,) indices 0 to K - 1, each at least once.
    C
        On features scaled to unit variance.
    exactly
        Heads that are only compared take half the time without.
    """
    return _Problem.pose(features, targets).solve(C, exactly=exactly)


@dataclass
class _Problem:
    """Photos to fit a head on, for one regularisation after the other: each begins where the last one ended.

    `x` (N, R) are the features at mean 0 and one common size; with fewer photos than features in the
    coordinates of `basis` (D, R), since weights outside of the photos' span stay zero.
    """

    x: Array
    truth: Array
    mean: Array
    scale: Array
    basis: Array | None
    found: Array | None = None

    @classmethod
    def pose(cls, features: Array, targets: Array) -> Self:
        exact = features.astype(np.float64)
        mean, deviation = exact.mean(0), exact.std(0)
        # a feature that never moves among these photos says nothing of others in which it does, and one that
        # hardly moves must not be blown up
        usual = exact.std()
        scale = np.where(deviation > 1e-6 * usual, np.maximum(deviation, _LEAST_DEVIATION * usual), np.inf)
        # one common factor keeps the sum of squares at about one a photo, whatever the width
        scale *= np.sqrt(features.shape[1])
        x, basis = (exact - mean) / scale, None
        if len(x) < x.shape[1]:
            with threadpool_limits(1, "blas"):
                basis, _ = np.linalg.qr(x.T)
                x = x @ basis
        return cls(x, np.eye(int(targets.max()) + 1)[targets], mean, scale, basis)

    def solve(self, C: float, *, exactly: bool = True) -> LinearHead:  # noqa: N803
        """Return the head of least loss: ``C`` times the log loss, plus half the squares of the weights.

        To compare regularisations it need not be exact: that is more than twice as fast.
        """
        shape = (self.truth.shape[1], self.x.shape[1] + 1)
        # two classes share one vector of weights, as in scikit-learn, so theirs count twice
        penalty = (2.0 if shape[0] == 2 else 1.0) / (C * len(self.scale))
        start = np.zeros(shape).ravel() if self.found is None else self.found
        tolerance = {"gtol": 1e-4, "ftol": 1e-10} if exactly else {"gtol": 1e-2, "ftol": 1e-7}
        # BLAS threads that wait for each other made this 50 times slower where cores are shared
        with threadpool_limits(1, "blas"):
            self.found = minimize(
                self._measure, start, (shape, penalty), "L-BFGS-B", jac=True,
                options={"maxiter": 300, **tolerance},
            ).x  # fmt: skip
        table = self.found.reshape(shape)
        weight = table[:, :-1] if self.basis is None else table[:, :-1] @ self.basis.T
        weight = weight / self.scale
        bias = table[:, -1] - weight @ self.mean
        return LinearHead(weight.astype(np.float32), bias.astype(np.float32), C)

    def _measure(self, flat: Array, shape: tuple[int, int], penalty: float) -> tuple[float, Array]:
        """Return the loss and its slope, divided by ``C``."""
        table = flat.reshape(shape)
        logits = self.x @ table[:, :-1].T + table[:, -1]
        top = logits.max(1, keepdims=True)
        powers = np.exp(logits - top)
        total = powers.sum(1, keepdims=True)
        off = (powers / total - self.truth).T
        slope = np.concatenate([off @ self.x + penalty * table[:, :-1], off.sum(1, keepdims=True)], 1)
        loss = np.sum(np.log(total) + top) - np.sum(logits * self.truth)
        return float(loss + penalty / 2 * np.sum(table[:, :-1] ** 2)), slope.ravel()


def fit_head_by_cross_validation(
    features: Array,
    targets: Array,
    groups: Sequence[str],
    *,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
) -> LinearHead:
    """Fit the head with the regularisation that has the least log loss out of fold.

    Photos of one group never stand on both sides of a fold. Where a class has fewer than two groups, there
    is nothing to cross-validate with and `STRENGTH_ON_OWN_FEATURES` is taken.

    Parameters
    ----------
    features
        (N, D) pooled output of a body that did not learn from these labels.
    targets
        (N,) indices 0 to K - 1, each at least once.
    groups
        (N,) names; photos that nearly agree share one.
    strengths
        Values of C to try.
    seed
        Of the folds.
    """
    parts = _draw_parts(targets, groups, seed)
    if not parts:
        return fit_head(features, targets)
    table: list[dict[str, float]] = []
    problems = [_Problem.pose(features[train], targets[train]) for train, _ in parts]
    for C in sorted(strengths):  # noqa: N806
        heads = [problem.solve(C, exactly=False) for problem in problems]
        table.append(_judge(C, heads, features, targets, [held for _, held in parts]))
        if len(table) > 2 and table[-3]["loss"] < table[-2]["loss"] < table[-1]["loss"]:
            break  # from here on it only overfits more
    best = min(table, key=lambda row: (row["loss"], row["C"]))
    head = fit_head(features, targets, best["C"])
    return LinearHead(head.weight, head.bias, head.C, tuple(table), len(parts))


def _draw_parts(targets: Array, groups: Sequence[str], seed: int) -> list[tuple[Array, Array]]:
    """Return who is trained on and who is held out, for each fold in which every class is trained."""
    folds = _count_folds(targets, groups)
    if folds < 2:
        return []
    fold = draw_folds(targets, groups, folds, seed)
    classes = len(np.unique(targets))
    parts = [(fold != number, fold == number) for number in range(folds)]
    return [part for part in parts if part[1].any() and len(np.unique(targets[part[0]])) == classes]


def _count_folds(targets: Array, groups: Sequence[str]) -> int:
    names = np.asarray(groups)
    return min(_FOLDS, *(len(np.unique(names[targets == k])) for k in np.unique(targets)))


def _judge(
    C: float,  # noqa: N803
    heads: Sequence[LinearHead],
    features: Array,
    targets: Array,
    held: Sequence[Array],
) -> dict[str, float]:
    """Return what the heads are worth, each on the photos that were held out from it."""
    probs = np.full((len(targets), int(targets.max()) + 1), np.nan)
    for head, rows in zip(heads, held, strict=True):
        probs[rows] = compute_softmax(head.compute_logits(features[rows].astype(np.float64)))
    judged = np.isfinite(probs).all(1)
    right = probs[judged].argmax(1) == targets[judged]
    loss = compute_log_loss(probs[judged], targets[judged])
    return {"C": float(C), "loss": round(loss, 6), "accuracy": round(float(right.mean()), 6)}
