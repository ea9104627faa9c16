"""fastai's DataLoaders of the photos, with the transforms that bring these to size and vary them."""

from __future__ import annotations

from typing import Any

from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    ColSplitter,
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

from ...photos import TEST, TRAIN
from .load import TrainingData

# What fastai may do to a training photo; `symmetric` fits photos, `upright` letters, digits and signs.
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "symmetric": {},
    "upright": {"do_flip": False, "max_rotate": 10.0, "max_zoom": 1.1, "max_warp": 0.1},
    "none": {},
}

RANDOM_CROP = "random-crop"


def build_dls(
    data: TrainingData,
    size: int,
    *,
    resize: str = "squish",
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
        What `load_data` returned.
    size
        Height and width of the network's input, in pixels.
    resize
        "squish", "crop" or "pad"; "random-crop" trains on random crops and validates on squished photos.
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
    frame = data.frame[data.frame["split"] != TEST].reset_index(drop=True)
    batch_size = max(2, min(batch_size, len(train) // 2))
    return block.dataloaders(frame, bs=batch_size, num_workers=workers, path=data.photos.folder)


def _build_item_tfms(size: int, resize: str) -> list[Any]:
    """Return what brings a photo to a square of `size` pixels, for training and for validation."""
    if resize == RANDOM_CROP:
        # RandomResizedCrop validates on a centre crop of its own; the second transform never sees
        # a training photo of another size, and makes validation what Preprocess does
        crop = RandomResizedCrop(size, min_scale=0.5)
        crop.split_idx = 0
        return [crop, Resize(size, method="squish")]
    return [Resize(size, method=resize)]


def _build_batch_tfms(size: int, augment: str, pretrained: bool) -> list[Any]:
    """Return the augmentation of a batch, and the normalisation where no network brings its own."""
    tfms = [] if augment == "none" else list(aug_transforms(**AUGMENTATIONS[augment]))
    return tfms if pretrained else [*tfms, Normalize.from_stats(*imagenet_stats)]
