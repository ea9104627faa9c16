"""Features of photos from a bundle's network, computed once and cached by content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .bundle import ModelBundle
from .errors import UnreadablePhotoError
from .features import FeatureCache
from .images import MAX_FOLDER_BYTES, decode_photo
from .photos import Photo, Progress
from .predictor import Predictor

Array = npt.NDArray[Any]

_BATCH = 16
_KEEP = 256


def extract_features(
    cache: FeatureCache,
    photos: Sequence[Photo],
    bundle: ModelBundle,
    *,
    predictor: Predictor | None = None,
    progress: Progress | None = None,
) -> Array:
    """Return the pooled body features of photos; those that are cached are not computed again.

    Parameters
    ----------
    cache
        Of the bundle's features; what is computed is added to it.
    photos
        (N,) photos.
    bundle
        The model.
    predictor
        An open one of this bundle; by default one is opened if something has to be computed.
    progress
        Called with (done, all) of what has to be computed.

    Returns
    -------
    numpy.ndarray
        (N, D) float32; NaN rows for photos that could not be read any more.
    """
    known = cache.load()
    todo = list({p.sha256: p for p in photos if p.sha256 not in known}.values())
    if todo:
        predictor = predictor or Predictor(bundle)
        for start in range(0, len(todo), _KEEP):
            found: dict[str, Array] = {}
            for first in range(start, min(start + _KEEP, len(todo)), _BATCH):
                found |= _extract_batch(predictor, todo[first : min(first + _BATCH, start + _KEEP)])
                if progress:
                    progress(min(first + _BATCH, len(todo)), len(todo))
            cache.add(found)
    rows, _ = cache.stack([p.sha256 for p in photos])
    return rows


def compute_logits(features: Array, bundle: ModelBundle) -> Array:
    """Return (N, K) logits of (N, D) features by the bundle's head; NaN rows stay NaN."""
    weight, bias = bundle.head
    return np.asarray(features @ weight.T + bias)


def _extract_batch(predictor: Predictor, photos: Sequence[Photo]) -> dict[str, Array]:
    images, hashes = [], []
    for photo in photos:
        try:
            images.append(decode_photo(photo.path, max_bytes=MAX_FOLDER_BYTES).image)
            hashes.append(photo.sha256)
        except UnreadablePhotoError:
            continue  # it vanished or changed since the scan; the next scan says so
    if not images:
        return {}
    _, features = predictor.run(predictor.preprocess.batch(images))
    return dict(zip(hashes, features, strict=True))
