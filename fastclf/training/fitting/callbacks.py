"""fastai callbacks: a tqdm bar on stderr, a time budget, the record of every epoch, seeds.

They are handed to `fit(cbs=)`, never to the Learner, so that `export.pkl` needs no name of ours.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from fastai.callback.core import Callback, CancelFitException, TrainEvalCallback
from fastai.torch_core import get_model, set_seed
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm.auto import tqdm

from ..distributed import Team

# Seconds between two signs of progress in a file.
_SELDOM = 60.0


class Reseed(Callback):
    """Make an epoch depend on the seed, the phase and its number alone, so that it can be repeated.

    All processes draw the same order of photos, and each (`rank`) other augmentations.
    """

    order = -30

    def __init__(self, seed: int, phase: int, rank: int = 0) -> None:
        self.seed, self.phase, self.rank = seed, phase, rank

    def before_epoch(self) -> None:
        """Seed Python, numpy and torch, and the order of the photos."""
        seed = random.Random(f"{self.seed}/{self.phase}/{self.epoch}").randrange(2**31)
        set_seed((seed + self.rank) % 2**32, reproducible=True)
        for loader in self.dls.loaders:
            loader.rng = random.Random(seed)


class KeepNorm(Callback):
    """Let batch norm keep its statistics; fastai's BnFreeze passes over layers whose weights are trained."""

    run_after = TrainEvalCallback

    def before_train(self) -> None:
        """Put the layers into the mode of answering, which the whole network just left."""
        for layer in self.model.modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()


