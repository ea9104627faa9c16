"""`train`: from a folder of photos to a bundle, in the time that there is."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fastai
import timm
import torch
from fastai.vision.all import DataLoaders, Learner

from .. import __version__
from ..errors import UsageError
from ..model import ModelBundle, choose_arch
from ..photos import Progress
from ..refit import LinearHead
from ..system import hash_file
from .continuing import EarlierModel, adopt_splits, build_continued, check_splits, open_earlier
from .data import TrainingData, build_dls, load_data
from .distributed import Team, join_team
from .export import check_target, export_bundle
from .fitting import (
    CheckpointStore,
    Fitted,
    Phase,
    build_tracker,
    check_tracker,
    find_lr,
    fit,
    plan_phases,
    scale_lr,
    train_head,
)
from .network import build_learner, describe_licence, resolve_arch
from .options import FIND_LR, HEAD, TrainOptions
from .plan import Plan, make_plan, reserve_time

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

    A run that was killed goes on after its last whole epoch, if photos and options are the same. Where
    several processes were started, all call this: the first one trains with the others' help.

    Parameters
    ----------
    folder
        One sub-folder per class.
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
    PhotosError, UsageError, WeightsError, ExportError, BundleError
        As their docstrings say.
    """
    started = time.monotonic() if started is None else started
    options = TrainOptions(**{**asdict(options or TrainOptions()), **changes})
    team = join_team()
    if not team.is_first:
        team.follow(fit)
        return ModelBundle.load(out)
    run = Training(
        folder=Path(folder), out=Path(out), options=options, started=started, say=say or _logger.info,
        progress=progress, team=team, quiet=quiet,
    )  # fmt: skip
    with team.lead():
        run.prepare()
        run.fit()
        return run.export(recipe, photo_licence)


def follow() -> None:
    """Fit with the first process, which calls `train`, until it is done; speak and write nothing.

    Raises
    ------
    FastclfError
        If the first process is gone.
    """
    join_team().follow(fit)


