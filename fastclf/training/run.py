"""`train`: from a folder of photos to a bundle, in the time that there is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fastai
import timm
import torch

from ..model import ModelBundle
from ..photos import Progress
from ..refit import LinearHead
from ..system import hash_file
from .distributed import Team, follow, join_team, leading, share
from .export import export_bundle
from .fit import Fitted, Phase, build_tracker, fit, plan_phases, train_head
from .network import find_lr
from .options import FIND_LR, HEAD, TrainOptions
from .plan import reserve_time, scale_lr
from .preparing import Preparation
from .progress import check_fitted, tell_fitted

_logger = logging.getLogger(__name__)


def train(
    folder: str | Path,
    out: str | Path = "model",
    options: TrainOptions | None = None,
    *,
    recipe: str | None = None,
    photo_licence: str = "not recorded",
    started: float | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    quiet: bool = False,
    **changes: Any,
) -> ModelBundle:
    """Train on a folder of photos and write the bundle.

    A run that was killed goes on after its last whole epoch, if photos and options are the same.

    Parameters
    ----------
    folder
        One sub-folder a class.
    out
        Folder of the bundle.
    options
        How to train; `changes` are fields of it given by name.
    recipe
        The recipe's name, for the record.
    photo_licence
        The licence of the photos that have none on record.
    started
        `time.monotonic()` from which the time limit counts; by default the call.
    say
        Called with each sentence about what was chosen and why; by default they are logged.
    progress
        Called with (done, all) while photos are read and features are computed.
    quiet
        Whether to show no progress bar.

    Returns
    -------
    ModelBundle
        The written bundle, checked against the trained Learner.

    Raises
    ------
    PhotosError, UsageProblem, WeightsError, ExportError, BundleError
        As their docstrings say.
    """
    started = time.monotonic() if started is None else started
    options = TrainOptions(**{**asdict(options or TrainOptions()), **changes})
    team = join_team()
    if not team.is_first:
        follow(team)
        return ModelBundle.load(out)
    say = say or _logger.info
    run = _Training(Path(folder), Path(out), options, started, say, progress, team=team, quiet=quiet)
    with leading(team):
        run.prepare()
        run.fit()
        run.say("Writing the model and checking it against the trained one ...")
        bundle = export_bundle(
            run.learn,
            run.data,
            out,
            arch=run.plan.arch,
            title=options.title,
            intro=options.intro,
            colour=options.colour,
            recipe=recipe,
            training=run.describe(),
            photo_licence=photo_licence,
            weight_licence=run.licence,
        )
        run.store.clear()
    return bundle


@dataclass
class _Training(Preparation):
    """One call of `train`: trained, and described."""

    team: Team = field(default_factory=Team)
    quiet: bool = False
    head: LinearHead | None = None
    lr: float | None = None
    patience: int | None = None
    fitted: Fitted = field(default_factory=Fitted)

    def fit(self) -> None:
        """Train the head, or all layers."""
        if self.plan.mode == HEAD:
            self._fit_head()
            return
        deadline = None
        if self.options.time_limit is not None:
            reserve = reserve_time(self.data, self.learn, self.plan.size)
            deadline = self.started + self.options.time_limit - reserve
        phases = self._plan_phases(deadline)
        self.patience = self.options.patience or max(5, -(-sum(p.epochs for p in phases) // 2))
        settings: dict[str, Any] = {
            "phases": phases, "seed": self.options.seed, "deadline": deadline, "patience": self.patience,
            "start_counts": self.knows_classes,
        }  # fmt: skip
        tracker = build_tracker(self.options.track, self.out, self.describe())
        share(self.team, self.learn, settings, self.say)
        try:
            self.fitted = fit(
                self.learn,
                **settings,
                store=self.store,
                quiet=self.quiet,
                tracker=tracker,
                say=self.say,
                team=self.team,
            )
        finally:
            if tracker:
                tracker.close()
        if self.fitted.best_epoch is None and self.fitted.epochs:
            self.store.clear()  # nothing is worth going on with
        check_fitted(self.fitted, self.options.time_limit)
        tell_fitted(self.fitted, self.say)

    def describe(self) -> dict[str, Any]:
        """Return the record of the training for the manifest."""
        head, options = self.head, self.options
        return {
            **asdict(self.plan),
            "epochs": self.fitted.epochs,
            "planned_epochs": None if head else self.plan.epochs,
            "resize": self.resize,
            "augment": self.augment,
            "seed": options.seed,
            "lr": self.lr,
            "lr_found": options.lr == FIND_LR and not head,
            "patience": self.patience,
            "time_limit": options.time_limit,
            "pretrained": self.learned,
            "weights": _describe_file(options.weights),
            "split_by": options.split_by if options.split_by in (None, "folder") else "table",
            "workers": options.workers,
            "track": None if head else options.track,
            "best_epoch": self.fitted.best_epoch,
            "resumed_after": self.fitted.resumed_after,
            "ended_by": self.fitted.ended_by,
            "head": None if head is None else self._describe_head(head),
            "from": self.source.facts if self.source else None,
            "seconds": round(time.monotonic() - self.started, 1),
            "device": str(self.learn.dls.device),
            "processes": self.team.size,
            "versions": {"torch": torch.__version__, "fastai": fastai.__version__, "timm": timm.__version__},
        }

    def _describe_head(self, head: LinearHead) -> dict[str, Any]:
        return {
            "C": head.C, "folds": head.folds, "tried": list(head.table), "own_features": self.own_features,
        }  # fmt: skip

    def _plan_phases(self, deadline: float | None) -> list[Phase]:
        asked = self.options.lr
        lr = self._find_lr(deadline) if asked == FIND_LR else asked
        if lr is None:
            lr = scale_lr(self.plan.batch_size, learned=self.learned)
        self.lr = float(lr)
        head_epochs = 0 if self.knows_classes else 1
        return plan_phases(self.plan.epochs, pretrained=self.learned, lr=self.lr, head_epochs=head_epochs)

    def _find_lr(self, deadline: float | None) -> float | None:
        settled = self.store.settled
        if "lr" not in settled:
            # a finder is not worth more than a quarter of the time that there is
            now = time.monotonic()
            until = None if deadline is None else now + max(deadline - now, 0) / 4
            self.learn.freeze() if self.learned else self.learn.unfreeze()
            settled["lr"] = find_lr(self.learn, seed=self.options.seed, deadline=until)
        found: float | None = settled["lr"]
        if found is None:
            self.say("The learning rate finder found none in time; the usual one is taken.")
        else:
            self.say(f"The learning rate finder suggests {found:.1e}.")
        return found

    def _fit_head(self) -> None:
        if self.team.size > 1:
            self.say(f"Mode {HEAD}: one process does it; the others have nothing to do.")
        if self.options.track:
            self.say(f"--track {self.options.track} has nothing to report: mode head has no epochs.")
        self.say("Computing features, then fitting the head ...")
        self.head, rows = train_head(
            self.learn,
            self.data,
            seed=self.options.seed,
            own_features=self.own_features,
            progress=self.progress,
        )
        self.fitted = Fitted(rows, best_epoch=1)
        tried = f", the best of {len(self.head.table)} in {self.head.folds} folds" if self.head.table else ""
        self.say(f"Fitted the head with C = {self.head.C:g}{tried}.")


def _describe_file(path: str | Path | None) -> dict[str, str] | None:
    """Return a file's name and hash; its place is nobody's business."""
    return None if path is None else {"name": Path(path).name, "sha256": hash_file(Path(path))}
