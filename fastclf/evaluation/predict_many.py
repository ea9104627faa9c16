"""A model's answers about many files: probabilities and unfamiliarity, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import compute_softmax
from ..model import Predictor
from ..photos import MAX_FOLDER_BYTES, Progress

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FileAnswers:
    """What a model says of N files that could be read, and (row, reason) of the others.

    `rows` are the places of the N among all; `probs` and `raw` are (N, K), with temperature scaling and
    without; `scores` are (N,) unfamiliarity, None where the model has nothing that tells it.
    """

    rows: list[int]
    probs: Array
    raw: Array
    scores: Array | None
    failures: list[tuple[int, str]]


def predict_files(
    predictor: Predictor, paths: Sequence[Path], progress: Progress | None = None
) -> FileAnswers:
    """Answer about files; what cannot be read is reported and the rest go on."""
    errors, logits, features = [], [np.empty((0, len(predictor.vocab)))], []
    for photos, *found in predictor.run_files(paths, max_bytes=MAX_FOLDER_BYTES):
        errors += [error for _, error in photos]
        logits.append(found[0])
        features.append(found[1])
        if progress:
            progress(len(errors), len(paths))
    detector, stacked = predictor.bundle.detector, np.concatenate(logits)
    scores = None if detector is None else np.empty(0)
    if detector is not None and len(stacked):
        scores = detector.ood_score(np.concatenate(features))
    return FileAnswers(
        rows=[row for row, error in enumerate(errors) if error is None],
        probs=compute_softmax(stacked, predictor.bundle.temperature),
        raw=compute_softmax(stacked),
        scores=scores,
        failures=[(row, error.reason) for row, error in enumerate(errors) if error is not None],
    )
