"""Distance to the classes of the training photos, in a network's feature space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .manifest import Ood
from .ood import FAR, Detector, read_threshold

Array = npt.NDArray[Any]

_MAX_AXES_BYTES = 3_400_000  # the whole covariance up to 1,300 features, its largest axes above
_ROUNDING = 1e-9  # of the largest variance: what is smaller has no direction of its own
_FLOOR = 1e-6  # of the features' own size: where photos are all alike, rounding is no strangeness


@dataclass(frozen=True)
class MahalanobisDetector(Detector):
    """Mahalanobis distance to the nearest class, with a covariance that all classes share.

    The features' square roots (signs kept) are scaled to length 1 before: a network's pooled features are
    skewed, and a Gaussian fits their roots better. All features times a number give the same scores.

    Attributes
    ----------
    means_
        (K, D) the classes' means, float32.
    axes_
        (D, R) orthonormal directions in which training photos differ from their class's mean, float16.
    variances_
        (R,) variance along them.
    rest_
        Variance in every direction outside of them.

    References
    ----------
    Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
    Attacks", NeurIPS 2018. Features of length 1: Mueller and Hein, "Mahalanobis++", ICML 2025. Roots:
    Arandjelovic and Zisserman, "Three Things Everyone Should Know to Improve Object Retrieval", CVPR 2012.
    What lies outside of the axes: Tipping and Bishop, "Probabilistic Principal Component Analysis", Journal
    of the Royal Statistical Society B 61, 1999.
    """

    means_: Array
    axes_: Array
    variances_: Array
    rest_: float
    kind: ClassVar[str] = "mahalanobis"

    @classmethod
    def fit(
        cls, train: Array, valid: Array, targets: Array | None = None, *, false_alarm_rate: float = 0.05
    ) -> Self:
        """Fit classes and covariance on training photos, and set the threshold on validation photos.

        The network knows its training photos too well, so these say what differs and how, but not how far
        is far: the threshold is a validation photo's score, see `find_threshold`.

        Parameters
        ----------
        train, valid
            (N, D) and (V, D) features; rows with numbers that are not finite are left out.
        targets
            (N,) classes of the training photos; None takes them for one class.
        false_alarm_rate
            Share of familiar photos that may be called unfamiliar, in (0, 1).

        Raises
        ------
        UsageError
            If the arrays do not fit together, no usable row is left or the rate is none.
        """
        classes = np.zeros(len(train), int) if targets is None else np.asarray(targets)
        _check(train, valid, classes, false_alarm_rate)
        there = np.isfinite(train).all(1)
        x, valid = _transform(train[there]), valid[np.isfinite(valid).all(1)]
        if not len(x) or not len(valid):
            raise UsageError(
                "{train} training and {valid} validation photos have usable features; one of each is "
                "the least.",
                train=len(x),
                valid=len(valid),
            )
        _, index = np.unique(classes[there], return_inverse=True)
        means = np.stack([x[index == k].mean(0) for k in range(index.max() + 1)])
        axes, variances, rest = _fit_covariance(x - means[index], len(x) - len(means), float((x**2).mean()))
        made = cls(means.astype(np.float32), axes.astype(np.float16), variances.astype(np.float32), rest)
        return made.set_threshold(made.ood_score(valid), false_alarm_rate)

    @classmethod
    def read(cls, ood: Ood, arrays: Mapping[str, Array]) -> Self:
        """Return the detector that the manifest describes and `ood.npz` holds."""
        return cls(
            means_=arrays["means"],
            axes_=arrays["axes"],
            variances_=arrays["variances"],
            rest_=float(arrays["rest"]),
            **read_threshold(ood),
        )

    def ood_score(self, features: Array) -> Array:
        """Return (N,) distances for (N, D) features, in standard deviations a feature; 1 is usual."""
        with np.errstate(all="ignore"):
            # in double precision: where classes hardly vary, whitened numbers are large and differ little
            x, means = self._whiten(_transform(features)).astype(np.float64), self._white_means
            squared = (x**2).sum(1)[:, None] + (means**2).sum(1) - 2 * x @ means.T
            scores = np.sqrt(np.maximum(squared.min(1), 0) / x.shape[1])
        return np.asarray(np.nan_to_num(scores, nan=FAR, posinf=FAR))

    def to_arrays(self) -> dict[str, Any]:
        """Return what `ood.npz` holds, by name."""
        return {"means": self.means_, "axes": self.axes_, "variances": self.variances_, "rest": self.rest_}

    def fits(self, width: int) -> bool:
        """Tell whether the arrays fit together and take features of this width."""
        arrays = (self.means_, self.axes_, self.variances_)
        return (
            all(np.issubdtype(a.dtype, np.floating) and np.isfinite(a).all() for a in arrays)
            and (self.means_.ndim, self.axes_.ndim) == (2, 2)
            and len(self.means_) >= 1
            and self.means_.shape[1] == len(self.axes_) == width >= self.axes_.shape[1]
            and self.variances_.shape == self.axes_.shape[1:]
            and bool((self.variances_ > 0).all())
            and 0 < self.rest_ < math.inf
        )

    def _whiten(self, x: Array) -> Array:
        """Return (N, D) so scaled that distances are Mahalanobis distances."""
        centre, axes, stretch = self._scaling
        x = x - centre
        return np.asarray(x / math.sqrt(self.rest_) + (x @ axes) * stretch @ axes.T)

    @cached_property
    def _scaling(self) -> tuple[Array, Array, Array]:
        stretch = 1 / np.sqrt(self.variances_) - np.float32(1 / math.sqrt(self.rest_))
        return self.means_.mean(0), self.axes_.astype(np.float32), stretch

    @cached_property
    def _white_means(self) -> Array:
        return self._whiten(self.means_).astype(np.float64)


def _check(train: Array, valid: Array, classes: Array, rate: float) -> None:
    shapes = (np.shape(train), np.shape(valid), classes.shape)
    if not 0 < rate < 1:
        raise UsageError("false_alarm_rate is {rate}; it must lie between 0 and 1.", rate=rate)
    if len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][1:] != shapes[1][1:] or not shapes[0][1]:
        raise UsageError(
            "Features of the shapes {train} and {valid} do not fit together; give a row a photo, "
            "equally wide in both.",
            train=shapes[0],
            valid=shapes[1],
        )
    if shapes[2] != shapes[0][:1]:
        raise UsageError(
            "{n} training photos have targets of shape {shape}; give one each.",
            n=shapes[0][0],
            shape=shapes[2],
        )


def _transform(features: Array) -> Array:
    """Take the features' signed roots and scale them to length 1."""
    x = np.asarray(features, np.float64)
    roots = np.copysign(np.sqrt(np.abs(x)), x)
    return np.asarray(roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12), np.float32)


