"""Report every epoch elsewhere too, through fastai's own callbacks: CSV, TensorBoard, Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastai.callback.core import Callback
from fastai.callback.progress import CSVLogger

from ...errors import UsageError, describe_error
from ...system import write_atomic
from ..options import check_tracker


@dataclass(frozen=True)
class Tracker:
    """Where the epochs of one run are reported.

    `build` returns the callbacks of a phase, from its name and the number of epochs that the run had before.
    """

    build: Callable[[str, int], list[Callback]] = lambda phase, done: []
    close: Callable[[], None] = lambda: None


def build_tracker(track: str | None, out: Path, record: dict[str, Any]) -> Tracker:
    """Return what reports a run's epochs, or nothing where `track` is None.

    "csv" writes ``OUT-history.csv`` beside the bundle `out`, "tensorboard" ``OUT-tensorboard/``, "wandb" a
    run of the project "fastclf" (offline where ``WANDB_MODE=offline`` says so) that keeps the training's
    `record`. A continued run goes on in the same CSV file and TensorBoard folder; a new one replaces them.
    """
    check_tracker(track)
    target = out.absolute()
    history = target.with_name(f"{target.name}-history.csv")
    if track == "csv":
        return Tracker(lambda phase, done: [History(history, phase, done)])
    if track == "tensorboard":
        return Tracker(lambda phase, done: _build_tensorboard(target, phase, done))
    return _start_wandb(target, record) if track == "wandb" else Tracker()


class History(CSVLogger):
    """fastai's `CSVLogger` with one header, whatever the phases, and a column that names them.

    Rows of the `done` epochs that the run had before stay, and what else is in the file goes.
    """

    def __init__(self, path: Path, phase: str, done: int) -> None:
        super().__init__(path, append=True)
        self.phase, self.done = phase, done

    def before_fit(self) -> None:
        """Open the file behind the rows of earlier epochs."""
        path = Path(self.fname)
        lines = path.read_text(encoding="utf-8").splitlines() if self.done and path.exists() else []
        header = ",".join(["phase", *self.recorder.metric_names])
        # in one step: a kill between two phases loses no row
        write_atomic(path, ("\n".join([header, *lines[1 : self.done + 1]]) + "\n").encode())
        self.file = path.open("a", encoding="utf-8")
        self.old_logger, self.learn.logger = self.learn.logger, self._write_line

    def _write_line(self, log: Any) -> None:
        # an epoch that an interrupted run had trained is there already
        if len(log) == len(self.recorder.metric_names):
            super()._write_line([self.phase, *log])


def _build_tensorboard(target: Path, phase: str, done: int) -> list[Callback]:
    from fastai.callback.tensorboard import TensorBoardCallback

    folder = target.with_name(f"{target.name}-tensorboard")
    if not done:
        for old in folder.glob("*/events.out.tfevents.*"):
            old.unlink()
    return [TensorBoardCallback(folder / phase, trace_model=False, log_preds=False)]


def _build_wandb() -> Callback:
    from fastai.callback.wandb import WandbCallback

    class Wandb(WandbCallback):
        """fastai's callback without its copy of every object's arguments, places of files among them."""

        def before_fit(self) -> None:
            # it stumbles over callbacks of others; `record` says what a reader needs
            self.learn.gather_args = dict
            try:
                super().before_fit()
            finally:
                del self.learn.gather_args

    return Wandb(log_preds=False, log_model=False)


def _start_wandb(target: Path, record: dict[str, Any]) -> Tracker:
    # the record of the epochs is what was asked for; reports on this machine and its errors are not
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    settings = wandb.Settings(
        console="off", disable_code=True, disable_git=True, save_code=False, x_disable_meta=True,
        x_disable_stats=True, x_disable_machine_info=True,
    )  # fmt: skip
    try:
        run = wandb.init(
            project="fastclf", name=target.name, dir=target.parent, config=record, settings=settings
        )
    except wandb.Error as e:
        raise UsageError(
            "Weights & Biases did not start ({reason}). Run `wandb login`, or set WANDB_MODE=offline.",
            reason=describe_error(e),
        ) from None
    return Tracker(lambda phase, done: [_build_wandb()], run.finish)
