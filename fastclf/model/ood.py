"""What tells whether a photo is unlike the training photos: a score, and where it begins to be too high."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .manifest import Ood

Array = npt.NDArray[Any]

FAR = 1e9
"""The score where none can be computed, so that an answer stays plain JSON."""

_HAIR = 1e-3  # a photo's score moves by less with the batch that it is answered in


@dataclass(frozen=True, kw_only=True)
class Detector(ABC):
    """What tells whether a photo is unlike the training photos.

    Attributes
    ----------
    kind
        What a manifest calls it.
    threshold_
        Scores above this are called unfamiliar.
    stated_rate
        The share of familiar photos that the threshold was set to call unfamiliar.
    false_alarm_rate
        The share of the validation photos above the threshold, as counted.
    n_valid
        How many validation photos these were.
    """

    kind: ClassVar[str]
    threshold_: float = math.inf
    stated_rate: float = 0.05
    false_alarm_rate: float = 0.0
    n_valid: int = 0

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

    @abstractmethod
    def to_arrays(self) -> dict[str, Any]:
        """Return what `ood.npz` holds, by name."""

    def save(self, file: Path) -> None:
        """Write the arrays, `ood.npz` in a bundle."""
        np.savez(file, **self.to_arrays())

    def is_unfamiliar(self, scores: Array) -> Array:
        """Return (N,) booleans for (N,) scores."""
        return np.asarray(scores > self.threshold_)

    def set_threshold(self, scores: Array, rate: float) -> Self:
        """Return the detector with the threshold that validation photos' scores set."""
        threshold = find_threshold(scores, rate)
        counted = float((scores > threshold).mean())
        return replace(
            self, threshold_=threshold, stated_rate=rate, false_alarm_rate=counted, n_valid=len(scores)
        )

    def describe(self) -> Ood:
        """Return what the manifest says of it."""
        return Ood(
            kind=self.kind,
            threshold=self.threshold_,
            stated_rate=self.stated_rate,
            false_alarm_rate=self.false_alarm_rate,
            n=self.n_valid,
        )


def read_threshold(ood: Ood) -> dict[str, Any]:
    """Return the fields that `Detector.describe` wrote; TypeError where one is no finite number."""
    return {
        "threshold_": _number(ood.threshold),
        "stated_rate": _number(ood.stated_rate),
        "false_alarm_rate": _number(ood.false_alarm_rate),
        "n_valid": int(_number(ood.n)),
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


def _number(value: float | None) -> float:
    """Return a number of the manifest; TypeError where it is no finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"ood holds {value!r} for a number")
    return float(value)
