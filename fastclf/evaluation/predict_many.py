"""A model's answers about many files: probabilities and unfamiliarity, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnreadablePhotoError
from ..metrics import compute_softmax
from ..model import Predictor
from ..photos import MAX_FOLDER_BYTES, Progress, decode_photo

Array = npt.NDArray[Any]

_BATCH = 16


@dataclass(frozen=True)
class Asked:
    """What a model said of the files that could be read.

    Attributes
    ----------
    rows
        (N,) which of the files these are.
    probs, raw
        (N, K) probabilities with temperature scaling and without.
    scores
        (N,) unfamiliarity; None where the model has nothing that tells it.
    failures
        (row, reason) of the other files.
    """

    rows: list[int]
    probs: Array
    raw: Array
    scores: Array | None
    failures: list[tuple[int, str]]


def ask(predictor: Predictor, paths: Sequence[Path], progress: Progress | None = None) -> Asked:
    """Ask a model about files; what cannot be read is reported and the rest go on.

    Parameters
    ----------
    predictor
        The model, open.
    paths
        The files.
    progress
        Called with (done, all).
    """
    rows: list[int] = []
    failures: list[tuple[int, str]] = []
    logits, features = [np.empty((0, len(predictor.vocab)))], []
    for start in range(0, len(paths), _BATCH):
        images = []
        for row, path in enumerate(paths[start : start + _BATCH], start):
            try:
                images.append(decode_photo(path, max_bytes=MAX_FOLDER_BYTES).image)
                rows.append(row)
            except UnreadablePhotoError as e:
                failures.append((row, e.reason))
        if images:
            batch = predictor.run(predictor.preprocess.batch(images))
            logits.append(batch[0])
            features.append(batch[1])
        if progress:
            progress(min(start + _BATCH, len(paths)), len(paths))
    stacked, detector = np.concatenate(logits), predictor.bundle.detector
    scores = None if detector is None else np.empty(0)
    if detector is not None and features:
        scores = detector.ood_score(np.concatenate(features))
    probs = compute_softmax(stacked, predictor.bundle.temperature)
    return Asked(rows, probs, compute_softmax(stacked), scores, failures)
