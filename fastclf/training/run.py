"""`train`: from a folder of photos to a bundle, in the time that there is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fastai
import timm
import torch

from ..bundle import ModelBundle
from ..errors import UsageProblem
from ..photos import Progress
from ..preprocess import METHODS
from ..splits import TRAIN, VALID
from .data import AUGMENTATIONS, TrainingData, build_dls, load_data
from .export import check_target, export_bundle
from .learner import build_learner, fit, measure_step, resolve_arch

_logger = logging.getLogger(__name__)

# Seconds kept for writing and checking the bundle, besides the time that judging the photos takes.
_EXPORT_SECONDS = 25.0
_SIZES = (224, 192, 160, 128, 96, 64)
_LEAST_EPOCHS = {True: 3, False: 6}


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes
    ----------
    arch
        A torchvision or timm name.
    size
        Height and width of the network's input in pixels; None chooses.
    resize
        "squish", "crop", "pad" or "random-crop".
    augment
        "symmetric" for photos, "upright" for letters, digits and signs, "none".
    epochs
        Epochs of all layers; None is 4 with pretrained weights, 15 without, more if a time limit allows.
    batch_size
        Photos a training step.
    lr
        Highest learning rate; None chooses.
    seed
        For weights, order and augmentation, and for splits that are not on record yet.
    split_by
        Where splits come from: None draws, "folder" or a CSV file; see `load_data`.
    time_limit
        Seconds from the start to the written bundle; None is no limit.
    pretrained
        Whether to start from ImageNet weights.
    title
        What the dashboard calls the model.
    """

    arch: str = "resnet18"
    size: int | None = None
    resize: str = "squish"
    augment: str = "symmetric"
    epochs: int | None = None
    batch_size: int = 64
    lr: float | None = None
    seed: int = 0
    split_by: str | None = None
    time_limit: float | None = None
    pretrained: bool = True
    title: str = ""

    def __post_init__(self) -> None:
        for name, allowed in (("resize", [*METHODS, "random-crop"]), ("augment", list(AUGMENTATIONS))):
            if getattr(self, name) not in allowed:
                raise UsageProblem(f"--{name} is {getattr(self, name)!r}; it can be {', '.join(allowed)}.")
        if self.size is not None and not 16 <= self.size <= 1024:
            raise UsageProblem(f"--size is {self.size}; it can be 16 to 1024 pixels.")
        if self.epochs is not None and self.epochs < 1:
            raise UsageProblem(f"--epochs is {self.epochs}; it must be 1 or more.")
        if self.time_limit is not None and self.time_limit < 60:
            raise UsageProblem(f"--time-limit is {self.time_limit:g} s; 60 s is the least.")


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
        Called with (done, all) while photos are read.
    quiet
        Whether to show no progress bar.

    Returns
    -------
    ModelBundle
        The written bundle, checked against the trained Learner.

    Raises
    ------
    PhotosError, UsageProblem, WeightsError, ExportError
        As their docstrings say.
    """
    started = time.monotonic() if started is None else started
    options = TrainOptions(**{**asdict(options or TrainOptions()), **changes})
    say = say or _logger.info
    _check_places(Path(folder), Path(out))
    resolve_arch(options.arch)
    data = load_data(folder, seed=options.seed, split_by=options.split_by, progress=progress)
    _tell_photos(data, say)
    size = options.size or _choose_size(data, options, started, say)
    dls = build_dls(
        data,
        size,
        resize=options.resize,
        augment=options.augment,
        pretrained=options.pretrained,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    learn = build_learner(dls, options.arch, pretrained=options.pretrained, seed=options.seed)
    deadline = (
        None if options.time_limit is None else started + options.time_limit - _reserve(data, learn, size)
    )
    epochs = options.epochs or _default_epochs(options)
    rows = fit(
        learn,
        epochs,
        pretrained=options.pretrained,
        lr=options.lr,
        seed=options.seed,
        deadline=deadline,
        quiet=quiet,
    )
    if not rows:
        raise UsageProblem(
            f"The time limit of {options.time_limit or 0:.0f} s was over before the first epoch, so "
            "there is no model. Give more time, a smaller --size or another --arch."
        )
    record = _record(options, size, rows, started, learn)
    say("Writing the model and checking it against the trained one ...")
    return export_bundle(
        learn,
        data,
        out,
        arch=options.arch,
        title=options.title,
        recipe=recipe,
        training=record,
        photo_licence=photo_licence,
    )


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


def _choose_size(
    data: TrainingData, options: TrainOptions, started: float, say: Callable[[str], None]
) -> int:
    """Return the smallest of 224, the photos' short side and what the time limit allows."""
    side = data.short_side
    size = 224 if side >= 224 else max(32, side // 32 * 32)
    reason = "what most networks learned at" if size == 224 else f"the photos' short side is {side} px"
    if options.time_limit is not None:
        usable = options.time_limit - (time.monotonic() - started) - _EXPORT_SECONDS
        per_epoch = usable / _LEAST_EPOCHS[options.pretrained]
        # the cost of a step grows with the photo's area, so one measurement does for all sizes
        epoch_of_a_pixel = measure_step(options.arch, size) * len(data.part(TRAIN)) / size**2
        while epoch_of_a_pixel * size**2 > per_epoch and size > _SIZES[-1]:
            size, reason = next(s for s in _SIZES if s < size), "what the time limit allows"
    say(f"Training at {size} x {size} px ({reason}); --size sets another.")
    return size


def _default_epochs(options: TrainOptions) -> int:
    if options.time_limit is not None:
        return 10 if options.pretrained else 30
    return 4 if options.pretrained else 15


def _reserve(data: TrainingData, learn: Any, size: int) -> float:
    """Return the seconds to keep for validation, judging and export, from a measured forward pass."""
    batch = torch.rand(16, 3, size, size, device=next(learn.model.parameters()).device)
    learn.model.eval()
    with torch.no_grad():
        learn.model(batch)
        before = time.perf_counter()
        learn.model(batch)
    each = (time.perf_counter() - before) / 16 + 0.003  # 3 ms: decoding and resizing
    judged = len(data.part(VALID)) + len(data.part(TRAIN))
    return _EXPORT_SECONDS + 1.5 * each * judged


def _record(
    options: TrainOptions, size: int, rows: list[dict[str, Any]], started: float, learn: Any
) -> dict[str, Any]:
    return {
        **asdict(options),
        "size": size,
        "mode": "fine-tune" if options.pretrained else "from-scratch",
        "epochs": rows,
        "seconds": round(time.monotonic() - started, 1),
        "device": str(next(learn.model.parameters()).device),
        "versions": {"torch": torch.__version__, "fastai": fastai.__version__, "timm": timm.__version__},
    }
