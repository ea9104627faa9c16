"""How photos are brought to the network's size and varied for training, by fastai's transforms."""

from __future__ import annotations

from typing import Any

from fastai.vision.all import Normalize, RandomResizedCrop, Resize, aug_transforms, imagenet_stats

# What fastai may do to a training photo; `symmetric` fits photos, `upright` letters, digits and signs.
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "symmetric": {},
    "upright": {"do_flip": False, "max_rotate": 10.0, "max_zoom": 1.1, "max_warp": 0.1},
    "none": {},
}

RANDOM_CROP = "random-crop"


def build_item_tfms(size: int, resize: str) -> list[Any]:
    """Return what brings a photo to a square of `size` pixels, for training and for validation."""
    if resize == RANDOM_CROP:
        # RandomResizedCrop validates on a centre crop of its own; the second transform never sees
        # a training photo of another size, and makes validation what Preprocess does
        return [_train_only(RandomResizedCrop(size, min_scale=0.5)), Resize(size, method="squish")]
    return [Resize(size, method=resize)]


def _train_only(transform: Any) -> Any:
    transform.split_idx = 0
    return transform


def build_batch_tfms(size: int, augment: str, pretrained: bool) -> list[Any]:
    """Return the augmentation of a batch, and the normalisation where no network brings its own."""
    tfms = [] if augment == "none" else list(aug_transforms(**AUGMENTATIONS[augment]))
    return tfms if pretrained else [*tfms, Normalize.from_stats(*imagenet_stats)]
