"""Distance to the classes and energy of the head's answer, together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .mahalanobis import MahalanobisDetector
from .manifest import Ood
from .ood import FAR, Detector, read_threshold

Array = npt.NDArray[Any]


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

    References
    ----------
    Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020.
    """

    distance: MahalanobisDetector
    weight_: Array
    bias_: Array
    usual_: Array
    spread_: Array
    kind: ClassVar[str] = "mahalanobis+energy"

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
        return made.set_threshold(made._add(parts), false_alarm_rate)

    @classmethod
    def read(cls, ood: Ood, arrays: Mapping[str, Array]) -> Self:
        """Return the detector that the manifest describes and `ood.npz` holds."""
        return cls(
            MahalanobisDetector.read(ood, arrays),
            arrays["weight"],
            arrays["bias"],
            arrays["usual"],
            arrays["spread"],
            **read_threshold(ood),
        )

    def ood_score(self, features: Array) -> Array:
        """Return (N,) scores for (N, D) features; 0 is usual."""
        with np.errstate(all="ignore"):
            scores = self._add(self._measure(features))
        return np.asarray(np.nan_to_num(scores, nan=FAR, posinf=FAR, neginf=FAR))

    def to_arrays(self) -> dict[str, Any]:
        """Return what `ood.npz` holds, by name."""
        own = {"weight": self.weight_, "bias": self.bias_, "usual": self.usual_, "spread": self.spread_}
        return {**self.distance.to_arrays(), **own}

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
