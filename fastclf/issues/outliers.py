"""Which photos are strangers in their folder: far from every class, and not told apart by their labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Message, UsageError
from .form import ABOUT_PHOTO, FindingForm, is_number
from .kinds import CheckedPhotos, Finding, IssueKind

Array = npt.NDArray[Any]

# All chosen by hand, and measured on foreign photos planted among hand signs, clothing and digits
# (benchmarks/README.md).
MIN_PHOTOS = 20
"""With fewer photos nothing is called odd: what is usual cannot be told."""

_MIN_CLASS = 5  # smaller classes are taken together: their spread cannot be told
_NEIGHBOUR, _CORE = 0.25, 0.75  # of a class: the neighbour that counts, and the share that is surely usual
_VOTES = 5
_PRIOR = 2  # photos: the spread of a small class is drawn towards that of all
_ROUNDS = 10
_EDGE = 1.5  # standard deviations: below nothing is odd
_FALSE_SHARE = 0.25  # of the photos called odd, at most, by estimates that are too high rather than too low
_LEAST_KAPPA = 0.1  # where labels follow the photos less than this they cannot tell what is usual
_MIN_SPREAD = 0.02  # where all photos are alike, a hair's breadth is not odd
_FLOOR = 1e-6  # of the features' own size
_MAX_WIDTH, _MAX_REFERENCE = 1280, 3000
_ROWS = 4096  # that are worked on at a time
_BLOCK_NUMBERS = 2**22  # distances held at a time: 16 MiB of float32


@dataclass(frozen=True)
class Outliers:
    """How far each of N photos is from the classes."""

    scores: Array  # (N,) distance to the nearest class; 1 is usual
    threshold: float  # scores from it on are odd; infinite where none is
    is_odd: Array  # (N,)


def find_outliers(
    features: npt.ArrayLike, groups: Sequence[str] | None = None, labels: Sequence[str] | None = None
) -> Outliers:
    """Find photos that are far from every class of their folder.

    The score is the Mahalanobis distance to the nearest class, of the features' roots, divided by that
    class's median. The classes share a covariance, which is fitted on the three quarters of each class with
    the nearest neighbours, so that strangers, even a clump of them, have no say in it; a photo's own part in
    the fit is taken out again in closed form. The threshold is where, by estimate, a quarter of the photos
    further out may be usual ones. How many these are is estimated twice, and the larger number counts: by a
    normal distribution with the log scores' median and upper quartile, and by how well neighbours tell the
    labels, for in photos of another camera they do and among strangers they do not.

    Parameters
    ----------
    features
        (N, D) finite numbers.
    groups
        (N,) name of each photo's group of copies; a group counts as one photo.
    labels
        (N,) name of each photo's class; some may be wrong. With it a rare class is not odd as a whole.

    Raises
    ------
    UsageError
        If the arrays do not fit together or hold numbers that are not finite.

    References
    ----------
    A fit of the most central part: Boudt et al., "The Minimum Regularized Covariance Determinant
    Estimator", Statistics and Computing 30, 2020. The threshold: Benjamini and Hochberg, "Controlling the
    False Discovery Rate", Journal of the Royal Statistical Society B 57, 1995. Agreement beyond chance:
    Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological
    Measurement 20, 1960.
    """
    x = np.asarray(features, np.float32)
    _check(x, groups, labels)
    names = [str(i) for i in range(len(x))] if groups is None else list(groups)
    kinds = [""] * len(x) if labels is None else list(labels)
    found, group = np.unique(np.array(names, str), return_inverse=True)
    if len(found) < MIN_PHOTOS:
        return Outliers(np.zeros(len(x)), np.inf, np.zeros(len(x), bool))
    target = _join_small(np.unique(np.array(kinds, str), return_inverse=True)[1], group)
    roots = _average(_transform(x), group)
    del x, features  # of very many photos, as large as all that follows
    logs, threshold = _judge(roots, target, _choose_reference(found))
    scores = np.exp(logs)[group]
    return Outliers(scores, math.exp(threshold), scores >= math.exp(threshold))


def _check(x: Array, groups: Sequence[str] | None, labels: Sequence[str] | None) -> None:
    lengths = [len(names) for names in (groups, labels) if names is not None]
    if x.ndim != 2 or any(n != len(x) for n in lengths):
        raise UsageError(
            "features of shape {shape} and names of length {lengths} do not fit together; "
            "give one row and one name for each photo.",
            shape=x.shape,
            lengths=lengths,
        )
    if not np.isfinite(x).all():
        raise UsageError("features hold numbers that are not finite; compute them again.")


def _transform(x: Array) -> Array:
    """Take signed roots of length 1, which a Gaussian fits better; project wide ones to bounded width."""
    width = min(x.shape[1], _MAX_WIDTH)
    directions = None
    if x.shape[1] > width:
        directions = np.random.default_rng(0).normal(size=(x.shape[1], width)) / math.sqrt(width)
    taken = np.empty((len(x), width), np.float32)
    for rows in _list_blocks(len(x)):
        roots = np.copysign(np.sqrt(np.abs(x[rows])), x[rows])
        roots /= np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
        taken[rows] = roots if directions is None else roots @ directions.astype(np.float32)
    return taken


def _list_blocks(n: int) -> Iterator[slice]:
    """Yield the rows, some at a time: what is computed of them is held for these alone."""
    for start in range(0, n, _ROWS):
        yield slice(start, min(start + _ROWS, n))


def _average(x: Array, group: Array) -> Array:
    """Return (G, D) means of the groups of copies, around zero."""
    total = np.zeros((int(group.max()) + 1, x.shape[1]), np.float32)
    np.add.at(total, group, x)
    total /= np.bincount(group)[:, None]
    total -= total.mean(0)
    return total


def _join_small(kind: Array, group: Array) -> Array:
    """Return (G,) classes of the groups, the small ones as one."""
    target = np.full(int(group.max()) + 1, len(kind))
    np.minimum.at(target, group, kind)
    _, index, sizes = np.unique(target, return_inverse=True, return_counts=True)
    return np.asarray(np.unique(np.where(sizes[index] < _MIN_CLASS, -1, index), return_inverse=True)[1])


def _choose_reference(names: Array) -> Array:
    """Return (G,) which groups are compared with and fitted on: all, or those first by hash of the name."""
    chosen = np.ones(len(names), bool)
    if len(names) > _MAX_REFERENCE:
        order = sorted(range(len(names)), key=lambda i: hashlib.sha256(str(names[i]).encode()).digest())
        chosen[order[_MAX_REFERENCE:]] = False
    return chosen


def _judge(x: Array, target: Array, reference: Array) -> tuple[Array, float]:
    """Return (G,) logarithms of the scores and of their threshold."""
    near, agree = _look_around(x, target, reference)
    logs, odd = _measure(x, target, _find_core(near, target, reference)), np.zeros(len(x), bool)
    for _ in range(_ROUNDS):
        before, (middle, spread) = odd, _describe_usual(logs[~odd])
        odd = _cut((logs - middle) / spread, agree, target)
        if (odd == before).all():
            break
    return logs - middle, float((logs[odd] - middle).min()) if odd.any() else math.inf


def _look_around(x: Array, target: Array, reference: Array) -> tuple[Array, Array]:
    """Return (G,) squared distance to the class with the nearest neighbours, and their share of the label.

    A class is as far as the neighbour is that a quarter of its photos are nearer than.
    """
    columns = np.flatnonzero(reference)
    members = [m for k in np.unique(target) if len(m := np.flatnonzero(target[columns] == k)) > 1]
    ranks = [min(len(m) - 1, math.ceil(_NEIGHBOUR * len(m))) - 1 for m in members]
    near, agree, lengths = np.empty(len(x)), np.empty(len(x)), np.einsum("ij,ij->i", x, x)
    step = max(1, _BLOCK_NUMBERS // len(columns))
    for start in range(0, len(x), step):
        rows = np.arange(start, min(start + step, len(x)))
        squared = lengths[rows, None] + lengths[columns] - 2 * x[rows] @ x[columns].T
        squared[rows[:, None] == columns] = np.inf
        voters = columns[np.argpartition(squared, _VOTES - 1, axis=1)[:, :_VOTES]]
        agree[rows] = (target[voters] == target[rows, None]).mean(1)
        of_class = [np.partition(squared[:, m], r, axis=1)[:, r] for m, r in zip(members, ranks, strict=True)]
        near[rows] = np.min(of_class, axis=0)
    return near, agree


def _find_core(near: Array, target: Array, reference: Array) -> Array:
    """Return (G,) which groups are surely usual: the nearest three quarters of each class."""
    core = np.zeros(len(near), bool)
    for k in np.unique(target):
        rows = np.flatnonzero((target == k) & reference)
        core[rows[np.argsort(near[rows], kind="stable")[: math.ceil(_CORE * len(rows))]]] = True
    return core


def _measure(x: Array, target: Array, fitted: Array) -> Array:
    """Return (G,) log of the distance to the nearest class, over that class's median."""
    counts = np.bincount(target[fitted], minlength=int(target.max()) + 1)
    known = np.flatnonzero(counts)
    means = np.zeros((len(counts), x.shape[1]), np.float32)
    for k in known:
        means[k] = x[fitted & (target == k)].mean(0)
    freedom = max(int(fitted.sum()) - len(known), 1)
    size = float(np.einsum("ij,ij->", x, x, dtype=np.float64)) / x.size
    inverse, share = _invert_covariance(x[fitted] - means[target[fitted]], freedom, size)
    squared = [
        _leave_one_out(x[rows], target[rows], means, inverse, share / freedom, counts, fitted[rows])
        for rows in _list_blocks(len(x))
    ]
    logs = np.log(np.maximum(np.concatenate(squared), 1e-12)) / 2
    own = logs[np.arange(len(x)), target]
    usual = np.median(own[fitted])
    for k in known:
        logs[:, k] -= (counts[k] * np.median(own[fitted & (target == k)]) + _PRIOR * usual) / (
            counts[k] + _PRIOR
        )
    return np.asarray(logs[:, known].min(1))


