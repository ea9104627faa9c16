"""The schedule of a training: fastai's `fine_tune` as phases that a run can be resumed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fastai.vision.all import Learner

# Highest learning rates of Adam with the one-cycle schedule.
LR_PRETRAINED = 2e-3
LR_FROM_SCRATCH = 5e-3


@dataclass(frozen=True)
class Phase:
    """Epochs with one one-cycle schedule.

    Attributes
    ----------
    name
        "head" (the body is frozen) or "all".
    epochs
        How many.
    lr
        Highest learning rate of the last parameter group.
    lr_mult
        How many times lower that of the first group is; 1 is the same for all.
    pct_start
        Share of the steps in which the learning rate rises.
    div
        By how much it starts lower.
    """

    name: str
    epochs: int
    lr: float
    lr_mult: float = 1.0
    pct_start: float = 0.25
    div: float = 25.0

    def prepare(self, learn: Learner) -> None:
        """Freeze or unfreeze the body; the optimizer's state starts afresh."""
        if self.name == "head":
            learn.freeze()
        else:
            learn.unfreeze()

    def fit(self, learn: Learner, cbs: Sequence[Any], start_epoch: int = 0) -> None:
        """Train the phase's epochs, from `start_epoch` on."""
        # a slice without a start means lr / 10 for all groups but the last, as in fastai
        lr = slice(self.lr) if self.name == "head" else slice(self.lr / self.lr_mult, self.lr)
        learn.fit_one_cycle(
            self.epochs, lr, pct_start=self.pct_start, div=self.div, cbs=list(cbs), start_epoch=start_epoch
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def plan_phases(
    epochs: int, *, pretrained: bool = True, lr: float | None = None, head_epochs: int = 1
) -> list[Phase]:
    """Return the phases of fastai's `fine_tune`, or one cycle over all layers for new weights.

    Parameters
    ----------
    epochs
        Of all layers.
    pretrained
        Whether the body's weights are pretrained.
    lr
        Highest learning rate; None is 2e-3 with pretrained weights and 5e-3 without.
    head_epochs
        Epochs of the head before that, where the body is pretrained; 0 if the head has learned already.

    References
    ----------
    `Learner.fine_tune` of fastai, whose numbers these are; L. N. Smith, "A disciplined approach to neural
    network hyper-parameters: Part 1", 2018.
    """
    if not pretrained:
        return [Phase("all", epochs, lr or LR_FROM_SCRATCH)]
    lr = lr or LR_PRETRAINED
    first = [Phase("head", head_epochs, lr, pct_start=0.99)] if head_epochs else []
    return [*first, Phase("all", epochs, lr / 2, lr_mult=100.0, pct_start=0.3, div=5.0)]
