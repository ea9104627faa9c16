"""Is a photo unlike the training photos? The distance to its nearest neighbours among them tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KIND = "knn-cosine"


@dataclass(frozen=True)
class KnnDetector:
    """Cosine distance to the k-th nearest training photo, in feature space.

    Attributes
    ----------
    reference_
        (M, D) features of training photos, scaled to length 1, float16.
    threshold_
        Scores above this are called unfamiliar.
    k
        Which neighbour counts.
    false_alarm_rate
        Share of the validation photos that score above the threshold, as counted.

    References
    ----------
    Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022.
    """

    reference_: Array
    threshold_: float
    k: int = 5
    false_alarm_rate: float = 0.02

    @classmethod
    def fit(
        cls,
        train: Array,
        valid: Array,
        *,
        k: int = 5,
        false_alarm_rate: float = 0.02,
        max_reference: int = 2000,
    ) -> Self:
        """Keep training features as the reference and set the threshold on validation photos.

        Parameters
        ----------
        train, valid
            (N, D) and (V, D) features; of `train`, at most `max_reference` evenly spaced rows are kept.
        k
            Which neighbour counts; fewer where there are fewer training photos.
        false_alarm_rate
            Wanted share of validation photos above the threshold, in (0, 1).
        """
        rows = np.unique(np.linspace(0, len(train) - 1, min(len(train), max_reference)).astype(int))
        made = cls(_unit(train[rows]).astype(np.float16), np.inf, min(k, len(rows)), false_alarm_rate)
        scores = made.ood_score(valid)
        threshold = float(np.quantile(scores, 1 - false_alarm_rate))
        return cls(made.reference_, threshold, made.k, float((scores > threshold).mean()))

    def ood_score(self, features: Array) -> Array:
        """Return (N,) scores in [0, 2] for (N, D) features; higher is further out."""
        similarity = _unit(features) @ self.reference_.astype(np.float32).T
        kth = np.partition(similarity, -self.k, axis=1)[:, -self.k]
        return np.asarray(1 - kth, np.float64)

    def is_unfamiliar(self, scores: Array) -> Array:
        """Return (N,) booleans for (N,) scores."""
        return np.asarray(scores > self.threshold_)


def _unit(features: Array) -> Array:
    x = np.asarray(features, np.float32)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))
