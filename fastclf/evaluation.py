"""Judge a bundle on labelled photos, without torch; the sealed test set only when it is opened by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .bundle import ModelBundle
from .catalog import Catalog
from .errors import PhotosError
from .images import MAX_FOLDER_BYTES, decode_photo
from .metrics import compute_confusion, compute_metrics, compute_softmax
from .photos import Photo, PhotoSet, Progress
from .predictor import Predictor
from .splits import TEST, TRAIN, VALID

NEW = "new"
_BATCH = 16


@dataclass(frozen=True)
class Evaluation:
    """What judging found.

    Attributes
    ----------
    metrics
        By part: "valid", "new" (photos that the bundle never saw), and "test" if it was opened.
    confusion
        By part: (K, K) counts, a row a true class.
    vocab
        The classes, in the order of the counts.
    sealed
        How many photos of the folder belong to the test set and were not looked at.
    failures
        (file, reason) of what could not be judged.
    """

    metrics: dict[str, dict[str, Any]]
    confusion: dict[str, list[list[int]]]
    vocab: list[str]
    sealed: int
    failures: list[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        failures = [{"file": file, "reason": reason} for file, reason in self.failures]
        return {
            "vocab": self.vocab,
            "metrics": self.metrics,
            "confusion": self.confusion,
            "sealed": self.sealed,
            "failures": failures,
        }


def evaluate(
    bundle: ModelBundle,
    folder: str | Path,
    *,
    open_test_set: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a bundle on a folder of labelled photos, by their labels of today.

    Photos are recognised by content: validation photos are judged, photos that the bundle never saw too, its
    training photos are left out. Its test photos stay sealed unless they are opened; an opening is written
    into the bundle.

    Parameters
    ----------
    bundle
        The model.
    folder
        One sub-folder a class.
    open_test_set
        Whether to open the sealed test set.
    progress
        Called with (done, all) while photos are read.

    Raises
    ------
    PhotosError
        If the folder holds no photo to judge on.
    """
    with Catalog(folder) as catalog:
        catalog.scan(progress)
        scanned = catalog.photos()
        near = {(p.a, p.b) for p in catalog.find_near_pairs().pairs}
        parts = _sort_photos(bundle, scanned, near)
        failures = list(scanned.failures)
        failures += [
            (p.name, f"is labelled {p.label}, which the model does not know") for p in parts["foreign"]
        ]
        wanted = [part for part in (VALID, NEW, *([TEST] if open_test_set else [])) if parts[part]]
        if not wanted:
            raise PhotosError(
                f"{folder} holds no photo to judge on: {len(parts[TRAIN])} training photos, "
                f"{len(parts[TEST])} sealed test photos (--open-test-set opens them)."
            )
        metrics, confusion = {}, {}
        with Predictor(bundle) as predictor:
            for part in wanted:
                metrics[part], confusion[part] = _judge(predictor, parts[part])
        if TEST in metrics:
            _record_opening(bundle, catalog, parts[TEST], metrics[TEST])
    sealed = 0 if open_test_set else len(parts[TEST])
    return Evaluation(metrics, confusion, bundle.vocab, sealed, failures)


def _record_opening(
    bundle: ModelBundle, catalog: Catalog, photos: Sequence[Photo], metrics: dict[str, Any]
) -> None:
    """Record in the bundle and beside the photos that the test set was looked at."""
    name = catalog.folder.resolve().name
    bundle.record_opening({"folder": name, "metrics": metrics})
    model = f"{bundle.title} ({bundle.manifest['arch']}, {bundle.manifest['created']})"
    catalog.record_opening(
        model, [p.sha256 for p in photos], {"folder": name, "accuracy": metrics["accuracy"]}
    )


def _sort_photos(
    bundle: ModelBundle, scanned: PhotoSet, near: set[tuple[str, str]]
) -> dict[str, list[Photo]]:
    """Tell the photos apart by what the bundle did with them; a copy is what its original is."""
    known = {row.sha256: row.split for row in bundle.read_photos()}
    # sealed beside the photos is sealed, even where the bundle does not know the photo
    sealed = {p.sha256: TEST for p in scanned.photos if p.split == TEST}
    known = {**sealed, **known}
    for a, b in sorted((*near, *((b, a) for a, b in near))):
        if a in known and b not in known:
            known[b] = known[a]
    pixels = {p.pixel_hash: known[p.sha256] for p in scanned.photos if p.sha256 in known}
    parts: dict[str, list[Photo]] = {part: [] for part in (TRAIN, VALID, TEST, NEW, "foreign")}
    for photo in scanned.photos:
        split = known.get(photo.sha256) or pixels.get(photo.pixel_hash, NEW)
        parts[split if photo.label in bundle.vocab else "foreign"].append(photo)
    return parts


def _judge(predictor: Predictor, photos: Sequence[Photo]) -> tuple[dict[str, Any], list[list[int]]]:
    vocab = predictor.vocab
    targets = np.array([vocab.index(p.label) for p in photos])
    probs = _predict_probs(predictor, photos)
    confusion = compute_confusion(probs.argmax(1), targets, len(vocab))
    return compute_metrics(probs, targets, vocab), confusion.tolist()


def _predict_probs(predictor: Predictor, photos: Sequence[Photo]) -> npt.NDArray[Any]:
    rows = []
    for start in range(0, len(photos), _BATCH):
        images = [
            decode_photo(p.path, max_bytes=MAX_FOLDER_BYTES).image for p in photos[start : start + _BATCH]
        ]
        logits, _ = predictor.run(predictor.preprocess.batch(images))
        rows.append(compute_softmax(logits, predictor.bundle.temperature))
    return np.concatenate(rows)