def _invert_covariance(residuals: Array, freedom: int, size: float) -> tuple[Array, float]:
    """Return the inverse of the covariance shrunk towards a sphere, and the covariance's own share in it.

    How much it is shrunk: Chen et al., "Shrinkage Algorithms for MMSE Covariance Estimation", IEEE
    Transactions on Signal Processing 58, 2010 (oracle approximating shrinkage).
    """
    width = residuals.shape[1]
    covariance = (residuals.T @ residuals).astype(np.float64) / freedom
    total, squares = float(np.trace(covariance)), float((covariance**2).sum())
    spread = (freedom + 1 - 2 / width) * (squares - total**2 / width)
    sphere = min(1.0, ((1 - 2 / width) * squares + total**2) / spread) if spread > 0 else 1.0
    covariance *= 1 - sphere
    covariance[np.diag_indices(width)] += sphere * total / width + _FLOOR * size + 1e-12
    return np.linalg.inv(covariance).astype(np.float32), 1 - sphere


def _leave_one_out(
    x: Array,
    target: Array,
    means: Array,
    inverse: Array,
    weight: float,
    counts: Array,
    fitted: Array,
) -> Array:
    """Return (G, K) squared distances, a fitted row's as if it had no part in means and covariance.

    Taking a row out changes the covariance by a matrix of rank one (Sherman and Morrison, 1950).
    """
    own = np.arange(len(x)), target
    whitened, centres = x @ inverse, means @ inverse
    squared = (whitened * x).sum(1)[:, None] + (centres * means).sum(1) - 2 * x @ centres.T
    rows = whitened - centres[target]
    cross = (rows * x).sum(1)[:, None] - rows @ means.T
    n = counts[target]
    growth = np.where(fitted & (n > 1), n / np.maximum(n - 1, 1), 1.0)
    squared[own] *= growth**2
    cross[own] *= growth
    weights = np.where(fitted, weight * growth, 0)
    left = np.maximum(1 - weights * (rows * (x - means[target])).sum(1), 1e-3)
    squared += (weights / left)[:, None] * cross**2
    return np.asarray(squared)


