"""Very many photos out of few: cuts of real ones, sheared, lit and coloured anew; most are no near copies."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from .harness import encode, find_photos, open_rgb

# of a source: larger than any cut has to be, and a few hundred kB in memory
_MOST_SIDE = 1024
_PART = 500


def write_altered(folders: Sequence[Path], dest: Path, n: int, side: int) -> Path:
    """Write `n` JPEG photos of `side` pixels under the classes of the folders; the number alone draws each.

    So the first thousand of many are the same as a thousand alone.
    """
    sources = [
        (f"{folder.name}-{path.parent.name}", path) for folder in folders for path in find_photos(folder)
    ]
    parts = [(sources, dest, range(start, min(start + _PART, n)), side) for start in range(0, n, _PART)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        pool.starmap(_write_part, parts, chunksize=1)
    return dest


_opened: dict[Path, Image.Image] = {}


def _write_part(sources: Sequence[tuple[str, Path]], dest: Path, numbers: Sequence[int], side: int) -> None:
    for number in numbers:
        rng = np.random.default_rng((side, number))
        label, path = sources[rng.integers(len(sources))]
        if path not in _opened:
            _opened[path] = open_rgb(path)
            _opened[path].thumbnail((_MOST_SIDE, _MOST_SIDE))
        target = dest / label / f"{number:06}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(_alter(_opened[path], side, rng), quality=int(rng.integers(70, 96))))


def _alter(image: Image.Image, side: int, rng: np.random.Generator) -> Image.Image:
    """Return a cut of a photo: sheared, perhaps mirrored, lit and coloured anew, with noise."""
    corners = tuple(_draw_corners(image.size, rng))
    shape = rng.uniform(0.7, 1.0)
    size = (side, round(side * shape)) if rng.random() < 0.5 else (round(side * shape), side)
    cut = image.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    cut = ImageOps.mirror(cut) if rng.random() < 0.5 else cut
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        cut = enhance(cut).enhance(rng.uniform(0.7, 1.4))
    # light from one side, which changes the coarse picture as another hour of the day does
    slope = np.add.outer(
        np.linspace(-1, 1, cut.height) * rng.normal(), np.linspace(-1, 1, cut.width) * rng.normal()
    )
    pixels = (
        np.asarray(cut, np.float32) + 30 * slope[..., None] + rng.normal(0, 3, (cut.height, cut.width, 1))
    )
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _draw_corners(size: tuple[int, int], rng: np.random.Generator) -> Iterator[float]:
    """Yield x and y of four corners of a cut: upper left, lower left, lower right, upper right."""
    width, height = (length * rng.uniform(0.3, 0.9) for length in size)
    left, top = rng.uniform(0, size[0] - width), rng.uniform(0, size[1] - height)
    for right, down in ((0, 0), (0, 1), (1, 1), (1, 0)):
        yield left + width * (right + rng.uniform(-0.1, 0.1))
        yield top + height * (down + rng.uniform(-0.1, 0.1))
