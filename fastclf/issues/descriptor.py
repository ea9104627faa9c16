"""A plain image descriptor, for photos that no model has looked at yet."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]

DESCRIPTOR_ID = "hog-layout-1"

# All chosen by hand, and measured on wrong labels planted in photos of hand signs and of clothing
# (benchmarks/README.md); the clip is the paper's.
# (side in pixels, cell in pixels, block in cells): small cells see fingers, large ones forgive a shift
_SCALES = ((48, 8, 3), (80, 16, 2))
_ORIENTATIONS = 12
_LAYOUT_SIDE = 6
_LAYOUT_WEIGHT = 0.35
_CLIP = 0.2

DESCRIPTOR_SIZE = (
    sum((side // cell - block + 1) ** 2 * block**2 * _ORIENTATIONS for side, cell, block in _SCALES)
    + _LAYOUT_SIDE**2 * 3
)


def compute_descriptor(image: Image.Image) -> Array:
    """Describe a photo by its edges' directions and the rough layout of its colours.

    Histograms of signed gradient directions at two scales (of the colour channel with the steepest
    gradient, shared linearly between neighbouring cells and directions, normalised over blocks of cells)
    stand beside a few colours; the photo is squished to a square first.

    Parameters
    ----------
    image
        An RGB photo; a thumbnail of up to 256 px holds all that is looked at.

    Returns
    -------
    numpy.ndarray
        (`DESCRIPTOR_SIZE`,) float32 of length 1. A photo of one colour has a layout and no edges.

    References
    ----------
    Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.
    """
    edges = [
        _unit(_compute_hog(*_steepest_gradient(image, side), cell, block)) for side, cell, block in _SCALES
    ]
    return _unit(np.concatenate([*edges, _LAYOUT_WEIGHT * _compute_layout(image)])).astype(np.float32)


def _steepest_gradient(image: Image.Image, side: int) -> tuple[Array, Array]:
    """Return (side, side) horizontal and vertical slope of the channel that changes most."""
    small = image.resize((side, side), Image.Resampling.BILINEAR)
    # the square root evens out dark and light parts of a photo
    values = np.sqrt(np.asarray(small, np.float32).transpose(2, 0, 1) / 255)
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge")
    gx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    gy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    steepest = (gx**2 + gy**2).argmax(0)[None]
    return np.take_along_axis(gx, steepest, 0)[0], np.take_along_axis(gy, steepest, 0)[0]


def _compute_hog(gx: Array, gy: Array, cell: int, block: int) -> Array:
    """Return the block-normalised histograms of gradient directions as one vector."""
    side = len(gx)
    magnitude = np.hypot(gx, gy)
    position = np.arctan2(gy, gx) % (2 * np.pi) / (2 * np.pi) * _ORIENTATIONS
    floor = np.floor(position)
    share = (position - floor).ravel()
    lower = floor.astype(np.intp).ravel() % _ORIENTATIONS
    pixels = np.arange(side * side)
    planes = np.zeros((_ORIENTATIONS, side * side), np.float32)
    planes[lower, pixels] = magnitude.ravel() * (1 - share)
    planes[(lower + 1) % _ORIENTATIONS, pixels] += magnitude.ravel() * share
    pool = _pooling(side, cell)
    cells = (pool @ planes.reshape(_ORIENTATIONS, side, side) @ pool.T).transpose(1, 2, 0)
    n = len(cells) - block + 1
    blocks = np.concatenate([cells[i : n + i, j : n + j] for i in range(block) for j in range(block)], -1)
    # what is weaker than a hundredth of the photo's own gradients is noise, not an edge
    floor_energy = (0.01 * float(magnitude.mean()) * cell**2) ** 2 + 1e-12
    blocks /= np.sqrt((blocks**2).sum(-1, keepdims=True) + floor_energy)
    blocks = np.minimum(blocks, _CLIP)
    blocks /= np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-6)
    return np.asarray(blocks.ravel())


@functools.cache
def _pooling(side: int, cell: int) -> Array:
    """Return (side // cell, side) weights that share a pixel linearly between the two nearest cells."""
    centres = (np.arange(side // cell) + 0.5)[:, None]
    weights = np.maximum(0, 1 - np.abs((np.arange(side) + 0.5) / cell - centres))
    return np.asarray(weights, np.float32)


def _compute_layout(image: Image.Image) -> Array:
    small = image.convert("YCbCr").resize((_LAYOUT_SIDE, _LAYOUT_SIDE), Image.Resampling.BOX)
    return _unit(np.asarray(small, np.float32).ravel() / 255 - 0.5)


def _unit(x: Array) -> Array:
    return np.asarray(x / max(float(np.linalg.norm(x)), 1e-9))
