"""Folders of as many different photos as a measurement needs, made from a smaller labelled folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from planting import encode, find_photos, open_rgb


def build_folder(source: Path, dest: Path, n: int, *, side: int | None = None, seed: int = 0) -> Path:
    """Write `n` photos in class folders: those of `source`, then parts of them that are no duplicates.

    Parameters
    ----------
    source
        One sub-folder a class.
    dest
        Folder to make.
    n
        How many photos.
    side
        Longer side in pixels that all are scaled to; None leaves them.
    seed
        Of the order and of the parts.
    """
    rng = np.random.default_rng(seed)
    photos = find_photos(source)
    order = rng.permutation(len(photos))
    for number in range(n):
        path = photos[order[number % len(photos)]]
        target = dest / path.relative_to(source).parent / f"{number:05}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        if side is None and number < len(photos):
            shutil.copyfile(path, target)
            continue
        image = open_rgb(path)
        if number >= len(photos):
            image = _take_part(image, rng)
        if side is not None:
            image = ImageOps.contain(image, (side, side), Image.Resampling.BICUBIC)
        target.write_bytes(encode(image, quality=90))
    return dest


def _take_part(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Crop somewhere and perhaps mirror."""
    share = rng.uniform(0.6, 0.85)
    width, height = (max(8, round(length * share)) for length in image.size)
    x, y = rng.integers(0, image.width - width + 1), rng.integers(0, image.height - height + 1)
    part = image.crop((x, y, x + width, y + height))
    return ImageOps.mirror(part) if rng.random() < 0.5 else part
