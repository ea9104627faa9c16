"""Features of photos from a bundle's network, computed once and cached by content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..photos import MAX_FOLDER_BYTES, Photo, Progress
from .bundle import ModelBundle
from .features import FeatureCache
from .preprocess import Preprocess

if TYPE_CHECKING:
    from .predictor import Predictor

Array = npt.NDArray[Any]
Run = Callable[[Array], Array]

# So many are kept in memory before they are written down.
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

    def run(batch: Array) -> Array:
        nonlocal predictor
        if predictor is None:
            from .predictor import Predictor  # ONNX Runtime, which cached features do without

            predictor = Predictor(bundle)
        return predictor.run(batch)[1]

    fill_cache(cache, photos, bundle.preprocess, run, progress)
    rows, _ = cache.stack([p.sha256 for p in photos])
    return rows


def fill_cache(
    cache: FeatureCache,
    photos: Sequence[Photo],
    preprocess: Preprocess,
    run: Run,
    progress: Progress | None = None,
) -> int:
    """Compute the features of the photos that the cache lacks; returns how many these are.

    Parameters
    ----------
    cache
        Where the features are kept.
    photos
        The photos; one that can no longer be read is passed over.
    preprocess
        What makes a network's input of a decoded photo.
    run
        Returns (N, D) features of (N, 3, H, W) such inputs.
    progress
        Called with (done, all) of what has to be computed.
    """
    known = cache.load()
    todo = list({p.sha256: p for p in photos if p.sha256 not in known}.values())
    found: dict[str, Array] = {}
    hashes, done = iter([p.sha256 for p in todo]), 0
    for batch in preprocess.read_batches([p.path for p in todo], max_bytes=MAX_FOLDER_BYTES):
        named = zip(islice(hashes, len(batch)), batch, strict=True)
        # what is unreadable vanished or changed since the scan; the next scan says so
        inputs = {sha: x for sha, (_, x) in named if isinstance(x, np.ndarray)}
        if inputs:
            found |= dict(zip(inputs, run(np.stack(list(inputs.values()))), strict=True))
        done += len(batch)
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
