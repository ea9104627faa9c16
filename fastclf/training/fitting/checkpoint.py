"""The state of a training after each epoch, on disk: a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.torch_core import get_model

from ...errors import describe_error
from ...system import make_folder, write_atomic_with
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
        self.epochs = 0  # of the state that was written last
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
            make_folder(self.folder)
            write_atomic_with(self.path, lambda f: torch.save(whole, f))
            self.epochs = len(state["rows"])
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


class Checkpoint(Callback):
    """Write the state after each epoch."""

    order = 80

    def __init__(self, store: CheckpointStore, phase: int, record: EpochRecord) -> None:
        self.store, self.phase, self.record = store, phase, record

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
                "model": get_model(self.learn.model).state_dict(),
                "opt": self.opt.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "smooth": {"count": smooth.count, "val": smooth.val},
                "rows": self.record.epochs,
                "best": self.record.best,
            }
        )


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
