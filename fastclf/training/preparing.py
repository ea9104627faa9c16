"""Before the first epoch: the photos, the plan, the Learner, and what an interrupted run left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import fastai
import timm
import torch
from fastai.vision.all import DataLoaders, Learner

from .. import __version__
from ..errors import UsageProblem
from ..model import choose_arch
from ..photos import Progress
from ..system import hash_file
from .continuing import Source, adopt_splits, build_continued, check_splits, open_source
from .data import TrainingData, build_dls, load_data
from .export import check_target
from .fit import CheckpointStore, check_tracker
from .network import build_learner, describe_licence, resolve_arch
from .options import TrainOptions
from .plan import Plan, make_plan
from .progress import tell_photos


@dataclass
class Preparation:
    """What a call of `train` decides and builds before the first epoch."""

    folder: Path
    out: Path
    options: TrainOptions
    started: float
    say: Callable[[str], None]
    progress: Progress | None
    source: Source | None = None
    knows_classes: bool = False
    data: TrainingData = field(init=False)
    plan: Plan = field(init=False)
    learn: Learner = field(init=False)
    store: CheckpointStore = field(init=False)

    def prepare(self) -> None:
        """Read the photos, decide what is open, and build the Learner."""
        options = self.options
        _check_places(self.folder, self.out)
        check_tracker(options.track)
        arch = self._choose_arch()
        resolve_arch(arch)
        if self.source:
            adopt_splits(self.source, self.folder, self.progress)
        self.data = load_data(
            self.folder, seed=options.seed, split_by=options.split_by, progress=self.progress
        )
        tell_photos(self.data, self.say)
        if self.source:
            check_splits(self.source, self.data)
        self.store = CheckpointStore(self.out, self._list_facts(arch))
        if options.restart:
            self.store.clear()
        self.plan = self._make_plan(arch)
        self._build()

    def _make_plan(self, arch: str) -> Plan:
        known = self.store.settled.get("plan")
        if known:  # measured once: an interrupted run does not go on with another size
            return Plan(**known)
        size = self.options.size or (self.source.size if self.source else None)
        plan = make_plan(self.data, self.options, arch, size, self.started, self.say)
        self.store.settled["plan"] = asdict(plan)
        return plan

    @property
    def licence(self) -> str:
        """The licence of the weights that the training began with."""
        if self.source:
            return str(self.source.bundle.manifest.get("licences", {}).get("weights", "not recorded"))
        file = Path(self.options.weights) if self.options.weights else None
        resolved = resolve_arch(self.plan.arch)
        return describe_licence(self.plan.arch, resolved, pretrained=self.options.pretrained, file=file)

    @property
    def resize(self) -> str:
        """How photos reach the network's size."""
        return self.options.resize or (self.source.resize if self.source else "squish")

    @property
    def augment(self) -> str:
        """What may happen to a training photo."""
        return self.options.augment or (self.source.augment if self.source else None) or "symmetric"

    @property
    def learned(self) -> bool:
        """Whether the body has learned something elsewhere."""
        return self.options.pretrained or self.source is not None

    @property
    def own_features(self) -> bool:
        """Whether the body has learned from these very photos already."""
        return self.source is not None and not self.source.is_general

    def _choose_arch(self) -> str:
        options = self.options
        if options.from_model is not None:
            self.source = open_source(options.from_model, options.arch)
            return self.source.arch
        if options.arch is not None:
            return options.arch
        device = "cuda" if torch.cuda.is_available() else "cpu"
        arch, reason = choose_arch(options.pretrained, device)
        self.say(f"Architecture {arch}: {reason} --arch names another, `fastclf archs` lists some.")
        return arch

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
        if self.source:
            self.learn, self.knows_classes = build_continued(
                dls, self.data, self.source, seed=options.seed, say=self.say
            )
            return
        self.learn = build_learner(
            dls, plan.arch, pretrained=options.pretrained, weights=options.weights, seed=options.seed
        )

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
            "from": self.source.facts if self.source else None,
            "versions": [__version__, torch.__version__, fastai.__version__, timm.__version__],
        }


def _check_places(folder: Path, out: Path) -> None:
    """Refuse a model's folder that would be taken for a class, or that cannot be written."""
    target = out.resolve()
    if folder.resolve() in target.parents or target == folder.resolve():
        raise UsageProblem(
            "{out} lies inside the photos' folder {folder}. Name another folder with --out.",
            out=out,
            folder=folder,
        )
    check_target(target)
