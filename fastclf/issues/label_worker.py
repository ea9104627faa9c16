"""The child process of `labels`: learns the labels fold by fold, and says how probable the given ones are.

It reads ``in.npz`` in the folder that it is given, writes ``out.npz`` there, and is the only module of the
checks that imports SciPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CheckError
from ..metrics import compute_log_loss, compute_softmax, fit_temperature
from .labels import save_arrays

Array = npt.NDArray[Any]

# Chosen by hand but for the landmarks, and measured on wrong labels planted in photos of hand signs and of
# clothing (benchmarks/README.md).
_WIDTH = 1.5  # of the Gaussian kernel: its exponent at the photos' median squared distance
_RIDGES = (0.03, 0.3, 3.0)
_MAX_LANDMARKS = 1000  # on photos of hand signs as good as all 2,062, and four times as fast
_BLOCK = 2048  # rows that are expanded at a time
_SHARPEN = 10.0  # brings ridge outputs, which lie between 0 and 1, to the usual range of logits
_MAX_CALIBRATION = 4000


def predict_out_of_sample(features: Array, targets: Array, folds: Array, classes: int) -> Array:
    """Return (N, K) probabilities of every photo by a classifier that has seen neither it nor its fold.

    Kernel ridge regression on the classes' indicators with a Gaussian kernel, by Nyström's method where
    there are many photos; its penalty is the one with the least log loss out of sample. The outputs of
    all drawings of the folds are averaged and calibrated by a temperature. The first of the (N, D) features
    serve as landmarks, so their order must not depend on the labels; `folds` is (R, N), a row a drawing.
    """
    expanded = _expand(features)
    indicators = np.eye(classes)[targets]
    first = _predict_folds(expanded, indicators, folds[0], _RIDGES)
    sample = np.linspace(0, len(targets) - 1, min(len(targets), _MAX_CALIBRATION)).astype(int)
    best = int(np.argmin([_calibrated_loss(logits[sample], targets[sample]) for logits in first]))
    rest = [_predict_folds(expanded, indicators, fold, _RIDGES[best : best + 1])[0] for fold in folds[1:]]
    logits = np.mean([first[best], *rest], axis=0)
    return compute_softmax(logits, fit_temperature(logits[sample], targets[sample]))


def main(folder: str) -> None:
    """Read the arrays, judge the labels, write the answer."""
    import scipy.linalg  # noqa: F401 - what is missing is said before anything is read

    with np.load(Path(folder) / "in.npz") as arrays:
        given = dict(arrays)
    try:
        save_arrays(Path(folder) / "out.npz", _answer(**given))
    except np.linalg.LinAlgError as e:
        raise CheckError("The labels cannot be judged with these features ({reason}).", reason=e) from None


def _answer(features: Array, targets: Array, folds: Array, own: Array, judged: Array) -> dict[str, Array]:
    use_own = np.asarray(~np.isnan(own).any(axis=1))
    pred_probs = own
    if not use_own.all():
        learned = predict_out_of_sample(features, targets, folds, own.shape[1])
        pred_probs = np.where(use_own[:, None], own, learned)
    # the self-confidence of confident learning
    quality = np.where(judged, pred_probs[np.arange(len(targets)), targets], np.nan)
    return {"pred_probs": pred_probs, "label_quality": quality}


def _expand(features: Array) -> Array:
    """Return (N, M) coordinates whose dot products are the Gaussian kernel's values on the landmarks."""
    from scipy.linalg import cholesky, solve_triangular

    # of length 1: a network's features of a few bright photos may be hundreds of times longer than others
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features))[:, None]
    x = features / np.where(lengths > 0, lengths, 1)
    x -= x.mean(axis=0)
    landmarks = x[:_MAX_LANDMARKS]
    squared = _squared_distances(landmarks, landmarks)
    typical = float(np.median(squared[~np.eye(len(squared), dtype=bool)])) or float(squared.mean()) or 1.0
    kernel = np.exp(-_WIDTH / typical * squared)
    kernel[np.diag_indices_from(kernel)] += 1e-6
    root = cholesky(kernel, lower=True, check_finite=False)
    expanded = np.empty((len(x), len(landmarks)), np.float32)
    for start in range(0, len(x), _BLOCK):
        block = np.exp(-_WIDTH / typical * _squared_distances(landmarks, x[start : start + _BLOCK]))
        expanded[start : start + _BLOCK] = solve_triangular(root, block, lower=True, check_finite=False).T
    return expanded


def _squared_distances(a: Array, b: Array) -> Array:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    products = a @ b.T
    lengths = [(m**2).sum(axis=1) for m in (a, b)]
    return np.asarray(np.maximum(lengths[0][:, None] + lengths[1] - 2 * products, 0))


def _predict_folds(expanded: Array, indicators: Array, fold: Array, ridges: Sequence[float]) -> Array:
    """Return (len(ridges), N, K) outputs, each photo's from the ridge regression on all other folds."""
    from scipy.linalg import cho_factor, cho_solve

    members = [np.flatnonzero(fold == number) for number in np.unique(fold)]
    sums = [_sum_up(expanded[rows].astype(np.float64), indicators[rows]) for rows in members]
    outputs = np.empty((len(ridges), *indicators.shape))
    for rows, (own_gram, own_moment, own_counts) in zip(members, sums, strict=True):
        gram = sum(s[0] for s in sums) - own_gram
        moment = sum(s[1] for s in sums) - own_moment
        counts = sum(s[2] for s in sums) - own_counts
        mean = counts / counts.sum()
        for i, ridge in enumerate(ridges):
            matrix = gram + np.diag(np.full(len(gram), ridge))
            factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
            centred = moment[:, :-1] - np.outer(moment[:, -1], mean)
            weights = cho_solve(factor, centred, check_finite=False)
            outputs[i, rows] = expanded[rows] @ weights + mean
    return outputs * _SHARPEN


def _sum_up(rows: Array, indicators: Array) -> tuple[Array, Array, Array]:
    """Return the (M, M) products of a fold's rows, their (M, K + 1) sums by class and in all, and counts."""
    by_class = np.column_stack([rows.T @ indicators, rows.sum(axis=0)])
    return rows.T @ rows, by_class, indicators.sum(axis=0)


def _calibrated_loss(logits: Array, targets: Array) -> float:
    return compute_log_loss(compute_softmax(logits, fit_temperature(logits, targets)), targets)
