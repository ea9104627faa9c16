"""Features computed once: kept beside the photos, by the photos' content and by what computed them."""

from __future__ import annotations

import contextlib
import math
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..photos import MAX_FOLDER_BYTES, Photo, Progress, Source
from ..system import hash_bytes, write_atomic_with
from .bundle import ModelBundle
from .preprocess import Preprocess

if TYPE_CHECKING:
    from .predictor import Predictor

Array = npt.NDArray[Any]

# So many chunks of about one size become one: each vector is written a few times, however many there are.
_MERGED = 16
# So many are kept in memory before they are written down.
_KEEP = 256


class FeatureCache:
    """Feature vectors by the sha256 of the photo's file.

    A chunk is written under a temporary name and renamed, so a kill leaves whole chunks only, and two
    processes add chunks of their own.

    Parameters
    ----------
    private
        The private folder of a photo folder; the vectors go below ``features/`` in it.
    features_id
        Names the network (or descriptor) and the preprocessing.
    """

    def __init__(self, private: Path, features_id: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", features_id) or features_id.startswith("."):
            raise ValueError(f"{features_id!r} cannot name a folder of features.")
        self.folder = private / "features" / features_id
        self._vectors: dict[str, Array] | None = None

    def load(self) -> dict[str, Array]:
        """Return {sha256: (D,) float32} of all vectors; a damaged chunk is passed over."""
        if self._vectors is None:
            self._vectors = {}
            for chunk in self._chunks():
                self._vectors |= _read_chunk(chunk)
        return self._vectors

    def add(self, vectors: Mapping[str, Array]) -> None:
        """Keep more vectors; where they cannot be written, for as long as the process lives."""
        known = self.load()
        new = {sha: np.asarray(v, np.float32) for sha, v in vectors.items() if sha not in known}
        if not new:
            return
        known |= new
        # it is a cache: on a full disk they are there until the process ends
        with contextlib.suppress(OSError):
            self._store(new)

    def stack(self, hashes: Sequence[str]) -> tuple[Array, Array]:
        """Return (N, D) float32 vectors of contents, NaN where there is none, and (N,) where there is one."""
        known = self.load()
        there = np.array([sha in known for sha in hashes], bool)
        width = len(next(iter(known.values()))) if known else 0
        rows = np.full((len(hashes), width), np.nan, np.float32)
        for row, sha in zip(rows, hashes, strict=True):
            if sha in known:
                row[:] = known[sha]
        return rows, there

    def clear(self) -> None:
        """Forget all vectors of this kind."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._vectors = None

    def _store(self, new: Mapping[str, Array]) -> None:
        self._write(new)
        while chunks := self._find_mergeable():
            vectors = {sha: row for chunk in chunks for sha, row in _read_chunk(chunk).items()}
            merged = self._write(vectors) if vectors else None
            for chunk in chunks:
                if chunk != merged:
                    chunk.unlink(missing_ok=True)

    def _find_mergeable(self) -> list[Path]:
        """Return the chunks of about one size, where there are many of them."""
        sizes: dict[int, list[Path]] = defaultdict(list)
        for chunk in self._chunks():
            with contextlib.suppress(FileNotFoundError):  # another process merged it
                sizes[int(math.log(max(chunk.stat().st_size, 1), _MERGED))].append(chunk)
        return next((chunks for _, chunks in sorted(sizes.items()) if len(chunks) >= _MERGED), [])

    def _chunks(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))

    def _write(self, vectors: Mapping[str, Array]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        hashes = np.array(sorted(vectors))
        rows = np.stack([vectors[sha] for sha in hashes])
        name = hash_bytes("".join(hashes).encode())[:24]
        chunk = self.folder / f"{name}.npz"
        write_atomic_with(chunk, lambda f: np.savez(f, sha256=hashes, features=rows))
        return chunk


def _read_chunk(chunk: Path) -> dict[str, Array]:
    try:
        with np.load(chunk, allow_pickle=False) as arrays:
            hashes, rows = arrays["sha256"], arrays["features"]
    except Exception:  # noqa: BLE001 - it is a cache: whatever is wrong with it, it is computed again
        return {}
    if rows.ndim != 2 or len(hashes) != len(rows) or not np.isfinite(rows).all():
        return {}
    return dict(zip(map(str, hashes), rows, strict=True))


def extract_features(
    cache: FeatureCache,
    photos: Sequence[Photo],
    bundle: ModelBundle,
    *,
    predictor: Predictor | None = None,
    progress: Progress | None = None,
) -> Array:
    """Return the (N, D) float32 body features of photos, NaN for one that cannot be read any more.

    What the cache lacks is computed and added to it, by the `predictor` of this bundle, or by one that is
    opened then. `progress` is called with (done, all) of that.
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
    run: Callable[[Array], Array],
    progress: Progress | None = None,
) -> int:
    """Compute the features of the photos that the cache lacks; returns how many these are.

    `run` gives (N, D) features of (N, 3, H, W) inputs, which `preprocess` makes. A photo that can no longer
    be read is passed over. `progress` is called with (done, all) of what has to be computed.
    """
    known = cache.load()
    paths = {p.sha256: p.path for p in photos if p.sha256 not in known}
    hashes: dict[Source, str] = {path: sha for sha, path in paths.items()}
    found: dict[str, Array] = {}
    done = 0
    for batch in preprocess.read_batches(hashes, max_bytes=MAX_FOLDER_BYTES):
        # what is unreadable vanished or changed since the scan; the next scan says so
        inputs = {hashes[path]: x for path, x in batch if isinstance(x, np.ndarray)}
        if inputs:
            found |= dict(zip(inputs, run(np.stack(list(inputs.values()))), strict=True))
        done += len(batch)
        if len(found) >= _KEEP or done == len(hashes):
            cache.add(found)
            found = {}
        if progress:
            progress(done, len(hashes))
    return len(hashes)


def compute_logits(features: Array, bundle: ModelBundle) -> Array:
    """Return (N, K) logits of (N, D) features by the bundle's head; NaN rows stay NaN."""
    weight, bias = bundle.head
    return np.asarray(features @ weight.T + bias)
