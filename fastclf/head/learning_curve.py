"""Do more photos help? Accuracy with a part of the training photos, and what twice as many would bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .linear import LinearHead, fit_head

Array = npt.NDArray[Any]

_SHARES = (0.25, 0.5, 0.75)
_DRAWS = 5
_LEAST_A_CLASS, _LEAST_VALID = 2, 20
_RESAMPLED = 500
# Photos x width x classes x draws, about a minute: beyond it there are fewer draws, then no curve.
_MOST_WORK = 3e8


@dataclass(frozen=True)
class LearningCurve:
    """Validation accuracy by the number of training photos.

    Attributes
    ----------
    points
        (number of training photos, accuracy) from the fewest to all; all but the last are means of `draws`.
    doubled
        With twice the training photos: the accuracy to be expected, and the lower and upper end of its 95 %
        interval. None where the curve cannot tell whether more photos help.
    gains
        The class whose recall grew most from half the photos to all, where that is no chance; else "".
    """

    points: list[tuple[int, float]]
    draws: int
    doubled: tuple[float, float, float] | None = None
    gains: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, for the training's record."""
        return asdict(self)


def measure_learning_curve(
    train: tuple[Array, Array],
    valid: tuple[Array, Array],
    head: LinearHead,
    vocab: Sequence[str],
    adjust: Callable[[LinearHead, Array], LinearHead] = lambda head, _: head,
    *,
    seed: int = 0,
) -> LearningCurve | None:
    """Fit heads on a quarter, half and three quarters of the training photos, five times each.

    The errors are taken for a power of the number of photos, whose exponent follows from the four points; its
    interval is that of validation photos drawn anew. So it says what photos like these would bring, not what
    better ones would.

    Parameters
    ----------
    train, valid
        (N, D) features and (N,) targets, of a body that learned none of them.
    head
        Fitted on all training photos.
    vocab
        (K,) names.
    adjust
        Called with each head and its targets, and returns the one that answers.
    seed
        Of the draws.

    Returns
    -------
    None where photos are too few to draw parts of, or so many that it would take minutes.

    References
    ----------
    Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017 (errors follow a power law).
    """
    (features, targets), work = train, train[0].size * len(vocab)
    draws = min(_DRAWS, int(_MOST_WORK / work))
    shares = [s for s in _SHARES if s * np.bincount(targets).min() >= _LEAST_A_CLASS]
    if not draws or len(shares) < 2 or len(valid[1]) < _LEAST_VALID:
        return None
    random = np.random.default_rng(seed)
    orders = [_order_evenly(targets, random) for _ in range(draws)]
    right: list[Array] = []
    sizes: list[int] = []
    for share in shares:
        chosen = [order[: round(share * len(order))] for order in orders]
        heads = [adjust(fit_head(features[r], targets[r], head.C, exactly=False), targets[r]) for r in chosen]
        right.append(np.mean([_find_right(h, *valid) for h in heads], 0))
        sizes.append(len(chosen[0]))
    answers, counts = np.stack([*right, _find_right(head, *valid)]), np.array([*sizes, len(targets)])
    points = [(int(n), float(share)) for n, share in zip(counts, answers.mean(1), strict=True)]
    return LearningCurve(points, draws, *_expect(answers, counts, valid[1], vocab, random))


def _order_evenly(targets: Array, random: np.random.Generator) -> Array:
    """Return the photos in an order whose every beginning holds about the same share of each class."""
    place = np.empty(len(targets))
    for k in np.unique(targets):
        rows = random.permutation(np.flatnonzero(targets == k))
        place[rows] = (np.arange(len(rows)) + random.random(len(rows))) / len(rows)
    return np.argsort(place)


def _find_right(head: LinearHead, features: Array, targets: Array) -> Array:
    return np.asarray(head.compute_logits(features).argmax(1) == targets, float)


def _expect(
    right: Array, sizes: Array, targets: Array, vocab: Sequence[str], random: np.random.Generator
) -> tuple[tuple[float, float, float] | None, str]:
    """Return `doubled` and `gains` of (S, V) shares of heads that were right on each validation photo."""
    rows = random.integers(0, len(targets), (_RESAMPLED, len(targets)))
    _, slope = _fit_power(right, sizes)
    drawn = [_fit_power(right[:, r], sizes) for r in rows]
    slopes = np.array([s for _, s in drawn])
    if np.quantile(slopes, 0.025) <= 0:
        return None, ""
    errors = np.array([error for error, _ in drawn]) * 2.0**-slopes
    low, high = np.quantile(errors, [0.025, 0.975])
    expected = (1 - right[-1].mean()) * 2.0**-slope
    return (float(1 - expected), float(1 - high), float(1 - low)), _find_gaining(right, sizes, targets, vocab)


def _fit_power(right: Array, sizes: Array) -> tuple[float, float]:
    """Return the error with all photos, and the power of their number by which it falls."""
    n = right.shape[1]
    errors = ((1 - right).sum(1) + 0.5) / (n + 1)
    x = np.log(sizes) - np.log(sizes).mean()
    return float(errors[-1]), float(-(x * np.log(errors)).sum() / (x**2).sum())


def _find_gaining(right: Array, sizes: Array, targets: Array, vocab: Sequence[str]) -> str:
    """Return the class whose recall grew most since half the photos, by two standard errors at least."""
    half = int(np.abs(sizes - sizes[-1] / 2).argmin())
    grown = right[-1] - right[half]
    best, name = 0.0, ""
    for k in np.unique(targets):
        own = grown[targets == k]
        error = own.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else np.inf
        if own.mean() > max(best, 2 * error):
            best, name = float(own.mean()), vocab[k]
    return name
