"""The state of a training after each epoch, on disk: a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.torch_core import get_model

from ...errors import describe_error
from ...system import write_atomic_with
from ..distributed import Team
from .callbacks import EpochRecord, was_trained

State = dict[str, Any]

_logger = logging.getLogger(__name__)
# What opening a file that is cut off, damaged or something else raises.
_DAMAGE = (
    OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError,
    OverflowError, pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip


class CheckpointStore:
    """The place of one run's checkpoint, beside the folder `out` of the bundle that it will write.

    The `facts` are JSON values that decide the result (options, photos, versions): other ones are another
    run. What the run decided by measuring is `settled`, and a continued run takes it over.
    """

    def __init__(self, out: Path, facts: Any) -> None:
        self.folder = out.absolute().with_name(f".{out.absolute().name}-training")
        text = json.dumps(facts, sort_keys=True, default=str)
        self.key = hashlib.sha256(text.encode()).hexdigest()
        state = self.load()
        self.settled: dict[str, Any] = dict(state["settled"]) if state else {}

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "checkpoint.pt"

    def load(self) -> State | None:
        """Return the state that this very run left, or None; a damaged or foreign one is no state."""
        try:
            state: State = torch.load(self.path, map_location="cpu", weights_only=True)
        except _DAMAGE:
            return None
        return state if isinstance(state, dict) and state.get("key") == self.key else None

    def save(self, state: State) -> None:
        """Write a state in one step; the earlier one stays until it is complete.

        Where it cannot be written (a full disk) the training goes on, and the log says so.
        """
        whole = {**_plain(state), "settled": self.settled, "key": self.key}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic_with(self.path, lambda f: torch.save(whole, f))
        except (OSError, RuntimeError) as e:  # torch reports a full disk as a RuntimeError
            _logger.warning(
                "The training cannot be continued if it is interrupted: %s (%s).",
                self.path,
                describe_error(e),
            )

    def clear(self) -> None:
        """Remove it; the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.settled = {}


class KeepBest(Callback):
    """Keep the weights of the epoch with the best accuracy; among equals, of the lowest validation loss.

    `best` holds ``epoch`` (as in the record; 0 is the start), ``score`` and ``model``, nothing as long as
    none counts. fastai's `SaveModelCallback` watches one number, and writes each better model to the disk.
    """

    order = 67

    def __init__(self, record: EpochRecord, best: State | None = None) -> None:
        self.record = record
        self.best: State = best or {}

    def after_epoch(self) -> None:
        """Keep the weights if they are the best so far."""
        if was_trained(self):
            row = self.record.epochs[-1]
            self._offer(self.learn, row["epoch"], row["valid_loss"], row["accuracy"])

    def keep_start(self, learn: Any, team: Team) -> None:
        """Let the weights that a Learner has before its first epoch be the ones to surpass."""
        loss, accuracy = team.agree([float(x) for x in learn.validate()] if team.is_first else [])
        self._offer(learn, 0, loss, accuracy)

    def _offer(self, learn: Any, epoch: int, loss: float | None, accuracy: float | None) -> None:
        if loss is None or accuracy is None or not math.isfinite(loss):
            return
        score = [accuracy, -loss]
        if not self.best or score > self.best["score"]:
            model = {name: value.detach().cpu().clone() for name, value in _get_weights(learn).items()}
            self.best = {"epoch": epoch, "score": score, "model": model}


class Checkpoint(Callback):
    """Write the state after each epoch."""

    order = 80

    def __init__(self, store: CheckpointStore, phase: int, record: EpochRecord, keeper: KeepBest) -> None:
        self.store, self.phase, self.record, self.keeper = store, phase, record, keeper

    def after_epoch(self) -> None:
        """Write it."""
        if not was_trained(self):
            return
        scaler, smooth = getattr(self.learn, "scaler", None), self.recorder.smooth_loss
        self.store.save(
            {
                "phase": self.phase,
                "epochs_done": self.epoch + 1,
                "epochs_planned": self.n_epoch,
                "model": _get_weights(self.learn),
                "opt": self.opt.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "smooth": {"count": smooth.count, "val": smooth.val},
                "rows": self.record.epochs,
                "best": self.keeper.best,
            }
        )


class Patience(Callback):
    """End the run when the best epoch is some epochs ago."""

    order = 85

    def __init__(self, epochs: int, keeper: KeepBest, record: EpochRecord) -> None:
        self.epochs, self.keeper, self.record = epochs, keeper, record
        self.stopped = False

    def after_epoch(self) -> None:
        """End the run, or let it go on."""
        if was_trained(self) and len(self.record.epochs) - self.keeper.best.get("epoch", 0) >= self.epochs:
            self.stopped = True
            raise CancelFitException


def _get_weights(learn: Any) -> State:
    """Return the state of a Learner's network, without the wrapper that several processes put around it."""
    weights: State = get_model(learn.model).state_dict()
    return weights


def _plain(value: Any) -> Any:
    """Return a value of dicts, lists, tensors and plain numbers, which loads without unpickling code."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor)
    if isinstance(value, str | int | float | bool | None):
        return value
    return [_plain(v) for v in value]
