"""Is a photo unlike the training photos? Its distance to their classes in feature space tells."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .manifest import Ood

Array = npt.NDArray[Any]

_FAR = 1e9  # the score where none can be computed, so that an answer stays plain JSON
_MAX_AXES_BYTES = 3_400_000  # the whole covariance up to 1,300 features, its largest axes above
_FLOOR = 1e-6  # of the features' own size: where photos are all alike, rounding is no strangeness
_HAIR = 1e-3  # a photo's score moves by less with the batch that it is answered in


class Detector(ABC):
    """What tells whether a photo is unlike the training photos; `threshold_` is the highest usual score."""

    threshold_: float

    @classmethod
    @abstractmethod
    def read(cls, ood: Ood, arrays: Mapping[str, Array]) -> Self:
        """Return the detector that the manifest describes and `ood.npz` holds."""

    @abstractmethod
    def ood_score(self, features: Array) -> Array:
        """Return (N,) scores for (N, D) features; higher is further out."""

    @abstractmethod
    def fits(self, width: int) -> bool:
        """Tell whether the arrays fit together and take features of this width."""

    def is_unfamiliar(self, scores: Array) -> Array:
        """Return (N,) booleans for (N,) scores."""
        return np.asarray(scores > self.threshold_)


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
    threshold_
        Scores above this are called unfamiliar.
    stated_rate
        The share of familiar photos that the threshold was set to call unfamiliar.
    false_alarm_rate
        The share of the validation photos above the threshold, as counted.
    n_valid
        How many validation photos these were.

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
    threshold_: float = math.inf
    stated_rate: float = 0.05
    false_alarm_rate: float = 0.0
    n_valid: int = 0

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
        return made._set_threshold(made.ood_score(valid), false_alarm_rate)

    def _set_threshold(self, scores: Array, rate: float) -> Self:
        threshold = find_threshold(scores, rate)
        counted = float((scores > threshold).mean())
        return replace(
            self, threshold_=threshold, stated_rate=rate, false_alarm_rate=counted, n_valid=len(scores)
        )

    @classmethod
    def read(cls, ood: Ood, arrays: Mapping[str, Array]) -> Self:
        """Return the detector that the manifest describes and `ood.npz` holds."""
        return cls(
            means_=arrays["means"],
            axes_=arrays["axes"],
            variances_=arrays["variances"],
            rest_=float(arrays["rest"]),
            threshold_=_number(ood.threshold),
            stated_rate=_number(ood.stated_rate),
            false_alarm_rate=_number(ood.false_alarm_rate),
            n_valid=int(_number(ood.n)),
        )

    def ood_score(self, features: Array) -> Array:
        """Return (N,) distances for (N, D) features, in standard deviations a feature; 1 is usual."""
        with np.errstate(all="ignore"):
            # in double precision: where classes hardly vary, whitened numbers are large and differ little
            x, means = self._whiten(_transform(features)).astype(np.float64), self._white_means
            squared = (x**2).sum(1)[:, None] + (means**2).sum(1) - 2 * x @ means.T
            scores = np.sqrt(np.maximum(squared.min(1), 0) / x.shape[1])
        return np.asarray(np.nan_to_num(scores, nan=_FAR, posinf=_FAR))

    def save(self, file: Path) -> None:
        """Write the arrays, `ood.npz` in a bundle."""
        np.savez(file, **self.to_arrays())

    def to_arrays(self) -> dict[str, Any]:
        """Return what `ood.npz` holds, by name."""
        return {"means": self.means_, "axes": self.axes_, "variances": self.variances_, "rest": self.rest_}

    def describe(self) -> Ood:
        """Return what the manifest says of it."""
        return Ood(
            kind="mahalanobis",
            threshold=self.threshold_,
            stated_rate=self.stated_rate,
            false_alarm_rate=self.false_alarm_rate,
            n=self.n_valid,
        )

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


@dataclass(frozen=True)
class JointDetector(Detector):
    """The distance to the classes and the energy of the head's answer, each in its usual spread, added.

    What is far from all training photos has a large distance; what looks like them, a class that was left
    out for example, leaves the head unsure: its energy is high. On photos of clothing and hand signs the sum
    told both (benchmarks/README.md, "Unlike the training photos").

    Attributes
    ----------
    distance
        The first part.
    weight_, bias_
        (K, D) and (K,), the head.
    usual_, spread_
        (2,) mean and standard deviation of distance and energy on validation photos.
    threshold_, stated_rate, false_alarm_rate, n_valid
        As in `MahalanobisDetector`.

    References
    ----------
    Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020.
    """

    distance: MahalanobisDetector
    weight_: Array
    bias_: Array
    usual_: Array
    spread_: Array
    threshold_: float = math.inf
    stated_rate: float = 0.05
    false_alarm_rate: float = 0.0
    n_valid: int = 0

    @classmethod
    def fit(
        cls,
        train: Array,
        valid: Array,
        targets: Array,
        head: tuple[Array, Array],
        *,
        false_alarm_rate: float = 0.05,
    ) -> Self:
        """Fit the distance on training photos; spreads and threshold are those of validation photos.

        Parameters
        ----------
        train, valid
            (N, D) and (V, D) features; rows with numbers that are not finite are left out.
        targets
            (N,) classes of the training photos.
        head
            Weights (K, D) and biases (K,).
        false_alarm_rate
            Share of familiar photos that may be called unfamiliar, in (0, 1).

        Raises
        ------
        UsageError
            If the arrays do not fit together, no usable row is left or the rate is none.
        """
        distance = MahalanobisDetector.fit(train, valid, targets, false_alarm_rate=false_alarm_rate)
        made = cls(distance, *head, usual_=np.zeros(2), spread_=np.ones(2))
        parts = made._measure(valid[np.isfinite(valid).all(1)])
        spread = np.maximum(parts.std(0), 1e-6)
        made = replace(made, usual_=parts.mean(0), spread_=spread)
        scores = made._add(parts)
        threshold = find_threshold(scores, false_alarm_rate)
        return replace(
            made,
            threshold_=threshold,
            stated_rate=false_alarm_rate,
            false_alarm_rate=float((scores > threshold).mean()),
            n_valid=len(scores),
        )

    @classmethod
    def read(cls, ood: Ood, arrays: Mapping[str, Array]) -> Self:
        """Return the detector that the manifest describes and `ood.npz` holds."""
        return cls(
            MahalanobisDetector.read(ood, arrays),
            arrays["weight"],
            arrays["bias"],
            arrays["usual"],
            arrays["spread"],
            threshold_=_number(ood.threshold),
            stated_rate=_number(ood.stated_rate),
            false_alarm_rate=_number(ood.false_alarm_rate),
            n_valid=int(_number(ood.n)),
        )

    def ood_score(self, features: Array) -> Array:
        """Return (N,) scores for (N, D) features; 0 is usual."""
        with np.errstate(all="ignore"):
            scores = self._add(self._measure(features))
        return np.asarray(np.nan_to_num(scores, nan=_FAR, posinf=_FAR, neginf=_FAR))

    def save(self, file: Path) -> None:
        """Write the arrays, `ood.npz` in a bundle."""
        np.savez(
            file, **self.distance.to_arrays(), weight=self.weight_, bias=self.bias_, usual=self.usual_,
            spread=self.spread_,
        )  # fmt: skip

    def describe(self) -> Ood:
        """Return what the manifest says of it."""
        return Ood(
            kind="mahalanobis+energy",
            threshold=self.threshold_,
            stated_rate=self.stated_rate,
            false_alarm_rate=self.false_alarm_rate,
            n=self.n_valid,
        )

    def fits(self, width: int) -> bool:
        """Tell whether the arrays fit together and take features of this width."""
        arrays = (self.weight_, self.bias_, self.usual_, self.spread_)
        return (
            self.distance.fits(width)
            and all(np.issubdtype(a.dtype, np.floating) and np.isfinite(a).all() for a in arrays)
            and self.weight_.shape == (len(self.bias_), width)
            and self.usual_.shape == self.spread_.shape == (2,)
            and bool((self.spread_ > 0).all())
        )

    def _measure(self, features: Array) -> Array:
        """Return (N, 2) distances and energies."""
        logits = features.astype(np.float64) @ self.weight_.T + self.bias_
        top = logits.max(1)
        energy = -(top + np.log(np.exp(logits - top[:, None]).sum(1)))
        return np.stack([self.distance.ood_score(features), energy], 1)

    def _add(self, parts: Array) -> Array:
        return np.asarray(((parts - self.usual_) / self.spread_).sum(1))


# What a manifest may name.
KINDS: dict[str, type[Detector]] = {
    "mahalanobis": MahalanobisDetector,
    "mahalanobis+energy": JointDetector,
}


def find_threshold(scores: Array, false_alarm_rate: float) -> float:
    """Return the threshold that calls a new photo unfamiliar with the stated probability at most.

    It is the ceil((n + 1) (1 - rate))-th smallest of n scores, of photos that nothing was fitted on, and a
    hair. If the photos are exchangeable with those to come, a new one scores higher with probability at
    most `false_alarm_rate`, and at least 1 / (n + 1) less. With fewer than 1 / rate - 1 photos (19 at 5 %)
    there is no such score: then it is the largest, and the probability is 1 / (n + 1), thus more than stated.
    (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005: conformal prediction.)
    """
    rank = math.ceil((len(scores) + 1) * (1 - false_alarm_rate) - 1e-9)
    return float(np.sort(scores)[min(rank, len(scores)) - 1]) + _HAIR


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


def _number(value: float | None) -> float:
    """Return a number of the manifest; TypeError where it is no finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"ood holds {value!r} for a number")
    return float(value)


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
    if n < width:
        _, roots, rows = np.linalg.svd(x, full_matrices=False)
        values, axes = roots**2, rows.T
    else:
        values, axes = (a[..., ::-1] for a in np.linalg.eigh(x.T @ x))
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
