"""Train all layers with fastai: planned, trained, exported."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fastai
import numpy.typing as npt
import timm
import torch
from fastai.vision.all import DataLoaders, Learner

from .. import __version__
from ..backbone import PACKAGED, find_packaged, open_packaged
from ..catalog import Dataset
from ..errors import UsageError
from ..head import describe_balance
from ..model import FeatureCache, ModelBundle
from ..photos import TRAIN, Progress
from ..system import hash_file
from .continuing import build_continued
from .data import build_dls
from .distributed import Team, join_team
from .export import export_bundle
from .failures import explained
from .fitting import (
    CheckpointStore,
    Fitted,
    Phase,
    build_tracker,
    compute_features,
    even_out_head,
    find_lr,
    fit,
    plan_phases,
    scale_lr,
    start_from_head,
)
from .network import build_learner, describe_weights
from .options import DEFAULT_RESIZE, FIND_LR, FINE_TUNE, RANDOM_CROP
from .plan import Plan, make_plan, reserve_time
from .request import Request


def fine_tune(run: Request) -> ModelBundle:
    """Train all layers of what `run` has chosen and read, and write the model."""
    training = FineTuning(run)
    with explained(training):
        training.prepare()
        training.fit()
        return training.export()


def compute_start(
    learn: Learner,
    data: Dataset,
    arch: str,
    size: int,
    resize: str,
    weights: str | None,
    progress: Progress | None = None,
) -> npt.NDArray[Any]:
    """Return (N, D) features of the training photos, which a head to begin with is fitted on.

    Those of the packaged network are the ones that a check and mode head have cached.
    """
    if arch != PACKAGED.arch or weights or find_packaged() is None:
        return compute_features(learn, data, TRAIN, progress)
    body = open_packaged(size, "squish" if resize == RANDOM_CROP else resize)
    return body.extract(FeatureCache(data.private, body.features_id), data.part(TRAIN), progress)


def follow() -> None:
    """Fit with the first process until it is done."""
    join_team().follow(fit)


# What the page shows, which decides no result.
_LOOK = ("title", "intro", "colour", "translations")


@dataclass
class FineTuning:
    """One training of all layers: planned, trained, described, exported."""

    run: Request
    starts_trained: bool = False
    plan: Plan = field(init=False)
    learn: Learner = field(init=False)
    store: CheckpointStore = field(init=False)
    lr: float | None = None
    patience: int | None = None
    fitted: Fitted = field(default_factory=Fitted)

    def __post_init__(self) -> None:
        self.options, self.data, self.say = self.run.options, self.run.data, self.run.say
        self.team: Team = self.run.team or Team()

    def prepare(self) -> None:
        """Decide what is open, and build the Learner."""
        self._warn_of_one_process()
        self.store = CheckpointStore(self.run.out, self._list_facts())
        if self.options.restart:
            self.store.clear()
        self.plan = self._make_plan()
        self._build()

    def fit(self) -> None:
        """Train all layers."""
        options, deadline = self.options, None
        if options.time_limit is not None:
            reserve = reserve_time(self.data, self.learn, self.plan.size)
            deadline = self.run.started + options.time_limit - reserve
        phases = self._plan_phases(deadline)
        self.patience = options.patience or max(5, -(-sum(p.epochs for p in phases) // 2))
        settings: dict[str, Any] = {
            "phases": phases, "seed": options.seed, "deadline": deadline, "patience": self.patience,
            "start_counts": self.starts_trained, "freeze_norm": self.run.learned,
        }  # fmt: skip
        self.team.share(self.learn, settings, self.say)
        tracked = build_tracker(options.track, self.run.out, self.describe())
        with contextlib.closing(tracked) as tracker:
            self.fitted = fit(
                self.learn, **settings, store=self.store, quiet=self.run.quiet, tracker=tracker, say=self.say,
                team=self.team,
            )  # fmt: skip
        self._check_fitted()
        targets = self.data.targets(TRAIN)
        if even_out_head(self.learn, targets, options.balance):
            self.say(describe_balance(targets, self.data.vocab))

    def export(self) -> ModelBundle:
        """Write the bundle, and forget what an interrupted run would need."""
        self.say("Writing the model and checking it against the trained one ...")
        bundle = export_bundle(
            self.learn,
            self.data,
            self.run.out,
            arch=self.plan.arch,
            title=self.options.title,
            intro=self.options.intro,
            colour=self.options.colour,
            translations=dict(self.options.translations),
            recipe=self.run.recipe,
            training=self.describe(),
            photo_licence=self.run.photo_licence,
            weight_licence=self._describe_licence(),
        )
        self.store.clear()
        return bundle

    def describe(self) -> dict[str, Any]:
        """Return the record of the training for the manifest."""
        options = self.options
        return {
            **asdict(self.plan),
            **self.run.describe_options(),
            "mode": FINE_TUNE,
            "epochs": self.fitted.epochs,
            "planned_epochs": self.plan.epochs,
            "resize": self.resize,
            "augment": self.augment,
            "lr": self.lr,
            "lr_found": options.lr == FIND_LR,
            "patience": self.patience,
            "workers": options.workers,
            "track": options.track,
            "best_epoch": self.fitted.best_epoch,
            "resumed_after": self.fitted.resumed_after,
            "ended_by": self.fitted.ended_by,
            "seconds": round(time.monotonic() - self.run.started, 1),
            "device": str(self.learn.dls.device),
            "processes": self.team.size,
            "versions": {"torch": torch.__version__, "fastai": fastai.__version__, "timm": timm.__version__},
        }

    @property
    def resize(self) -> str:
        """How photos reach the network's size."""
        return self.options.resize or (self.run.earlier.resize if self.run.earlier else DEFAULT_RESIZE)

    @property
    def augment(self) -> str:
        """What may happen to a training photo."""
        return self.run.augment or "symmetric"

    def _warn_of_one_process(self) -> None:
        on_cpu = os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ
        if on_cpu and self.team.size == 1:
            self.say(
                "accelerate started one process only: its --cpu needs MPI for more. "
                "`torchrun --nproc_per_node 2 -m fastclf train DIR` starts two on a CPU."
            )

    def _list_facts(self) -> dict[str, Any]:
        """Return what decides the result; a time limit only decides how far the run gets."""
        options = {**asdict(self.options), "time_limit": bool(self.options.time_limit)}
        for passing in (*_LOOK, "restart", "track", "weights", "from_model"):
            del options[passing]
        return {
            "options": options,
            "arch": self.run.arch,
            "photos": [[row.photo.sha256, row.photo.label, row.split] for row in self.data.rows],
            "weights": hash_file(Path(self.options.weights)) if self.options.weights else None,
            "from": self.run.earlier.facts if self.run.earlier else None,
            "versions": [__version__, torch.__version__, fastai.__version__, timm.__version__],
        }

    def _make_plan(self) -> Plan:
        known = self.store.settled.get("plan")
        if known:  # measured once: an interrupted run does not go on with another size
            return Plan(**known)
        size = self.options.size or (self.run.earlier.size if self.run.earlier else None)
        plan = make_plan(self.data, self.options, self.run.arch, size, self.run.started, self.say)
        self.store.settled["plan"] = asdict(plan)
        return plan

    def _build(self) -> None:
        options, plan = self.options, self.plan
        dls: DataLoaders = build_dls(
            self.data,
            plan.size,
            resize=self.resize,
            augment=self.augment,
            pretrained=self.run.learned,
            batch_size=plan.batch_size,
            seed=options.seed,
            workers=options.workers,
        )
        if self.run.earlier:
            self.learn, self.starts_trained = build_continued(
                dls, self.data, self.run.earlier, seed=options.seed, say=self.say
            )
            return
        self.learn = build_learner(
            dls, plan.arch, pretrained=options.pretrained, weights=options.weights, seed=options.seed
        )
        if options.pretrained:
            self._fit_head()

    def _fit_head(self) -> None:
        """Give the Learner the head that mode head would: training all layers begins from there."""
        self.say("Fitting a head to begin with ...")
        plan, weights = self.plan, self.options.weights
        features = compute_start(
            self.learn, self.data, plan.arch, plan.size, self.resize, weights, self.run.progress
        )
        start_from_head(self.learn, self.data, features=features, seed=self.options.seed)
        self.starts_trained = True

    def _plan_phases(self, deadline: float | None) -> list[Phase]:
        asked = self.options.lr
        lr = self._find_lr(deadline) if asked == FIND_LR else asked
        if lr is None:
            lr = scale_lr(self.plan.batch_size, learned=self.run.learned)
        self.lr = float(lr)
        head_epochs = 0 if self.starts_trained else 1
        return plan_phases(self.plan.epochs, pretrained=self.run.learned, lr=self.lr, head_epochs=head_epochs)

    def _find_lr(self, deadline: float | None) -> float | None:
        settled = self.store.settled
        if "lr" not in settled:
            # a finder is not worth more than a quarter of the time that there is
            now = time.monotonic()
            until = None if deadline is None else now + max(deadline - now, 0) / 4
            self.learn.freeze() if self.run.learned else self.learn.unfreeze()
            settled["lr"] = find_lr(
                self.learn, seed=self.options.seed, deadline=until, freeze_norm=self.run.learned
            )
        found: float | None = settled["lr"]
        if found is None:
            self.say("The learning rate finder found none in time; the usual one is taken.")
        else:
            self.say(f"The learning rate finder suggests {found:.1e}.")
        return found

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
        if self.run.earlier:
            return self.run.earlier.bundle.manifest.licences.weights
        options = self.options
        return describe_weights(self.plan.arch, pretrained=options.pretrained, weights=options.weights)
