"""Why a photo got a label: which places speak for it, without torch.

Two methods. *Class activation* [1]_ takes one run of a network that ends in maps, their mean and one linear
layer: the layer applied at each place gives a map whose mean is exactly the label's logit. *Occlusion* [2]_
covers one place after the other with a plain patch and sees how much of the label's odds is lost; it takes
some sixty runs, and any network. Class activation comes first: of four photos in one picture, its peak lies
in the right one for 88 % of the labels, that of occlusion for 68 % (``benchmarks/why.py``).

References
----------
.. [1] B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba: Learning Deep Features for Discriminative
   Localization. CVPR 2016, https://arxiv.org/abs/1512.04150
.. [2] M. D. Zeiler, R. Fergus: Visualizing and Understanding Convolutional Networks. ECCV 2014,
   https://arxiv.org/abs/1311.2901
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from ..errors import StoppedError, UsageError
from ..photos import Progress
from .predictor import Predictor

Array = npt.NDArray[Any]

ACTIVATION, OCCLUSION = "class activation", "occlusion"
# Fewer places a side than this tell nothing of where: each of them sees the whole photo. (At 64 px, resnet18
# has 2 x 2, whose map has nothing to do with what occlusion finds.)
_LEAST_PLACES = 4
# So many places on the shorter side are covered, each with a patch of twice their distance.
_PLACES, _PATCH = 8, 2.0
_BATCH = 8
# How far the map's mean may be from the logit, as a share of it, for the map to be called exact.
_TOLERANCE = 1e-3

# From little to much. Lightness grows along with it, so that the order shows without the colours.
_COLOURS = np.array([(90, 20, 160), (215, 50, 120), (255, 165, 40), (255, 240, 120)], np.float32)
# Shares of the strongest heat: what stays transparent, and where the lines stand.
_LEAST, _LINES = 0.2, (0.5, 0.8)
_MOST_ALPHA = 0.5
# What is marked is looked for on so many places a side; more than that share of the photo is no place.
_GRID, _EVERYWHERE = 30, 0.5
_DARK, _LIGHT = (20, 0, 40), (255, 255, 255)


@dataclass(frozen=True)
class Explanation:
    """Which places of a photo speak for a label.

    Attributes
    ----------
    label
        The class that it is about.
    method
        "class activation" or "occlusion".
    heat
        (h, w) over the part of the photo that the network sees, in [-1, 1]: above 0 speaks for the label,
        below 0 against it, and the strongest place has the magnitude 1. It keeps its sign because a place
        that speaks against a label is not the same as one that says nothing.
    box
        That part: left, top, right and bottom as shares of the photo's width and height. Below 0 or above 1
        where the network sees padding.
    """

    label: str
    method: str
    heat: npt.NDArray[np.float32]
    box: tuple[float, float, float, float]

    def spread(self, size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Return how strongly each place of the whole photo speaks for the label: a share of the strongest.

        Parameters
        ----------
        size
            Width and height in which the photo is shown.

        Returns
        -------
        array of float32
            (height, width) in [0, 1]; 0 where nothing speaks for the label and outside of what the network
            sees.

        Examples
        --------
        >>> seen = Explanation("cat", "occlusion", np.ones((2, 2), np.float32), (0.25, 0, 0.75, 1))
        >>> seen.spread((8, 1)).round().tolist()
        [[0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]]
        """
        width, height = size
        share = np.zeros((height, width), np.float32)
        most = float(self.heat.max())
        if most <= 0:
            return share
        left, right = (round(x * width) for x in (self.box[0], self.box[2]))
        top, bottom = (round(y * height) for y in (self.box[1], self.box[3]))
        positive = Image.fromarray(np.clip(self.heat / most, 0, 1).astype(np.float32))
        smooth = positive.resize((max(1, right - left), max(1, bottom - top)), Image.Resampling.BICUBIC)
        inner = np.asarray(smooth)[max(0, -top) : height - top, max(0, -left) : width - left]
        y, x = max(0, top), max(0, left)
        share[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
        return np.asarray(np.clip(share / max(1e-6, float(share.max())), 0, 1))

    def find_place(self) -> tuple[int, int] | None:
        """Return in which third of the photo, from the top and from the left, the middle of it lies.

        None where it is in no place: nothing speaks for the label, or most of the photo does.

        Examples
        --------
        >>> seen = Explanation("cat", "occlusion", np.eye(4, dtype=np.float32)[:, :1], (0, 0, 0.3, 1))
        >>> seen.find_place()
        (0, 0)
        """
        share = self.spread((_GRID, _GRID))
        strong = np.where(share >= _LINES[0], share, 0)
        if not strong.any() or (strong > 0).mean() > _EVERYWHERE:
            return None
        middle = (np.arange(_GRID) + 0.5) / _GRID
        row, column = ((strong.sum(axis) * middle).sum() / strong.sum() for axis in (1, 0))
        return min(2, int(3 * row)), min(2, int(3 * column))

    def render(self, size: tuple[int, int]) -> bytes:
        """Return what to lay over the photo, as a PNG that is read on light and dark and without seeing red.

        It is RGBA of `size`, the width and height of the photo as it is shown, and transparent where nothing
        speaks for the label.
        """
        share = self.spread(size)
        strength = np.clip((share - _LEAST) / (1 - _LEAST), 0, 1)
        pixels = np.dstack([_colour(strength), 255 * _MOST_ALPHA * np.minimum(1, 2.5 * strength)])
        width = max(1, round(min(size) / 150))
        for level in _LINES:
            _draw_line(pixels, share >= level, width)
        out = io.BytesIO()
        Image.fromarray(pixels.round().astype(np.uint8), "RGBA").save(out, "PNG", compress_level=6)
        return out.getvalue()


def explain_answer(
    predictor: Predictor,
    image: Image.Image,
    label: str | None = None,
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Explanation:
    """Say which places of a photo speak for a label.

    Parameters
    ----------
    predictor
        The model.
    image
        A decoded RGB photo.
    label
        One of the model's classes; by default its answer.
    progress
        Called with (runs so far, all runs) after each batch.
    stop
        Asked before each batch; True ends it.

    Returns
    -------
    Explanation
        A map of the part that the network sees.

    Raises
    ------
    UsageError
        If the model has no such class.
    StoppedError
        If `stop` ended it.
    BundleError
        If the model does not run.

    Examples
    --------
    >>> from fastclf import Predictor
    >>> from fastclf.photos import decode_photo
    >>> with Predictor("model") as predictor:
    ...     found = explain_answer(predictor, decode_photo("bear.jpg").image)
    >>> found.label, found.method
    ('grizzly', 'occlusion')
    """
    if label is not None and label not in predictor.vocab:
        raise UsageError(
            "The model has no class {label!r}; it knows {vocab}.",
            label=label,
            vocab=", ".join(predictor.vocab),
        )
    batch = predictor.preprocess.batch([image])
    logits = predictor.run(batch)[0]
    k = int(logits[0].argmax()) if label is None else predictor.vocab.index(label)
    heat, method = _find_activation(predictor, batch, k), ACTIVATION
    if heat is None:
        heat, method = _occlude(predictor, batch[0], k, progress, stop), OCCLUSION
    elif progress:
        progress(1, 1)
    box = predictor.preprocess.find_seen(image.size)
    return Explanation(predictor.vocab[k], method, _scale(heat), box)


def compute_activation(maps: Array, weight: Array, bias: Array) -> Array:
    """Apply a linear layer (K, D) at each place of maps (D, h, w), whose mean is the layer's input.

    The mean of the (K, h, w) that come out is the layer's answer, since both are linear.
    """
    return np.tensordot(weight, maps, axes=1) + bias[:, None, None]


def _find_activation(predictor: Predictor, batch: Array, k: int) -> Array | None:
    """Return the class activation of one photo, or None where the network has no map that tells places."""
    if predictor.map_size is None or min(predictor.map_size) < _LEAST_PLACES:
        return None
    logits, maps = predictor.run_maps(batch)
    weight, bias = predictor.bundle.head
    if maps.shape[1] != weight.shape[1]:
        return None
    activation = compute_activation(maps[0].astype(np.float64), weight, bias)
    allowed = _TOLERANCE * max(1.0, float(np.abs(logits).max()))
    if not np.abs(activation.mean((1, 2)) - logits[0]).max() <= allowed:
        return None
    # what speaks for all classes alike changes no answer
    return np.asarray(activation[k] - activation.mean(0))


def _occlude(
    predictor: Predictor, photo: Array, k: int, progress: Progress | None, stop: Callable[[], bool] | None
) -> Array:
    """Return how much of the log-odds of class `k` goes with each place.

    The patch has the photo's median colour, which mostly is the ground's. (On a bright ground, a grey one is
    an object of its own: with it, the map of a hand sign hardly told the hand from the ground.)
    """
    windows, shape = _list_windows(*photo.shape[1:])
    plain = np.median(photo, axis=(1, 2))[:, None, None]
    whole = _compute_log_odds(predictor, photo[None], k)[0]
    lost: list[float] = []
    remaining = iter(windows)
    while chunk := list(islice(remaining, _BATCH)):
        if stop and stop():
            raise StoppedError("The explanation was stopped.")
        covered = np.repeat(photo[None], len(chunk), axis=0)
        for row, (y, x) in zip(covered, chunk, strict=True):
            row[:, y, x] = plain
        lost.extend(whole - _compute_log_odds(predictor, covered, k))
        if progress:
            progress(len(lost), len(windows))
    return np.array(lost).reshape(shape)


def _list_windows(height: int, width: int) -> tuple[list[tuple[slice, slice]], tuple[int, int]]:
    """Return the rows and columns of each patch, and how many patches stand above and beside each other."""
    step = max(1.0, min(height, width) / _PLACES)
    rows, columns = (list(_list_spans(side, step)) for side in (height, width))
    return [(y, x) for y in rows for x in columns], (len(rows), len(columns))


def _list_spans(side: int, step: float) -> Iterator[slice]:
    n = max(1, min(round(side / step), 2 * _PLACES))
    for i in range(n):
        middle, half = (i + 0.5) * side / n, _PATCH * side / n / 2
        yield slice(max(0, round(middle - half)), min(side, round(middle + half)))


def _compute_log_odds(predictor: Predictor, batch: Array, k: int) -> Array:
    """Return the calibrated log-odds of class `k`, which still move where the probability is all but 1."""
    scaled = predictor.run(batch)[0].astype(np.float64) / predictor.bundle.temperature
    others = np.delete(scaled, k, axis=1)
    top = others.max(1)
    return np.asarray(scaled[:, k] - top - np.log(np.exp(others - top[:, None]).sum(1)))


def _scale(heat: Array) -> npt.NDArray[np.float32]:
    heat = np.nan_to_num(heat)
    strongest = float(np.abs(heat).max())
    return np.asarray(heat / strongest if strongest > 0 else heat, np.float32)


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
