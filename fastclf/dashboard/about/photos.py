"""The photos behind the confusion matrix: those that the model was judged on, with its answers."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...catalog import Catalog
from ...check import find_open_photos, find_sealed
from ...errors import Message
from ...metrics import compute_softmax
from ...model import FeatureCache, ModelBundle, PhotoRow, compute_logits, extract_features
from ...photos import VALID, Photo
from ..widgets import encode_large
from .model import CellPhoto, FoundPhotos, Tell

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Judged:
    """A validation photo of the bundle, and its file if that may be shown."""

    row: PhotoRow
    photo: Photo | None
    answer: str
    probability: float


class ValidationPhotos:
    """The photos that a model was judged on, as its `photos.csv` names them, found again in their folder.

    A photo counts under the label that it was judged by, whatever an edit said since; what belongs to a
    sealed test set is neither asked about nor shown.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._catalog: Catalog | None = None
        self._lock = threading.Lock()
        self._bundle: ModelBundle | None = None
        self._judged: list[_Judged] = []
        self._gone: Counter[str] = Counter()
        self._sealed: Counter[str] = Counter()
        self._hashes: dict[int, str] = {}
        self._paths: dict[int, Path] = {}

    def prepare(self, bundle: ModelBundle, tell: Tell) -> None:
        """Scan the folder and ask the model about its validation photos, as far as no cache knows.

        `tell` is called with words about the progress.

        Raises
        ------
        FastclfError
            If the folder, its catalog or the model cannot be used.
        """
        with self._lock:
            if self._bundle is bundle:
                return
            if self._catalog is None:
                self._catalog = Catalog(self.folder)
            catalog = self._catalog
            catalog.scan(lambda i, n: tell(_say_reading(i, n)) if i % 25 == 0 else None)
            pairs = self._match(catalog, bundle)
            cache = catalog.feature_cache(bundle.manifest.features_id)
            photos = [photo for _, photo in pairs if photo is not None]
            extract_features(cache, photos, bundle, progress=lambda i, n: tell(_say_asking(i, n)))
            self._judged = _answer(bundle, cache, pairs)
            self._hashes = {photo.id: photo.sha256 for photo in photos}
            self._paths = {photo.id: photo.path for photo in photos}
            self._bundle = bundle

    def find(self, label: str, answer: str) -> FoundPhotos:
        """Return the validation photos of a class, by `photos.csv`, that got an answer, the surest first."""
        with self._lock:
            inside = [j for j in self._judged if (j.row.label, j.answer) == (label, answer)]
            photos = [_describe(j, j.photo) for j in inside if j.photo is not None]
            photos.sort(key=lambda photo: (-photo.probability, photo.name))
            # the cache may know the answer on a photo whose file is gone
            gone = len(inside) - len(photos)
            unknown = self._gone[label] - sum(j.photo is None and j.row.label == label for j in self._judged)
            return FoundPhotos(tuple(photos), gone + unknown, self._sealed[label])

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return the JPEG of a validation photo, or None; of no other photo."""
        sha256 = self._hashes.get(key)
        return self._catalog.thumbnail(sha256) if self._catalog is not None and sha256 else None

    def read_large(self, key: int) -> bytes | None:
        """Return a validation photo to be looked at closely, or None; no other photo."""
        return encode_large(self._paths[key]) if key in self._paths else None

    def _match(self, catalog: Catalog, bundle: ModelBundle) -> list[tuple[PhotoRow, Photo | None]]:
        """Return each validation photo that may be asked about, with its file where there is one."""
        photos = catalog.photos(removed=True).photos
        opened = {p.id for p in find_open_photos(catalog, photos, find_sealed(bundle))}
        files: dict[str, list[Photo]] = defaultdict(list)
        for known in photos:
            files[known.sha256].append(known)
        self._gone, self._sealed = Counter(), Counter()
        pairs: list[tuple[PhotoRow, Photo | None]] = []
        for row in bundle.read_photos():
            if row.split != VALID:
                continue
            photo = _take(files[row.sha256], row.label)
            if photo is not None and photo.id not in opened:
                self._sealed[row.label] += 1
                continue
            self._gone[row.label] += photo is None
            pairs.append((row, photo))
        return pairs


def _say_reading(done: int, n: int) -> Message:
    return Message("Reading photo {done} of {n} ...", done=done, n=n)


def _say_asking(done: int, n: int) -> Message:
    return Message("Asking the model about photo {done} of {n} ...", done=done, n=n)


def _take(files: list[Photo], label: str) -> Photo | None:
    """Take a file with this content, one in the label's folder if there is one: copies count one by one."""
    if not files:
        return None
    return files.pop(next((i for i, file in enumerate(files) if file.folder_label == label), 0))


def _answer(
    bundle: ModelBundle, cache: FeatureCache, pairs: Sequence[tuple[PhotoRow, Photo | None]]
) -> list[_Judged]:
    """Return the answers; photos without features, whose files could not be read, are left out."""
    features, there = cache.stack([row.sha256 for row, _ in pairs])
    if not features.size:
        return []
    known = [pair for pair, has in zip(pairs, there, strict=True) if has]
    probs: Array = compute_softmax(compute_logits(features[there], bundle), bundle.temperature)
    return [
        _Judged(row, photo, bundle.vocab[int(p.argmax())], float(np.max(p)))
        for (row, photo), p in zip(known, probs, strict=True)
    ]


def _describe(judged: _Judged, photo: Photo) -> CellPhoto:
    today = photo.label if photo.label != judged.row.label else ""
    return CellPhoto(
        key=photo.id,
        name=photo.name,
        answer=judged.answer,
        probability=judged.probability,
        today=today,
        removed=photo.removed,
    )