def _describe_usual(logs: Array) -> tuple[float, float]:
    """Return median and standard deviation, by the upper quartile."""
    middle, upper = np.quantile(logs, [0.5, 0.75])
    return float(middle), max(float(upper - middle) / 0.6745, _MIN_SPREAD)


def _cut(z: Array, agree: Array, target: Array) -> Array:
    """Return (G,) which are odd: the furthest ones, as many as keep the share of usual ones small."""
    order = np.argsort(-z, kind="stable")
    far, bulk = order[: int((z > _EDGE).sum())], order[int((z > _EDGE).sum()) :]
    odd = np.zeros(len(z), bool)
    if len(far):
        count = np.arange(1, len(far) + 1)
        tail = np.array([math.erfc(value / math.sqrt(2)) / 2 for value in z[far]])
        usual = np.maximum(len(z) * tail, _count_recognised(agree, target, far, bulk))
        gain = _FALSE_SHARE * count - usual
        odd[far[: int(gain.argmax()) + 1]] = gain.max() > 0
    return odd


def _count_recognised(agree: Array, target: Array, far: Array, bulk: Array) -> Array:
    """Return (F,) how many of the first of the far photos are usual, by how well neighbours tell labels."""
    count, classes = np.arange(1, len(far) + 1), int(target.max()) + 1
    by_chance = _expect_agreement(np.bincount(target[bulk], minlength=classes)[None])[0]
    kappa = (agree[bulk].mean() - by_chance) / max(1 - by_chance, 1e-9)
    if kappa <= _LEAST_KAPPA:
        return np.zeros(len(far))
    expected = _expect_agreement(np.cumsum(np.eye(classes)[target[far]], axis=0))
    beyond = (np.cumsum(agree[far]) - count * expected) / np.maximum(1 - expected, 1e-9) / kappa
    return np.where(expected < 1 - 1e-9, beyond, 0)


def _expect_agreement(counts: Array) -> Array:
    """Return (R,) how often two photos have the same label by chance, of (R, K) counts of labels."""
    return np.asarray(((counts / counts.sum(1, keepdims=True)) ** 2).sum(1))


# to order photos with several doubts; chosen by hand, not tuned
_SCORE = 0.5


def _find(checked: CheckedPhotos) -> list[Finding]:
    rows = checked.usable
    if len(rows) < MIN_PHOTOS:
        return []
    photos = [checked.photos[i] for i in rows]
    result = find_outliers(
        checked.features[rows], [checked.copies.names[i] for i in rows], [p.label for p in photos]
    )
    order = sorted(np.flatnonzero(result.is_odd), key=lambda i: (-result.scores[i], photos[i].name))
    words = Message("unlike all the other photos")
    return [Finding.of_photo(photos[i], _SCORE, words, score=float(result.scores[i])) for i in order]


KINDS = (
    IssueKind(
        key="odd", table="odd", title=Message("Odd photos"), badge=Message("Odd"), order=70, find=_find,
        form=FindingForm(ABOUT_PHOTO, {"score": is_number}), measure="score", needs_open=True,
    ),
)  # fmt: skip
