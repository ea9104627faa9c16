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
from fastai.vision.all import DataLoaders, Learner

from ..bundle import ModelBundle
from ..errors import UsageProblem
from ..files import hash_file
from ..linear_head import LinearHead
from ..photos import Progress
from .archs import choose_arch
from .checkpoint import CheckpointStore
from .continuing import Source, adopt_splits, build_continued, check_splits, open_source
from .data import TrainingData, build_dls, load_data
from .distributed import follow, leading, share
from .export import check_target, export_bundle
from .fitting import Fitted, fit
from .head import train_head
from .learner import build_learner, find_lr, resolve_arch
from .options import FIND_LR, HEAD, TrainOptions
from .phases import LR_FROM_SCRATCH, LR_PRETRAINED, Phase, plan_phases
from .plan import Plan, make_plan, reserve_time, scale_lr
from .team import Team, join_team
from .tracking import build_tracker
from .weights import describe_licence

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

    A run that was killed goes on after its last whole epoch, if photos and options are the same. Under
    `accelerate launch` or `torchrun` every process calls this: the first one reads the photos, decides,
    speaks and writes, and the others fit with it.

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
    run = _Training(Path(folder), Path(out), options, started, say or _logger.info, progress, quiet, team)
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
            recipe=recipe,
            training=run.describe(),
            photo_licence=photo_licence,
            weight_licence=run.licence,
        )
        run.store.clear()
    return bundle


