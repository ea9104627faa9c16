"""Report every epoch elsewhere too, through fastai's own callbacks: CSV, TensorBoard, Weights & Biases."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastai.callback.core import Callback
from fastai.callback.progress import CSVLogger

from ..errors import MissingExtraError

_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}


def build_tracker(
    track: str | None, out: Path, record: dict[str, Any]
) -> Callable[[str], list[Callback]] | None:
    """Return what makes fastai's callbacks of a tracker for a phase ("head" or "all"); None tracks nothing.

    Parameters
    ----------
    track
        "csv" writes ``OUT-history.csv`` beside the bundle, "tensorboard" ``OUT-tensorboard/``, "wandb" a run
        of the project "fastclf" (offline where ``WANDB_MODE=offline`` says so).
    out
        Folder of the bundle.
    record
        The options of the training, for trackers that keep them.

    Raises
    ------
    MissingExtraError
        If the tracker's package is not installed.
    """
    if track is None:
        return None
    package = _PACKAGES.get(track)
    if package and importlib.util.find_spec(package) is None:
        raise MissingExtraError(
            f"--track {track} needs the package {package}, which is not installed. Run "
            f"`pip install {package}`."
        )
    target = out.absolute()
    if track == "csv":
        return lambda phase: [History(target.with_name(f"{target.name}-history.csv"), phase)]
    if track == "tensorboard":
        from fastai.callback.tensorboard import TensorBoardCallback

        folder = target.with_name(f"{target.name}-tensorboard")
        return lambda phase: [TensorBoardCallback(folder / phase, trace_model=False, log_preds=False)]
    return _start_wandb(target, record)


class History(CSVLogger):
    """fastai's `CSVLogger` with one header, whatever the phases, and a column that names them.

    Parameters
    ----------
    path
        The file; rows are added to it.
    phase
        The phase's name.
    """

    def __init__(self, path: Path, phase: str) -> None:
        super().__init__(path, append=True)
        self.phase = phase

    def before_fit(self) -> None:
        """Open the file; a new one gets a header."""
        path = Path(self.fname)
        known = path.exists() and path.stat().st_size > 0
        self.file = path.open("a", encoding="utf-8")
        if not known:
            self.file.write(",".join(["phase", *self.recorder.metric_names]) + "\n")
        self.old_logger, self.learn.logger = self.learn.logger, self._write_line

    def _write_line(self, log: Any) -> None:
        # an epoch that an interrupted run had trained is there already
        if len(log) == len(self.recorder.metric_names):
            super()._write_line([self.phase, *log])

    def after_fit(self) -> None:
        """Close the file."""
        super().after_fit()

    after_cancel_fit = after_fit


def _start_wandb(target: Path, record: dict[str, Any]) -> Callable[[str], list[Callback]]:
    import wandb
    from fastai.callback.wandb import WandbCallback

    wandb.init(project="fastclf", name=target.name, dir=target.parent, config=record)
    return lambda phase: [WandbCallback(log_preds=False, log_model=False)]
