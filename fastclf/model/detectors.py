"""The detector of a bundle, of today's kind or of an older one, read from plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .ood import KIND, MahalanobisDetector

Array = npt.NDArray[Any]


class Detector(Protocol):
    """What tells whether a photo is unlike the training photos."""

    @property
    def threshold_(self) -> float:
        """Scores above this are called unfamiliar."""

    def ood_score(self, features: Array) -> Array:
        """Return (N,) scores for (N, D) features; higher is further out."""

    def is_unfamiliar(self, scores: Array) -> Array:
        """Return (N,) booleans for (N,) scores."""

    def fits(self, width: int) -> bool:
        """Tell whether the arrays fit together and take features of this width."""


@dataclass(frozen=True)
class KnnDetector:
    """Cosine distance to the k-th nearest training photo, which older bundles hold.

    Attributes
    ----------
    reference_
        (M, D) features of training photos, scaled to length 1, float16.
    threshold_
        Scores above this are called unfamiliar.
    k
        Which neighbour counts.
    """

    reference_: Array
    threshold_: float
    k: int

    def ood_score(self, features: Array) -> Array:
        """Return (N,) scores in [0, 2] for (N, D) features; higher is further out."""
        x = np.asarray(features, np.float32)
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        similarity = x @ self.reference_.astype(np.float32).T
        kth = np.partition(similarity, -self.k, axis=1)[:, -self.k]
        return np.asarray(1 - kth, np.float64)

    def is_unfamiliar(self, scores: Array) -> Array:
        """Return (N,) booleans for (N,) scores."""
        return np.asarray(scores > self.threshold_)

    def fits(self, width: int) -> bool:
        """Tell whether the arrays fit together and take features of this width."""
        rows, found = self.reference_.shape
        floating = np.issubdtype(self.reference_.dtype, np.floating)
        return bool(floating) and found == width and 1 <= self.k <= rows


def read_detector(said: Mapping[str, Any], arrays: Mapping[str, Array]) -> Detector:
    """Return the detector that a manifest describes.

    Parameters
    ----------
    said
        The manifest's ``ood``.
    arrays
        What `ood.npz` holds.
    """
    return KINDS[said["kind"]](said, arrays)


def _read_mahalanobis(said: Mapping[str, Any], arrays: Mapping[str, Array]) -> Detector:
    return MahalanobisDetector(
        arrays["means"],
        arrays["axes"],
        arrays["variances"],
        float(arrays["rest"]),
        float(said["threshold"]),
        float(said["stated_rate"]),
        float(said["false_alarm_rate"]),
        int(said["n"]),
    )


def _read_knn(said: Mapping[str, Any], arrays: Mapping[str, Array]) -> Detector:
    return KnnDetector(arrays["reference"], float(said["threshold"]), int(said["k"]))


KINDS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Array]], Detector]] = {
    KIND: _read_mahalanobis,
    "knn-cosine": _read_knn,
}
