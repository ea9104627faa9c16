"""Features of photos from a bundle's network, computed once and cached by content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .bundle import ModelBundle
from .errors import UnreadablePhotoError
from .features import FeatureCache
from .images import MAX_FOLDER_BYTES, decode_photo
from .photos import Photo, Progress
from .predictor import Predictor

Array = npt.NDArray[Any]
Run = Callable[[Sequence[Image.Image]], Array]

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

    def run(images: Sequence[Image.Image]) -> Array:
        nonlocal predictor
        predictor = predictor or Predictor(bundle)
        return predictor.run(predictor.preprocess.batch(images))[1]

    fill_cache(cache, photos, run, progress)
    rows, _ = cache.stack([p.sha256 for p in photos])
    return rows


def fill_cache(
    cache: FeatureCache, photos: Sequence[Photo], run: Run, progress: Progress | None = None
) -> int:
    """Compute the features of the photos that the cache lacks; returns how many these are.

    Parameters
    ----------
    cache
        Where the features are kept.
    photos
        The photos; one that can no longer be read is passed over.
    run
        Returns the (N, D) features of N decoded RGB photos.
    progress
        Called with (done, all) of what has to be computed.
    """
    known = cache.load()
    todo = list({p.sha256: p for p in photos if p.sha256 not in known}.values())
    found: dict[str, Array] = {}
    for start in range(0, len(todo), _BATCH):
        found |= _run_batch(run, todo[start : start + _BATCH])
        done = min(start + _BATCH, len(todo))
        if len(found) >= _KEEP or done == len(todo):
            cache.add(found)
            found = {}
        if progress:
            progress(done, len(todo))
    return len(todo)


def compute_logits(features: Array, bundle: ModelBundle) -> Array:
    """Return (N, K) logits of (N, D) features by the bundle's head; NaN rows stay NaN."""
    weight, bias = bundle.head
    return np.asarray(features @ weight.T + bias)


def _run_batch(run: Run, photos: Sequence[Photo]) -> dict[str, Array]:
    images, hashes = [], []
    for photo in photos:
        try:
            images.append(decode_photo(photo.path, max_bytes=MAX_FOLDER_BYTES).image)
            hashes.append(photo.sha256)
        except UnreadablePhotoError:
            continue  # it vanished or changed since the scan; the next scan says so
    return dict(zip(hashes, run(images), strict=True)) if images else {}