@dataclass
class _Training:
    """One call of `train`, step by step."""

    folder: Path
    out: Path
    options: TrainOptions
    started: float
    say: Callable[[str], None]
    progress: Progress | None
    quiet: bool
    team: Team
    source: Source | None = None
    head: LinearHead | None = None
    found_lr: float | None = None
    fitted: Fitted = field(default_factory=Fitted)
    knows_classes: bool = False
    data: TrainingData = field(init=False)
    plan: Plan = field(init=False)
    learn: Learner = field(init=False)
    store: CheckpointStore = field(init=False)

    def prepare(self) -> None:
        """Read the photos, decide what is open, and build the Learner."""
        options = self.options
        _check_places(self.folder, self.out)
        arch = self._choose_arch()
        resolve_arch(arch)
        if self.source:
            adopt_splits(self.source, self.folder)
        self.data = load_data(
            self.folder, seed=options.seed, split_by=options.split_by, progress=self.progress
        )
        _tell_photos(self.data, self.say)
        if self.source:
            check_splits(self.source, self.data)
        size = options.size or (self.source.size if self.source else None)
        self.plan = make_plan(self.data, options, arch, size, self.started, self.say)
        self.store = CheckpointStore(self.out, self._list_facts())
        if options.restart:
            self.store.clear()
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
        phases = self._plan_phases()
        settings: dict[str, Any] = {
            "phases": phases,
            "seed": self.options.seed,
            "deadline": deadline,
            "patience": self.options.patience or max(5, -(-sum(p.epochs for p in phases) // 2)),
            "start_counts": self.knows_classes,
        }
        tracker = build_tracker(self.options.track, self.out, self.describe())
        share(self.team, self.learn, settings, self.say)
        self.fitted = fit(
            self.learn,
            **settings,
            store=self.store,
            quiet=self.quiet,
            tracker=tracker,
            say=self.say,
            team=self.team,
        )
        self._tell_fit()

    @property
    def licence(self) -> str:
        """The licence of the weights that the training began with."""
        if self.source:
            return str(self.source.bundle.manifest.get("licences", {}).get("weights", "not recorded"))
        file = Path(self.options.weights) if self.options.weights else None
        resolved = resolve_arch(self.plan.arch)
        return describe_licence(self.plan.arch, resolved, pretrained=self.options.pretrained, file=file)

    def describe(self) -> dict[str, Any]:
        """Return the record of the training for the manifest."""
        head = self.head
        record = {**asdict(self.options), **asdict(self.plan), "epochs": self.fitted.epochs}
        del record["restart"]
        return {
            **record,
            "lr": self.found_lr or self.options.lr,
            "planned_epochs": self.plan.epochs,
            "best_epoch": self.fitted.best_epoch,
            "resumed_after": self.fitted.resumed_after,
            "ended_by": self.fitted.ended_by,
            "head": None if head is None else {"C": head.C, "folds": head.folds, "tried": list(head.table)},
            "from": self.source.facts if self.source else None,
            "seconds": round(time.monotonic() - self.started, 1),
            "device": str(self.learn.dls.device),
            "processes": self.team.size,
            "versions": {"torch": torch.__version__, "fastai": fastai.__version__, "timm": timm.__version__},
        }

    def _choose_arch(self) -> str:
        options = self.options
        if options.from_model is not None:
            self.source = open_source(options.from_model, options.arch)
            return self.source.arch
        if options.arch is not None:
            return options.arch
        device = "cuda" if torch.cuda.is_available() else "cpu"
        arch, reason = choose_arch(options.pretrained, device)
        self.say(f"Architecture {arch}: {reason}; --arch names another, `fastclf archs` lists some.")
        return arch

    def _build(self) -> None:
        options, plan = self.options, self.plan
        resize = options.resize or (self.source.resize if self.source else "squish")
        learned = options.pretrained or self.source is not None
        dls: DataLoaders = build_dls(
            self.data,
            plan.size,
            resize=resize,
            augment=options.augment,
            pretrained=learned,
            batch_size=plan.batch_size,
            seed=options.seed,
            workers=options.workers,
        )
        if self.source:
            self.learn, self.knows_classes = build_continued(
                dls, self.data, self.source, seed=options.seed, say=self.say
            )
            return
        self.learn = build_learner(
            dls, plan.arch, pretrained=options.pretrained, weights=options.weights, seed=options.seed
        )

    def _plan_phases(self) -> list[Phase]:
        learned = self.options.pretrained or self.source is not None
        lr = self.options.lr
        if lr == FIND_LR:
            self.learn.freeze() if learned else self.learn.unfreeze()
            lr = self.found_lr = find_lr(self.learn)
            self.say(f"The learning rate finder suggests {lr:.1e}.")
        elif lr is None:
            lr = scale_lr(LR_PRETRAINED if learned else LR_FROM_SCRATCH, self.plan.batch_size)
        head_epochs = 0 if self.knows_classes else 1
        return plan_phases(self.plan.epochs, pretrained=learned, lr=float(lr), head_epochs=head_epochs)

    def _fit_head(self) -> None:
        if self.team.size > 1:
            self.say(
                f"Mode {HEAD}: one process does it, and the other {self.team.size - 1} have nothing to do."
            )
        self.say("Computing features, then fitting the head ...")
        own = self.source is not None and not self.source.is_general
        self.head, rows = train_head(
            self.learn, self.data, seed=self.options.seed, own_features=own, progress=self.progress
        )
        self.fitted = Fitted(rows, best_epoch=1)
        tried = f", the best of {len(self.head.table)} in {self.head.folds} folds" if self.head.table else ""
        self.say(f"Fitted the head with C = {self.head.C:g}{tried}.")

    def _tell_fit(self) -> None:
        fitted, limit = self.fitted, self.options.time_limit
        if fitted.best_epoch is None and not fitted.epochs:
            raise UsageProblem(
                f"The time limit of {limit or 0:.0f} s was over before the first epoch, so there is no "
                "model. Give more time, a smaller --size, another --arch or --mode head."
            )
        if fitted.best_epoch is None:
            raise UsageProblem(
                "The training went astray: no epoch had a finite loss. Give a lower --lr, or --lr find."
            )
        if fitted.ended_by == "patience":
            self.say("Ended early: the last epochs brought nothing better.")
        if fitted.best_epoch == 0:
            self.say("No epoch was better than the model that it began with, so that one is kept.")
        elif fitted.best_epoch < len(fitted.epochs):
            self.say(f"The model is that of epoch {fitted.best_epoch}, the best of {len(fitted.epochs)}.")

    def _list_facts(self) -> dict[str, Any]:
        """Return what decides the result; a time limit only decides how far the run gets."""
        options = {**asdict(self.options), "time_limit": bool(self.options.time_limit)}
        for passing in ("restart", "title", "track"):
            del options[passing]
        frame = self.data.frame[["sha256", "label", "split"]]
        return {
            "options": options,
            "plan": None if self.options.time_limit else asdict(self.plan),
            "photos": frame.to_numpy().tolist(),
            "weights": hash_file(Path(self.options.weights)) if self.options.weights else None,
            "from": self.source.facts if self.source else None,
            "versions": [torch.__version__, fastai.__version__, timm.__version__],
        }


def _check_places(folder: Path, out: Path) -> None:
    """Refuse a model's folder that would be taken for a class, or that cannot be written."""
    target = out.resolve()
    if folder.resolve() in target.parents or target == folder.resolve():
        raise UsageProblem(f"{out} lies inside the photos' folder {folder}. Name another folder with --out.")
    check_target(target)


def _tell_photos(data: TrainingData, say: Callable[[str], None]) -> None:
    counts = data.frame["split"].value_counts().to_dict()
    parts = ", ".join(f"{counts.get(split, 0)} {split}" for split in ("train", "valid", "test"))
    say(f"{len(data.frame)} photos of {len(data.vocab)} classes: {parts} (sealed).")
    for file, reason in data.photos.failures[:20]:
        say(f"Left out: {file} {reason}.")
    if len(data.photos.failures) > 20:
        say(f"... and {len(data.photos.failures) - 20} more files that cannot be read.")
    for note in data.notes:
        say(note)
    if data.removed:
        say(f"Left out: {data.removed} photos that edits took out.")
    if data.leaks:
        say(f"Left out: {data.leaks} photos that nearly agree with photos of another split.")
    if data.conflicts:
        say(f"Left out: {data.conflicts} photos that lie in two class folders with the same pixels.")
    if data.lost_classes:
        say(f"Attention: no photo is left of {', '.join(data.lost_classes)}; the model will not know them.")
