"""fastai's DataLoaders of the photos, with the transforms that bring these to size and vary them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    ColSplitter,
    CropPad,
    DataBlock,
    DataLoaders,
    ImageBlock,
    Normalize,
    RandomResizedCrop,
    Resize,
    aug_transforms,
    imagenet_stats,
    set_seed,
)
from PIL import Image

from ...catalog import Dataset
from ...model import Preprocess
from ...photos import TEST, TRAIN, VALID, build_training_file
from ..options import AUGMENTATIONS, DEFAULT_RESIZE, RANDOM_CROP

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def build_dls(
    data: Dataset,
    size: int,
    *,
    resize: str = DEFAULT_RESIZE,
    augment: str = "symmetric",
    pretrained: bool = True,
    batch_size: int = 64,
    seed: int = 0,
    workers: int = 0,
) -> DataLoaders:
    """Build fastai's DataLoaders of the train and valid photos; the sealed test photos are not in them.

    Parameters
    ----------
    data
        From `load_dataset`.
    size
        Height and width of the network's input, in pixels.
    resize
        "published", "squish", "crop" or "pad"; "random-crop" trains on random crops and validates on squished
        photos.
    augment
        "symmetric" for photos, "upright" for letters, digits and signs, or "none".
    pretrained
        Whether the normalisation is left to the pretrained network's own, which `build_learner` adds.
    batch_size
        Photos a batch; fewer where there are fewer photos.
    seed
        For the order of the photos and the augmentation.
    workers
        Processes that decode photos; 0 is none but this one.
    """
    set_seed(seed, reproducible=True)
    train = data.part(TRAIN)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=data.vocab)),
        get_x=ColReader("file"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        item_tfms=_build_item_tfms(size, resize),
        batch_tfms=_build_batch_tfms(size, augment, pretrained),
    )
    frame = build_frame(data)
    frame = frame[frame["split"] != TEST].reset_index(drop=True)
    batch_size = max(2, min(batch_size, len(train) // 2))
    return block.dataloaders(frame, bs=batch_size, num_workers=workers, path=data.photos.folder)


def build_frame(data: Dataset) -> pd.DataFrame:
    """Return a row a photo, ordered by content hash.

    The columns are ``file`` (as fastai reads it), ``path`` (the photo itself), ``name`` (relative to the
    folder), ``label``, ``sha256``, ``group``, ``split`` and ``is_valid``.
    """
    rows = [
        {
            "file": str(build_training_file(row.photo, data.private)),
            "path": str(row.photo.path),
            "name": row.photo.name,
            "label": row.photo.label,
            "sha256": row.photo.sha256,
            "group": row.group,
            "split": row.split,
            "is_valid": row.split == VALID,
        }
        for row in data.rows
    ]
    return pd.DataFrame(rows)


def _build_item_tfms(size: int, resize: str) -> list[Any]:
    """Return what brings a photo to a square of `size` pixels, for training and for validation."""
    if resize == RANDOM_CROP:
        # RandomResizedCrop validates on a centre crop of its own; the second transform never sees
        # a training photo of another size, and makes validation what Preprocess does
        crop = RandomResizedCrop(size, min_scale=0.5)
        crop.split_idx = 0
        return [crop, Resize(size, method="squish")]
    return build_resize(size, resize)


def build_resize(size: int, resize: str) -> list[Any]:
    """Return fastai's transforms that do what `Preprocess.build` says."""
    return mirror_preprocess(Preprocess.build(size, resize))


def mirror_preprocess(preprocess: Preprocess) -> list[Any]:
    """Return fastai's transforms that do what a `Preprocess` does."""
    size = preprocess.input_size[1:]
    kinds = (_RESAMPLING[preprocess.interpolation], Image.Resampling.NEAREST)
    resize = Resize(preprocess.resize_to, preprocess.method, preprocess.pad_mode, resamples=kinds)
    if preprocess.resize_to == size:
        return [resize]
    cut = CropPad(size)
    cut.order = resize.order + 1  # fastai sorts by it, and would cut before it resizes
    return [resize, cut]


def _build_batch_tfms(size: int, augment: str, pretrained: bool) -> list[Any]:
    """Return the augmentation of a batch, and the normalisation where no network brings its own."""
    tfms = [] if augment == "none" else list(aug_transforms(**AUGMENTATIONS[augment]))
    return tfms if pretrained else [*tfms, Normalize.from_stats(*imagenet_stats)]