@dataclass(kw_only=True)
class Training:
    """One call of `train`: prepared, trained, described, exported."""

    folder: Path
    out: Path
    options: TrainOptions
    started: float
    say: Callable[[str], None]
    progress: Progress | None = None
    team: Team = field(default_factory=Team)
    quiet: bool = False
    earlier: EarlierModel | None = None
    knows_classes: bool = False
    data: TrainingData = field(init=False)
    plan: Plan = field(init=False)
    learn: Learner = field(init=False)
    store: CheckpointStore = field(init=False)
    head: LinearHead | None = None
    lr: float | None = None
    patience: int | None = None
    fitted: Fitted = field(default_factory=Fitted)

    def prepare(self) -> None:
        """Read the photos, decide what is open, and build the Learner."""
        options = self.options
        self._warn_of_one_process()
        _check_places(self.folder, self.out)
        check_tracker(options.track)
        arch = self._choose_arch()
        resolve_arch(arch)
        if self.earlier:
            adopt_splits(self.earlier, self.folder, self.progress)
        self.data = load_data(
            self.folder, seed=options.seed, split_by=options.split_by, progress=self.progress
        )
        for sentence in self.data.describe():
            self.say(sentence)
        if self.earlier:
            check_splits(self.earlier, self.data)
        self.store = CheckpointStore(self.out, self._list_facts(arch))
        if options.restart:
            self.store.clear()
        self.plan = self._make_plan(arch)
        self._build()

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
        self.team.share(self.learn, settings, self.say)
        with contextlib.closing(build_tracker(self.options.track, self.out, self.describe())) as tracker:
            self.fitted = fit(
                self.learn, **settings, store=self.store, quiet=self.quiet, tracker=tracker, say=self.say,
                team=self.team,
            )  # fmt: skip
        self._check_fitted()

    def export(self, recipe: str | None, photo_licence: str) -> ModelBundle:
        """Write the bundle, and forget what an interrupted run would need."""
        self.say("Writing the model and checking it against the trained one ...")
        bundle = export_bundle(
            self.learn,
            self.data,
            self.out,
            arch=self.plan.arch,
            title=self.options.title,
            intro=self.options.intro,
            colour=self.options.colour,
            recipe=recipe,
            training=self.describe(),
            photo_licence=photo_licence,
            weight_licence=self._describe_licence(),
        )
        self.store.clear()
        return bundle

    def describe(self) -> dict[str, Any]:
        """Return the record of the training for the manifest."""
        head, options, weights = self.head, self.options, self.options.weights
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
            # its place is nobody's business
            "weights": weights and {"name": Path(weights).name, "sha256": hash_file(Path(weights))},
            "split_by": options.split_by if options.split_by in (None, "folder") else "table",
            "workers": options.workers,
            "track": None if head else options.track,
            "best_epoch": self.fitted.best_epoch,
            "resumed_after": self.fitted.resumed_after,
            "ended_by": self.fitted.ended_by,
            "head": head and {
                "C": head.C, "folds": head.folds, "tried": list(head.table),
                "own_features": self.own_features,
            },
            "from": self.earlier and self.earlier.facts,
            "seconds": round(time.monotonic() - self.started, 1),
            "device": str(self.learn.dls.device),
            "processes": self.team.size,
            "versions": {"torch": torch.__version__, "fastai": fastai.__version__, "timm": timm.__version__},
        }  # fmt: skip

    @property
    def resize(self) -> str:
        """How photos reach the network's size."""
        return self.options.resize or (self.earlier.resize if self.earlier else "squish")

    @property
    def augment(self) -> str:
        """What may happen to a training photo."""
        return self.options.augment or (self.earlier.augment if self.earlier else None) or "symmetric"

    @property
    def learned(self) -> bool:
        """Whether the body has learned something elsewhere."""
        return self.options.pretrained or self.earlier is not None

    @property
    def own_features(self) -> bool:
        """Whether the body has learned from these very photos already."""
        return self.earlier is not None and not self.earlier.is_general

    def _warn_of_one_process(self) -> None:
        on_cpu = os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ
        if on_cpu and self.team.size == 1:
            self.say(
                "accelerate started one process only: its --cpu needs MPI for more. "
                "`torchrun --nproc_per_node 2 -m fastclf train DIR` starts two on a CPU."
            )

    def _choose_arch(self) -> str:
        options = self.options
        if options.from_model is not None:
            self.earlier = open_earlier(options.from_model, options.arch)
            return self.earlier.arch
        if options.arch is not None:
            return options.arch
        arch, reason = choose_arch(options.pretrained)
        self.say(f"Architecture {arch}: {reason} --arch names another, `fastclf archs` lists some.")
        return arch

    def _list_facts(self, arch: str) -> dict[str, Any]:
        """Return what decides the result; a time limit only decides how far the run gets."""
        options = {**asdict(self.options), "time_limit": bool(self.options.time_limit)}
        for passing in ("restart", "title", "intro", "colour", "track", "weights", "from_model"):
            del options[passing]
        frame = self.data.frame[["sha256", "label", "split"]]
        return {
            "options": options,
            "arch": arch,
            "photos": frame.to_numpy().tolist(),
            "weights": hash_file(Path(self.options.weights)) if self.options.weights else None,
            "from": self.earlier.facts if self.earlier else None,
            "versions": [__version__, torch.__version__, fastai.__version__, timm.__version__],
        }

    def _make_plan(self, arch: str) -> Plan:
        known = self.store.settled.get("plan")
        if known:  # measured once: an interrupted run does not go on with another size
            return Plan(**known)
        size = self.options.size or (self.earlier.size if self.earlier else None)
        plan = make_plan(self.data, self.options, arch, size, self.started, self.say)
        self.store.settled["plan"] = asdict(plan)
        return plan

    def _build(self) -> None:
        options, plan = self.options, self.plan
        dls: DataLoaders = build_dls(
            self.data,
            plan.size,
            resize=self.resize,
            augment=self.augment,
            pretrained=self.learned,
            batch_size=plan.batch_size,
            seed=options.seed,
            workers=options.workers,
        )
        if self.earlier:
            self.learn, self.knows_classes = build_continued(
                dls, self.data, self.earlier, seed=options.seed, say=self.say
            )
            return
        self.learn = build_learner(
            dls, plan.arch, pretrained=options.pretrained, weights=options.weights, seed=options.seed
        )

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

    def _check_fitted(self) -> None:
        """Refuse to make a model of a training that has none; else say how it ended."""
        if self.fitted.best_epoch is None and not self.fitted.epochs:
            raise UsageError(
                "The time limit of {limit:.0f} s was over before the first epoch, so there is no "
                "model. Give more time, a smaller --size, another --arch or --mode head.",
                limit=self.options.time_limit or 0,
            )
        if self.fitted.best_epoch is None:
            self.store.clear()  # nothing is worth going on with
            raise UsageError(
                "The training went astray: no epoch had a finite loss. Give a lower --lr, or --lr find."
            )
        for sentence in self.fitted.describe():
            self.say(sentence)

    def _describe_licence(self) -> str:
        """Return the licence of the weights that the training began with."""
        if self.earlier:
            return self.earlier.bundle.manifest.licences.weights
        file = Path(self.options.weights) if self.options.weights else None
        resolved = resolve_arch(self.plan.arch)
        return describe_licence(self.plan.arch, resolved, pretrained=self.options.pretrained, file=file)


def _check_places(folder: Path, out: Path) -> None:
    """Refuse a model's folder that would be taken for a class, or that cannot be written."""
    target = out.resolve()
    if folder.resolve() in target.parents or target == folder.resolve():
        raise UsageError(
            "{out} lies inside the photos' folder {folder}. Name another folder with --out.",
            out=out,
            folder=folder,
        )
    check_target(target)
