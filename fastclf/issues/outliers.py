"""Which photos are far from all others: a stranger in the folder, or the only one of its kind."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Message, UsageError
from .kinds import CheckedPhotos, Finding, IssueKind

Array = npt.NDArray[Any]

# All chosen by hand, and measured on foreign photos planted among hand signs and among clothing
# (benchmarks/README.md).
MIN_PHOTOS = 20
"""With fewer photos nothing is called odd: what is usual cannot be told."""

_SHARE, _MIN_K, _MAX_K = 0.04, 5, 100  # the neighbour that counts: a clump of strangers must not hide itself
_MAX_REFERENCE = 5000
_FALSE_ALARMS = 0.001  # share of usual photos above the threshold
_BLOCK_NUMBERS = 2**22  # distances held at a time: 16 MiB of float32
_MIN_SPREAD = 0.02  # of the median: where all photos are alike, a hair's breadth is not odd


@dataclass(frozen=True)
class Outliers:
    """How far each of N photos is from the others."""

    scores: Array  # (N,) distance in [0, 2] to the k-th nearest photo outside of the photo's own group
    threshold: float  # scores above it are odd; infinite where there are too few photos to say
    is_odd: Array  # (N,)


def find_outliers(
    features: npt.ArrayLike,
    groups: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    *,
    k: int | None = None,
) -> Outliers:
    """Find photos that are far from all others in feature space.

    The score is the distance between features of length 1 to the k-th nearest photo of another group.
    The threshold is set where a normal distribution with the scores' median and upper spread (84 % quantile
    minus median; a few odd photos move neither) would have one in a thousand above it.

    Parameters
    ----------
    features
        (N, D) finite numbers.
    groups
        (N,) name of each photo's group of copies; copies are no neighbours of each other.
    labels
        (N,) name of each photo's class. With it a photo is compared with at most half as many photos as
        its class has, so that a rare class is not odd as a whole.
    k
        Which neighbour counts; by default 4 % of the photos, between 5 and 100.

    Raises
    ------
    UsageError
        If the arrays do not fit together or hold numbers that are not finite.

    References
    ----------
    Ramaswamy et al., "Efficient Algorithms for Mining Outliers from Large Data Sets", SIGMOD 2000.
    """
    x = np.asarray(features, np.float32)
    _check(x, groups, labels)
    if len(x) < 2:
        return Outliers(np.zeros(len(x)), np.inf, np.zeros(len(x), bool))
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    names = [str(i) for i in range(len(x))] if groups is None else list(groups)
    group = np.unique(names, return_inverse=True)[1]
    reference = _choose_reference(names)
    wanted = k or int(np.clip(round(_SHARE * len(x)), _MIN_K, _MAX_K))
    scores = _kth_distances(x, group, reference, _neighbours(wanted, labels, len(x)))
    threshold = _find_threshold(scores) if len(x) >= MIN_PHOTOS else np.inf
    return Outliers(scores, threshold, scores > threshold)


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


def _choose_reference(names: list[str]) -> Array:
    """Return the rows that others are compared with: all, or those first by hash of the group's name."""
    if len(names) <= _MAX_REFERENCE:
        return np.arange(len(names))
    order = sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())
    return np.sort(np.array(order[:_MAX_REFERENCE]))


def _neighbours(k: int, labels: Sequence[str] | None, n: int) -> Array:
    """Return (N,) which neighbour counts for each photo."""
    if labels is None:
        return np.full(n, k)
    sizes = Counter(labels)
    return np.array([min(k, max(_MIN_K, sizes[label] // 2)) for label in labels])


def _kth_distances(x: Array, group: Array, reference: Array, k: Array) -> Array:
    """Return (N,) distance to the k-th nearest reference photo of another group."""
    share = len(reference) / len(x)
    k = np.clip(np.ceil(k * share).astype(np.intp), 1, len(reference) - 1)
    most = int(k.max())
    scores = np.zeros(len(x))
    step = max(1, _BLOCK_NUMBERS // len(reference))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        squared = np.maximum(2 - 2 * (x[rows] @ x[reference].T), 0)
        squared[group[rows, None] == group[reference]] = np.inf
        nearest = np.sort(np.partition(squared, most - 1, axis=1)[:, :most], axis=1)
        # where fewer photos lie outside of the group, the furthest of them counts
        last = np.minimum(k[rows], np.isfinite(nearest).sum(axis=1)) - 1
        kth = nearest[np.arange(len(last)), np.maximum(last, 0)]
        scores[rows] = np.sqrt(np.where(last >= 0, kth, 0))
    return scores


def _find_threshold(scores: Array) -> float:
    median, upper = np.quantile(scores, [0.5, 0.8413])
    spread = max(float(upper - median), _MIN_SPREAD * float(median), 1e-6)
    return float(median + NormalDist().inv_cdf(1 - _FALSE_ALARMS) * spread)


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
        measure="score", needs_open=True,
    ),
)  # fmt: skip
