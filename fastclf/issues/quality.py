"""Photos that show little: dark, light, blurred, empty, grey among coloured ones, of an odd size or shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import Message
from ..photos import Photo
from .form import ABOUT_PHOTO, FindingForm, is_number, is_one_of
from .kinds import CheckedPhotos, Finding, IssueKind

Array = npt.NDArray[Any]

_SIDE = 128
# to order photos with several doubts; chosen by hand, not tuned
_SCORE = 0.45
FLAWS = {
    "dark": Message("dark"), "light": Message("light"), "blurred": Message("blurred"),
    "empty": Message("empty"), "grey": Message("grey"), "odd size": Message("odd size"),
    "odd shape": Message("odd shape"), "colours": Message("colour profile"),
}  # fmt: skip

# The limits were chosen by hand and measured on faults planted in photos of hand signs and of clothing
# (benchmarks/README.md); at a limit of 0.35 half of the blurred signs were missed.
# A photo is dark if even its brightest parts are, light if even its darkest parts are.
_DARK, _LIGHT = 0.30, 0.80
# Standard deviation of the grey levels (0 to 1) below which there is nothing to see.
_EMPTY = 0.02
# Share of the fine contrast that blurring takes away; a photo that is blurred already loses little. Where all
# photos are soft, a blurred one is softer than their median by a fifth; of a tiny one nothing can be said.
_BLURRED, _SOFTER, _LEAST_SIDE = 0.5, 0.8, 64
# Largest mean distance between the colour channels (0 to 1) of a photo that is grey for the eye.
_GREY = 0.012
# Grey is told only where at most this share of the photos is.
_GREY_SHARE = 0.2
# How many times smaller (in pixels), or longer for its width, than the folder's median.
_ODD_SIZE, _ODD_SHAPE = 8.0, 2.5


@dataclass(frozen=True)
class Quality:
    """What is measured on one photo; every value is in [0, 1].

    Attributes
    ----------
    bright
        The 99th percentile of the grey levels.
    dim
        The 5th percentile of the grey levels.
    contrast
        Standard deviation of the grey levels.
    sharpness
        Share of the local differences that a blur takes away (Crete et al., "The Blur Effect", 2007).
    colour
        Mean distance between the largest and the smallest channel.
    unknown_colours
        1 where the photo's colour profile cannot be read, else 0.
    black, white
        Which of a file's values became black and white where it has more than 8 bits; both 0 elsewhere.
    """

    bright: float
    dim: float
    contrast: float
    sharpness: float
    colour: float
    unknown_colours: float = 0.0
    black: float = 0.0
    white: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the fields as JSON values."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


class LowQuality(NamedTuple):
    """The position of a photo, a key of `FLAWS`, what was measured, and the limit that it is beyond."""

    row: int
    kind: str
    value: float
    threshold: float


def measure_quality(image: Image.Image) -> Quality:
    """Measure an RGB photo as a network would see it: scaled down to 128 pixels on the longer side."""
    scale = _SIDE / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BOX, reducing_gap=1.0)
    grey = image.convert("L")
    counts = np.array(grey.histogram(), np.float64)
    bright, dim = (float(np.searchsorted(counts.cumsum(), q * counts.sum())) / 255 for q in (0.99, 0.05))
    levels = np.arange(256) / 255
    mean = float(counts @ levels / counts.sum())
    contrast = float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))
    red, green, blue = (np.asarray(band) for band in image.split())
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    colour = float((most - least).mean()) / 255
    sharpness = _measure_sharpness(np.asarray(grey, np.float32))
    return Quality(bright, dim, contrast, sharpness, colour)


def find_low_quality(
    measures: Sequence[Quality], widths: Sequence[int], heights: Sequence[int]
) -> list[LowQuality]:
    """Find the photos that show little, or are unlike the others in size, shape or colour.

    Parameters
    ----------
    measures
        (N,) from `measure_quality`.
    widths, heights
        (N,) pixels.
    """
    if not measures:
        return []
    pixels = np.asarray(widths, float) * np.asarray(heights, float)
    shapes = np.asarray(widths, float) / np.asarray(heights, float)
    smaller = np.median(pixels) / pixels
    longer = np.maximum(shapes / np.median(shapes), np.median(shapes) / shapes)
    colour = _column(measures, "colour")
    empty = _column(measures, "contrast") < _EMPTY
    tiny = np.maximum(widths, heights) < _LEAST_SIDE
    sharpness = _column(measures, "sharpness")
    limit = min(_BLURRED, _SOFTER * float(np.median(sharpness)))
    found = [
        *_above("odd size", smaller, _ODD_SIZE),
        *_above("odd shape", longer, _ODD_SHAPE),
        *_below("empty", _column(measures, "contrast"), _EMPTY),
        *_below("dark", _column(measures, "bright"), _DARK),
        *_above("light", _column(measures, "dim"), _LIGHT),
        *(f for f in _below("blurred", sharpness, limit) if not empty[f.row] and not tiny[f.row]),
    ]
    if (colour < _GREY).mean() <= _GREY_SHARE:
        found += _below("grey", colour, _GREY)
    found += _above("colours", _column(measures, "unknown_colours"), 0.5)
    return sorted(found, key=lambda f: (f.row, list(FLAWS).index(f.kind)))


def _column(measures: Sequence[Quality], name: str) -> Array:
    return np.array([getattr(m, name) for m in measures])


def _above(kind: str, values: Array, threshold: float) -> list[LowQuality]:
    return [LowQuality(int(i), kind, float(values[i]), threshold) for i in np.flatnonzero(values > threshold)]


def _below(kind: str, values: Array, threshold: float) -> list[LowQuality]:
    return [LowQuality(int(i), kind, float(values[i]), threshold) for i in np.flatnonzero(values < threshold)]


def _measure_sharpness(grey: Array) -> float:
    """Return the larger of the losses along the two axes; 0 where there is no difference to lose."""
    return max(_measure_loss(grey), _measure_loss(np.ascontiguousarray(grey.T)))


def _measure_loss(grey: Array, reach: int = 4) -> float:
    width, last = 2 * reach + 1, len(grey) - 1
    if last < width:
        return 1.0  # too few pixels to tell
    sharp = np.abs(grey[1:] - grey[:-1])
    # the mean over a line's `width` pixels changes from one to the next by its two ends alone
    place = np.arange(1, len(grey))
    ahead, behind = grey[np.minimum(place + reach, last)], grey[np.maximum(place - reach - 1, 0)]
    lost = np.maximum(0, sharp - np.abs(ahead - behind) / width)
    total = float(sharp.sum())
    return float(lost.sum()) / total if total > 1e-3 else 0.0


def _find(checked: CheckedPhotos) -> list[Finding]:
    known = [p for p in checked.photos if p.sha256 in checked.measures]
    found = find_low_quality(
        [checked.measures[p.sha256] for p in known], [p.width for p in known], [p.height for p in known]
    )
    return [_make_finding(known[f.row], f) for f in found]


def _make_finding(photo: Photo, found: LowQuality) -> Finding:
    facts = {"kind": found.kind, "value": found.value, "threshold": found.threshold}
    if found.kind == "colours":
        words = Message("its colour profile cannot be read, so its colours are taken as sRGB")
        return Finding.of_photo(photo, _SCORE, words, **facts)
    value, limit = f"{found.value:.2f}", f"{found.threshold:.2f}"
    words = Message("{kind} ({value}, limit {limit})", kind=FLAWS[found.kind], value=value, limit=limit)
    return Finding.of_photo(photo, _SCORE, words, **facts)


_FORM = FindingForm(ABOUT_PHOTO, {"kind": is_one_of(*FLAWS), "value": is_number, "threshold": is_number})
KINDS = (
    IssueKind(
        key="quality", table="low_quality", title=Message("Poor quality"), badge=Message("Quality"), order=60,
        find=_find, form=_FORM,
    ),
)  # fmt: skip