class EpochProgress(Callback):
    """Show a bar over all batches and a line an epoch, on stderr; where that is a file, a line a minute.

    Parameters
    ----------
    quiet
        Whether to show nothing.
    before, after
        How many epochs other phases have before this one and behind it: epochs are counted through.
    """

    order = 60

    def __init__(self, quiet: bool = False, before: int = 0, after: int = 0) -> None:
        self.quiet, self.before, self.after = quiet, before, after
        self.bar: Any = None
        self.told = time.monotonic()

    def before_fit(self) -> None:
        """Open the bar."""
        total = self.n_epoch * len(self.dls.train)
        self.bar = tqdm(
            total=total,
            desc="training",
            unit="batch",
            file=sys.stderr,
            disable=self.quiet or not sys.stderr.isatty(),
            mininterval=0.2,
            leave=False,
        )

    def before_train(self) -> None:
        """Stand where the epoch begins, in a continued run too."""
        self.bar.n = self.epoch * len(self.dls.train)

    def after_batch(self) -> None:
        """Advance by a training batch."""
        if not self.training:
            return
        self.bar.update()
        now = time.monotonic()
        if self.bar.disable and not self.quiet and now - self.told > _SELDOM:
            self.told = now
            done = f"{self.iter + 1}/{len(self.dls.train)}"
            tqdm.write(f"epoch {self._count()}: batch {done}", file=sys.stderr)

    def _count(self) -> str:
        return f"{self.before + self.epoch + 1}/{self.before + self.n_epoch + self.after}"

    def after_epoch(self) -> None:
        """Say what the epoch reached."""
        if not was_trained(self):
            return
        self.bar.total = self.n_epoch * len(self.dls.train)
        if not self.quiet:
            told = "  ".join(f"{name} {value:.4f}" for name, value in _read_figures(self).items())
            self.told = time.monotonic()
            tqdm.write(f"epoch {self._count()}  {told}", file=sys.stderr)

    def after_fit(self) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Take the bar away, also where the fit was broken off."""
        if self.bar is not None:
            self.bar.close()


class TimeBudget(Callback):
    """Plan the epochs from the time that the first one took, and stop in time.

    The one-cycle schedule follows `n_epoch`, so a smaller plan still ends at the schedule's end. `deadline`
    is of `time.monotonic()`; of several processes the first one's clock counts.
    """

    order = 70

    def __init__(self, deadline: float, team: Team | None = None) -> None:
        self.deadline, self.team = deadline, team or Team()
        self.stopped_early = False

    def before_epoch(self) -> None:
        """Leave when the plan is done; else time the epoch."""
        if self.epoch >= self.n_epoch:
            raise CancelFitException
        self.started = time.monotonic()

    def after_batch(self) -> None:
        """Leave in the middle of an epoch when there is no time at all."""
        if self.training and self.team.agree(time.monotonic() > self.deadline):
            self.stopped_early = True
            raise CancelFitException

    def after_epoch(self) -> None:
        """Shrink the plan to what fits."""
        now = time.monotonic()
        fitting = int((self.deadline - now) / max(now - self.started, 1e-6))
        planned = self.team.agree(min(self.n_epoch, self.epoch + 1 + max(fitting, 0)))
        if was_trained(self) and planned < self.n_epoch:
            self.learn.n_epoch = planned


class EpochRecord(Callback):
    """Keep what each epoch reached, as JSON values, and the weights of the best one.

    A row of `epochs` holds ``epoch``, ``phase``, the losses, the metrics and ``seconds``; None is a number
    that is not finite. The best has the highest accuracy; among equals, the lowest validation loss: `best`
    holds its ``epoch`` (0 is the start), ``score`` and ``model``, nothing as long as none counts. fastai's
    `SaveModelCallback` watches one number, and writes each better model to the disk.
    """

    order = 65

    def __init__(self, epochs: Sequence[dict[str, Any]] = (), best: dict[str, Any] | None = None) -> None:
        self.epochs, self.best, self.phase = list(epochs), best or {}, ""

    @property
    def waited(self) -> int:
        """How many epochs ago the best one was."""
        return len(self.epochs) - int(self.best.get("epoch", 0))

    def keep_start(self, learn: Any, team: Team) -> None:
        """Let the weights that a Learner has before its first epoch be the ones to surpass."""
        loss, accuracy = team.agree([float(x) for x in learn.validate()] if team.is_first else [])
        self._offer(learn, 0, loss, accuracy)

    def before_epoch(self) -> None:
        """Time the epoch."""
        self.started = time.monotonic()

    def after_epoch(self) -> None:
        """Add a row, and keep the weights if they are the best so far."""
        if not was_trained(self):
            return
        row = {name: v if math.isfinite(v) else None for name, v in _read_figures(self).items()}
        seconds = round(time.monotonic() - self.started, 2)
        self.epochs.append({"epoch": len(self.epochs) + 1, "phase": self.phase, **row, "seconds": seconds})
        self._offer(self.learn, len(self.epochs), row["valid_loss"], row["accuracy"])

    def _offer(self, learn: Any, epoch: int, loss: float | None, accuracy: float | None) -> None:
        if loss is None or accuracy is None or not math.isfinite(loss):
            return
        score = [accuracy, -loss]
        if not self.best or score > self.best["score"]:
            weights = get_model(learn.model).state_dict()
            model = {name: value.detach().cpu().clone() for name, value in weights.items()}
            self.best = {"epoch": epoch, "score": score, "model": model}


class Patience(Callback):
    """End the run when the best epoch is some epochs ago."""

    order = 85  # behind the checkpoint

    def __init__(self, epochs: int, record: EpochRecord) -> None:
        self.epochs, self.record, self.stopped = epochs, record, False

    def after_epoch(self) -> None:
        """End the run, or let it go on."""
        if was_trained(self) and self.record.waited >= self.epochs:
            self.stopped = True
            raise CancelFitException


def was_trained(callback: Callback) -> bool:
    """Return whether the epoch that ends was trained, not skipped because an earlier run had it."""
    return len(callback.recorder.log) == len(callback.recorder.metric_names)


def _read_figures(callback: Callback) -> dict[str, float]:
    """Return the losses and metrics of the epoch that ends, by name."""
    names, values = callback.recorder.metric_names[1:-1], callback.recorder.log[1:]
    return {name: float(v) for name, v in zip(names, values, strict=False) if isinstance(v, float)}
