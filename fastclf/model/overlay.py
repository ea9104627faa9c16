"""A heat map as a picture to lay over a photo: readable on light and dark, and without seeing red."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Array = npt.NDArray[Any]

# From little to much. Lightness grows along with it, so that the order shows without the colours.
_COLOURS = np.array([(90, 20, 160), (215, 50, 120), (255, 165, 40), (255, 240, 120)], np.float32)
# Shares of the strongest heat: what stays transparent, and where the lines stand.
_LEAST, _LINES = 0.2, (0.5, 0.8)
_MOST_ALPHA = 0.5
_DARK, _LIGHT = (20, 0, 40), (255, 255, 255)


def render_heat(heat: Array, box: tuple[float, float, float, float], size: tuple[int, int]) -> bytes:
    """Draw a heat map.

    Parameters
    ----------
    heat
        (h, w); what is above 0 is drawn, the more the larger, up to the largest.
    box
        Where it lies: left, top, right and bottom as shares of the picture.
    size
        Width and height of the picture.

    Returns
    -------
    bytes
        A PNG with transparency.
    """
    share = _spread(heat, box, size)
    strength = np.clip((share - _LEAST) / (1 - _LEAST), 0, 1)
    pixels = np.dstack([_colour(strength), 255 * _MOST_ALPHA * np.minimum(1, 2.5 * strength)])
    width = max(1, round(min(size) / 150))
    for level in _LINES:
        _draw_line(pixels, share >= level, width)
    out = io.BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8), "RGBA").save(out, "PNG", compress_level=6)
    return out.getvalue()


def _spread(heat: Array, box: tuple[float, float, float, float], size: tuple[int, int]) -> Array:
    """Return (height, width) of shares of the largest heat; 0 outside of the box and where heat is none."""
    width, height = size
    share = np.zeros((height, width), np.float32)
    most = float(heat.max())
    if most <= 0:
        return share
    left, right = (round(x * width) for x in (box[0], box[2]))
    top, bottom = (round(y * height) for y in (box[1], box[3]))
    positive = Image.fromarray(np.clip(heat / most, 0, 1).astype(np.float32))
    smooth = positive.resize((max(1, right - left), max(1, bottom - top)), Image.Resampling.BICUBIC)
    inner = np.asarray(smooth)[max(0, -top) : height - top, max(0, -left) : width - left]
    y, x = max(0, top), max(0, left)
    share[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    return np.asarray(np.clip(share / max(1e-6, float(share.max())), 0, 1))


def _colour(strength: Array) -> Array:
    places = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(strength, places, _COLOURS[:, c]) for c in range(3)], axis=-1)


def _draw_line(pixels: Array, inside: Array, width: int) -> None:
    """Draw the edge of an area, light within and dark without: one of them shows on any ground."""
    mask = Image.fromarray((255 * inside).astype(np.uint8))
    grown = np.asarray(mask.filter(ImageFilter.MaxFilter(2 * width + 1))) > 0
    shrunk = np.asarray(mask.filter(ImageFilter.MinFilter(2 * width + 1))) > 0
    for area, colour in ((grown & ~inside, _DARK), (inside & ~shrunk, _LIGHT)):
        pixels[area] = (*colour, 200)
