"""Test pictures, drawn: shades, shapes and noise in many sizes, to compare two models by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Array = npt.NDArray[Any]

# Width and height in pixels: landscape, upright, square, odd, long, small and large.
_SIZES = (
    (640, 480), (480, 640), (300, 300), (97, 131), (900, 200), (150, 601),
    (33, 40), (1280, 853), (224, 224), (256, 192), (501, 333), (1024, 1024),
)  # fmt: skip


def draw_test_pictures(folder: Path, seed: int = 0) -> list[Path]:
    """Write twelve pictures, PNG and JPEG by turns, and return their paths; equal seeds give equal ones."""
    paths = []
    for number, size in enumerate(_SIZES):
        image = _draw(np.random.default_rng([seed, number]), size, number % 3)
        path = folder / f"drawn-{number:02d}.{'jpg' if number % 2 else 'png'}"
        image.save(path, quality=92)
        paths.append(path)
    return paths


def _draw(rng: np.random.Generator, size: tuple[int, int], kind: int) -> Image.Image:
    pixels = _shade(rng, size)
    if kind == 2:
        pixels = pixels + rng.normal(0, 40, pixels.shape)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if kind == 1:
        _add_shapes(rng, image)
    return image


def _shade(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Return (H, W, 3) of a shade from one colour in a corner to another in the opposite one."""
    across = np.linspace(0, 1, size[0])[None, :, None]
    down = np.linspace(0, 1, size[1])[:, None, None]
    first, second = rng.uniform(0, 255, (2, 3))
    return np.asarray(first + (second - first) * (across + down) / 2)


def _add_shapes(rng: np.random.Generator, image: Image.Image) -> None:
    canvas = ImageDraw.Draw(image)
    for number in range(12):
        x, y = rng.uniform(0, image.width), rng.uniform(0, image.height)
        w, h = rng.uniform(0.05, 0.4, 2) * image.size
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        (canvas.ellipse if number % 2 else canvas.rectangle)((x, y, x + w, y + h), fill=colour)
