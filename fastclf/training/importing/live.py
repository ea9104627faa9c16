"""A Learner in memory: the file that its owner would export, and the photos that it learned from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fastai.vision.all import Learner

from ...errors import LearnerError, describe_error
from ...evaluation import Answers
from ...model import PhotoRow, Predictor
from ...photos import MAX_FOLDER_BYTES, TRAIN, VALID
from ...system import hash_file

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LearnedPhoto:
    """A photo of the Learner's own DataLoaders: its file, the number of its class, "train" or "valid"."""

    path: Path
    target: int
    split: str


def export_live(learn: Learner, file: Path) -> None:
    """Write a Learner down as `learn.export` does; it stays as it was, whatever comes of it."""
    dls = learn.dls
    try:
        learn.export(file.absolute())
    except Exception as e:
        _logger.debug("the Learner could not be exported", exc_info=True)
        raise LearnerError(
            "This Learner cannot be exported ({reason}). Take off it what cannot be pickled, a callback that "
            "holds an open file for example, and try again.",
            reason=f"{type(e).__name__}: {describe_error(e)}",
        ) from e
    finally:
        learn.dls = dls


def find_learned(learn: Learner) -> list[LearnedPhoto]:
    """Return the photos of a Learner's DataLoaders that are files; an exported Learner has none."""
    return [
        LearnedPhoto(path, target, split)
        for split, data in zip((TRAIN, VALID), list(learn.dls.loaders), strict=False)
        for path, target in _list_files(data.dataset)
    ]


def list_rows(photos: Sequence[LearnedPhoto], vocab: Sequence[str]) -> list[PhotoRow]:
    """Return what a bundle keeps of the photos; a file that stands in both splits was learned from."""
    rows: dict[str, PhotoRow] = {}
    for photo in sorted(photos, key=lambda photo: photo.split == TRAIN):
        sha256 = hash_file(photo.path)
        rows[sha256] = PhotoRow(sha256, vocab[photo.target], sha256, photo.split)
    return list(rows.values())


def answer_learned(predictor: Predictor, photos: Sequence[LearnedPhoto]) -> Answers:
    """Return the bundle's answers about photos; one that fastclf cannot read is left out."""
    targets = {photo.path: photo.target for photo in photos}
    logits, features, found = [], [], []
    for batch in predictor.preprocess.read_batches(list(targets), max_bytes=MAX_FOLDER_BYTES):
        read = [(path, x) for path, x in batch if isinstance(x, np.ndarray)]
        if read:
            said, seen = predictor.run(np.stack([x for _, x in read]))
            logits.append(said)
            features.append(seen)
            found += [targets[Path(str(path))] for path, _ in read]
    width = len(predictor.bundle.vocab)
    return Answers(
        np.concatenate([np.zeros((0, width), np.float32), *logits]),
        np.concatenate(features) if features else np.zeros((0, 0), np.float32),
        np.array(found, np.int64),
    )


def _list_files(dataset: Any) -> Iterator[tuple[Path, int]]:
    lists: Any = getattr(dataset, "tls", ())
    for number in range(len(dataset) if lists else 0):
        file = _find_file(lists[0], number)
        if file is not None:
            yield file, int(lists[1][number])


def _find_file(items: Any, number: int) -> Path | None:
    """Follow an item on its way to a picture until it is a file: a ColReader finds it in a row."""
    try:
        item = items._get(number)
        for step in (None, *items.tfms.fs):
            item = item if step is None else step(item)
            if isinstance(item, str | Path) and Path(item).is_file():
                return Path(item)
    except Exception:  # whatever somebody's own function raises: the photo is not known then
        _logger.debug("an item of the Learner is no file", exc_info=True)
    return None
