"""What a Learner does to a photo before its network sees it: resize, normalise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastai.vision.all import (
    CropPad,
    Learner,
    Normalize,
    RandomResizedCrop,
    Resize,
    ToTensor,
    imagenet_stats,
    noop,
)

from ...errors import ExportError
from ...model import Preprocess

_INTERPOLATION = {2: "bilinear", 3: "bicubic"}


def read_preprocess(learn: Learner) -> Preprocess:
    """Read from the Learner how a validation photo reaches its network, which takes one resize."""
    resize, cut = _find_resize(learn)
    width, height = (resize if cut is None else cut).size
    resized = resize.size[1], resize.size[0]
    if isinstance(resize, RandomResizedCrop):
        # what fastai adds around a validation photo's middle
        extra = math.ceil(max(resize.size) * resize.val_xtra / 8) * 8
        resized = height + extra, width + extra
    mode = _INTERPOLATION.get(int(resize.mode))
    if mode is None:
        raise ExportError(
            "{resize} resamples by {mode!r}; bilinear and bicubic are allowed.",
            resize=name_step(resize),
            mode=resize.mode,
        )
    mean, std = read_normalisation(learn)
    return Preprocess(
        input_size=(3, height, width),
        resize_to=resized,
        method=str(getattr(resize, "method", "squish")),  # type: ignore[arg-type]
        pad_mode=str(getattr(resize, "pad_mode", "reflection")),  # type: ignore[arg-type]
        interpolation=mode,
        mean=None if mean is None else tuple(mean),
        std=None if std is None else tuple(std),
    )


def _find_resize(learn: Learner) -> tuple[Resize | RandomResizedCrop, CropPad | None]:
    """Return what resizes a validation photo, and what cuts its middle out then."""
    dl = learn.dls.valid
    steps = [t for t in (*dl.after_item.fs, *dl.before_batch.fs) if t.split_idx != 0 and not _is_plain(t)]
    if len(steps) == 1 and isinstance(steps[0], Resize | RandomResizedCrop):
        return steps[0], None
    if [type(step) for step in steps] == [Resize, CropPad] and _fits_into(steps[1].size, steps[0].size):
        return steps[0], steps[1]
    raise ExportError(
        "{found} is done to each photo (item_tfms); what can be exported is one Resize or one "
        "RandomResizedCrop, with a size, or a Resize and a CropPad to less. What the training alone does "
        "(aug_transforms) does not matter.",
        found=", ".join(name_step(t) for t in steps) or "nothing",
    )


def _fits_into(inner: Sequence[int], outer: Sequence[int]) -> bool:
    return all(a <= b for a, b in zip(inner, outer, strict=True))


def read_normalisation(learn: Learner) -> tuple[list[float] | None, list[float] | None]:
    """Return (mean, std), three numbers each, that the Learner normalises with; None where it does not."""
    for transform in learn.dls.valid.after_batch.fs:
        if isinstance(transform, Normalize):
            return transform.mean.flatten().tolist(), transform.std.flatten().tolist()
    return None, None


def add_normalisation(
    learn: Learner, mean: Sequence[float] = imagenet_stats[0], std: Sequence[float] = imagenet_stats[1]
) -> None:
    """Normalise by these statistics (ImageNet's by default) where nothing normalises yet."""
    if not any(isinstance(t, Normalize) for t in learn.dls.valid.after_batch.fs):
        learn.dls.add_tfms([Normalize.from_stats(mean, std)], "after_batch")


def name_step(step: Any) -> str:
    """Return what a transform or a loss is called."""
    name = getattr(step, "_name", None) or getattr(step, "__name__", None) or type(step).__name__
    return str(name).rpartition(".")[2]


def _is_plain(step: Any) -> bool:
    return isinstance(step, ToTensor) or getattr(step, "_name", "") == noop.__name__
