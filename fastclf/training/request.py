"""What a training was asked for, and what was chosen and read before either way of training begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..catalog import Dataset
from ..photos import Progress
from .earlier import EarlierModel
from .options import TrainOptions


@dataclass(kw_only=True)
class Request:
    """One call of `train`: what was asked for, and what was chosen and read for both ways of training."""

    folder: Path
    out: Path
    options: TrainOptions
    recipe: str | None
    photo_licence: str
    started: float
    say: Callable[[str], None]
    progress: Progress | None = None
    quiet: bool = False
    team: Any = None
    earlier: EarlierModel | None = None
    arch: str = ""
    data: Dataset = field(init=False)

    @property
    def learned(self) -> bool:
        """Whether the body has learned something elsewhere."""
        return self.options.pretrained or self.earlier is not None

    @property
    def own_features(self) -> bool:
        """Whether the body has learned from these very photos already."""
        return self.earlier is not None and not self.earlier.is_general

    @property
    def augment(self) -> str | None:
        """What may happen to a training photo, where that is said or on record."""
        return self.options.augment or (self.earlier.augment if self.earlier else None)

    def describe_options(self) -> dict[str, Any]:
        """Return what the record of the training says of the options, whichever way it goes."""
        options = self.options
        return {
            "seed": options.seed,
            "balance": options.balance,
            "time_limit": options.time_limit,
            "pretrained": self.learned,
            "weights": options.describe_weights(),
            "split_by": options.split_by if options.split_by in (None, "folder") else "table",
            "from": self.earlier and self.earlier.facts,
        }
