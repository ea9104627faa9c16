"""Whether large JPEGs may be decoded smaller: as a sample of the photos says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model import ModelBundle, Preprocess
from .place import PhotoPlace
from .scorer import Scorer

SAMPLE = 32
"""Photos that are looked at, evenly spaced over the list."""


def find_least_side(
    bundle: ModelBundle, place: PhotoPlace, names: Sequence[str], tolerance: float
) -> int | None:
    """Return the shorter side that decoded JPEGs keep, None for the model's own.

    It is what a frozen network of that size is shown, if no probability of the sample moves by more than the
    tolerance, and no answer to another class. A model that has a side of its own keeps it.
    """
    own = bundle.preprocess
    if not tolerance or own.least_side:
        return None
    side = Preprocess.build(max(own.resize_to), "squish").least_side
    read = [photo for name in names if isinstance(photo := place.read(name), bytes)]
    whole, smaller = (_predict(Scorer(bundle, least), read) for least in (None, side))
    same = len(whole) and np.abs(whole - smaller).max() <= tolerance
    return side if same and (whole.argmax(1) == smaller.argmax(1)).all() else None


def _predict(scorer: Scorer, photos: list[bytes]) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    columns = scorer.score(photos)
    classes = [columns[name] for name in columns if name.startswith("p_")]
    return np.array([row for row in zip(*classes, strict=True) if row[0] is not None], float)
