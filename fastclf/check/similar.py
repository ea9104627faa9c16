"""Which photos look most like one another, by the features that a check has left in the catalog's cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..catalog import Catalog
from ..photos import Photo
from .inputs import find_open_photos

Array = npt.NDArray[Any]


class SimilarPhotos:
    """Finds the photos of a catalog that look most like one of them, by the cosine of cached features.

    What is sealed for the test, on record or by the sha256 in `sealed`, is neither asked about nor found.
    """

    def __init__(self, catalog: Catalog, features_id: str, sealed: frozenset[str] = frozenset()) -> None:
        self._catalog, self._sealed = catalog, sealed
        self._cache = catalog.feature_cache(features_id)

    def find(self, known: Sequence[Photo], photo: int, n: int) -> list[int] | None:
        """Return the ids of the `n` of the known photos most like one, the nearest first.

        None where that one has no features. A removed photo is not found, but others are for it.
        """
        photos = find_open_photos(self._catalog, known, self._sealed)
        features, there = self._cache.stack([p.sha256 for p in photos])
        rows = [i for i, p in enumerate(photos) if there[i] and (not p.removed or p.id == photo)]
        at = next((k for k, i in enumerate(rows) if photos[i].id == photo), None)
        if at is None:
            return None
        likeness = _compute_likeness(features[rows], at)
        # the sort is stable, so that equally near ones keep their order
        order = np.argsort(-likeness, kind="stable")
        return [photos[rows[k]].id for k in order if k != at][:n]


def _compute_likeness(features: Array, at: int) -> Array:
    """Return (N,) cosines of all rows with one of them."""
    lengths = np.linalg.norm(features, axis=1)
    likeness: Array = (features @ features[at]) / np.maximum(lengths * lengths[at], np.finfo(np.float32).tiny)
    return likeness
