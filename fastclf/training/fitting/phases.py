"""The schedule of a training: fastai's `fine_tune` as phases that a run can be resumed in, learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastai.vision.all import Learner

from ...system import scratch_folder
from .callbacks import KeepNorm, Reseed, TimeBudget

# Highest learning rates of Adam with the one-cycle schedule for batches of 64: that of fastai's `fine_tune`,
# and one chosen by hand (`benchmarks/README.md` compares architectures with it).
LR_PRETRAINED = 2e-3
LR_FROM_SCRATCH = 5e-3
BATCH = 64


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


def scale_lr(batch_size: int, *, learned: bool) -> float:
    """Return the highest learning rate for a batch: the usual one at 64, lower for smaller ones.

    Pretrained layers follow the square root that suits Adam, new weights the size itself: resnet18 on 126
    clothing photos reached 0.52 this way and 0.49 by the square root (mean of three seeds, n = 36, so too few
    to tell); the gentler one was kept.

    References
    ----------
    Malladi et al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms", NeurIPS 2022.
    """
    share = batch_size / BATCH
    return LR_PRETRAINED * share**0.5 if learned else LR_FROM_SCRATCH * share


def find_lr(
    learn: Learner, *, seed: int = 0, deadline: float | None = None, freeze_norm: bool = False
) -> float | None:
    """Return the learning rate that fastai's finder suggests ("valley"); the Learner is as it was before.

    With `freeze_norm` batch norm keeps its statistics, as `fit` lets it.
    None is returned where there was no time until `deadline` (of `time.monotonic()`), or no loss that falls.

    References
    ----------
    L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.
    """
    budget = None if deadline is None else TimeBudget(deadline)
    place = learn.model_dir
    # by default the finder's copy of the weights goes into the photos' folder
    with scratch_folder("rate") as folder:
        learn.model_dir = folder
        try:
            cbs = [Reseed(seed, -1), *([budget] if budget else []), *([KeepNorm()] if freeze_norm else [])]
            with learn.no_bar(), learn.added_cbs(cbs):
                found = learn.lr_find(show_plot=False)
        except IndexError:  # no loss was finite
            return None
        finally:
            learn.model_dir = place
    return None if budget and budget.stopped_early else float(found.valley)
