"""What the shares of classes are behind a model's answers, given which classes it takes for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_DRAWS, _ROUNDS = 400, 300
_NULL_DRAWS = 1999


@dataclass(frozen=True)
class ShareComparison:
    """What answers about new photos say of the classes' shares; all arrays are (K,).

    Attributes
    ----------
    p
        The probability of so large a difference where the shares are those of training.
    answered, expected
        The share of the answers that name a class, and the one to expect with the training's shares.
    corrected, low, high
        The shares themselves: what makes these answers most probable, with 95 % intervals.
    surprise
        How far each class's answers are from those expected, in standard deviations.
    """

    p: float
    answered: Array
    expected: Array
    corrected: Array
    low: Array
    high: Array
    surprise: Array


def compare_shares(
    answers: Array, training: Array, confusion: Array | None, *, seed: int = 0
) -> ShareComparison:
    """Compare the classes of new photos with those of training.

    Parameters
    ----------
    answers
        (K,) how many new photos were called each class.
    training
        (K,) how many training photos have each class.
    confusion
        (K, K) counts on photos that were not trained on, a row a true class; None takes answers for truths.
    seed
        Of the draws.

    Notes
    -----
    The test draws shares (as uncertain as so many training photos leave them), mix-ups (as so few validation
    photos do) and answers; the largest class's surprise is compared. The corrected shares are those of
    maximum likelihood (Saerens, Latinne, Decaestecker: Adjusting the outputs of a classifier to new a priori
    probabilities, Neural Computation 14, 2002; with answers instead of probabilities).
    """
    rng = np.random.default_rng(seed)
    n, classes = int(answers.sum()), len(answers)
    mixed = _smooth(np.eye(classes) * 1e6 if confusion is None else np.asarray(confusion, float))
    mean = mixed / mixed.sum(1, keepdims=True)
    share = training / training.sum()
    expected = share @ mean
    drawn = _draw_answers(rng, training, mixed, n)
    spread = np.maximum(drawn.std(0), 0.5)
    surprise = (answers - n * expected) / spread
    usual = np.abs((drawn - n * expected) / spread).max(1)
    reached = int((usual >= np.abs(surprise).max() - 1e-9).sum())
    corrected = _fit_shares(answers[None].astype(float), mean[None])[0]
    low, high = _find_interval(rng, answers, mixed)
    return ShareComparison(
        (reached + 1) / (_NULL_DRAWS + 1), answers / n, expected, corrected, low, high, surprise
    )


def _smooth(confusion: Array) -> Array:
    """Add one photo a class, mixed up as all of them are on average."""
    classes, total = len(confusion), max(confusion.sum(), 1)
    right = min(max(np.trace(confusion) / total, 1 / classes), 1 - 1 / (total + classes))
    prior = np.full((classes, classes), (1 - right) / max(classes - 1, 1))
    np.fill_diagonal(prior, right)
    return np.asarray(confusion + prior)


def _draw_rows(rng: np.random.Generator, counts: Array, draws: int) -> Array:
    """Draw (draws, ..., K) shares from Dirichlet distributions."""
    found = rng.standard_gamma(np.maximum(counts, 1e-9), (draws, *counts.shape))
    return np.asarray(found / np.maximum(found.sum(-1, keepdims=True), 1e-300))


def _draw_answers(rng: np.random.Generator, training: Array, mixed: Array, n: int) -> Array:
    shares = _draw_rows(rng, training.astype(float), _NULL_DRAWS)
    # mix-ups of so many draws would not fit into memory where classes are many
    few = _draw_rows(rng, mixed, min(_NULL_DRAWS, max(50, 4_000_000 // mixed.size)))
    rows = np.stack([shares[i] @ few[i % len(few)] for i in range(_NULL_DRAWS)])
    return rng.multinomial(n, rows / rows.sum(1, keepdims=True))


def _find_interval(rng: np.random.Generator, answers: Array, mixed: Array) -> tuple[Array, Array]:
    draws = min(_DRAWS, max(50, 4_000_000 // mixed.size))
    # half a photo a class: what was never answered may still be there
    named = _draw_rows(rng, answers + 0.5, draws) * answers.sum()
    found = _fit_shares(named, _draw_rows(rng, mixed, draws))
    low, high = np.quantile(found, [0.025, 0.975], axis=0)
    return low, high


def _fit_shares(counts: Array, mixed: Array) -> Array:
    """Return (B, K) shares that make (B, K) counts most probable under (B, K, K) mix-ups."""
    shares = np.full(counts.shape, 1 / counts.shape[1])
    for _ in range(_ROUNDS):
        named = np.einsum("bi,bij->bj", shares, mixed)
        shares = shares * np.einsum("bij,bj->bi", mixed, counts / np.maximum(named, 1e-300))
        shares /= shares.sum(1, keepdims=True)
    return shares