def _fit_covariance(residuals: Array, freedom: int, scale: float) -> tuple[Array, Array, float]:
    """Return axes, the variances along them and that of the rest, shrunk towards a sphere.

    How much it is shrunk: Chen et al., "Shrinkage Algorithms for MMSE Covariance Estimation", IEEE
    Transactions on Signal Processing 58, 2010 (oracle approximating shrinkage).
    """
    n, width = residuals.shape
    x = residuals.astype(np.float64) / math.sqrt(max(freedom, 1))
    # fewer photos than features span fewer directions, and their own products are the smaller matrix
    values, axes = (a[..., ::-1] for a in np.linalg.eigh(x @ x.T if n < width else x.T @ x))
    if n < width:
        usable = values > _ROUNDING * max(float(values[0]), 1e-300)
        values = values[usable]
        axes = x.T @ axes[:, usable] / np.sqrt(values)
    values = np.maximum(values, 0)
    total, squares = values.sum(), (values**2).sum()
    spread = (max(freedom, 1) + 1 - 2 / width) * (squares - total**2 / width)
    share = min(1.0, ((1 - 2 / width) * squares + total**2) / spread) if spread > 0 else 1.0
    added = share * total / width + _FLOOR * scale + 1e-12
    keep = min(len(values), max(1, _MAX_AXES_BYTES // (2 * width)))
    kept, outside = (1 - share) * values[:keep] + added, width - keep
    # with no direction left outside, the rest is what rounding leaks, and must weigh little
    rest = added + (1 - share) * values[keep:].sum() / outside if outside else kept.max()
    return axes[:, :keep], kept, float(rest)
