"""Photos, labels and losses out of whatever the cleaner is given; imports neither fastai nor torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import Message, UsageError
from ...photos import decode_photo, encode_jpeg, make_thumbnail
from ..widgets import encode_large, say_share
from .review import Decision, Reason, ReviewItem, ReviewStore

_SPLITS = {"training": "train", "validation": "valid", "val": "valid"}


@dataclass(frozen=True)
class PredictedPhotos:
    """N photos with a model's answers about K classes."""

    fns: list[Path]
    labels: npt.NDArray[np.int64]  # (N,) indices into `vocab`
    pred_probs: npt.NDArray[np.float64]  # (N, K)
    losses: npt.NDArray[np.float64]  # (N,) the higher, the more doubtful
    splits: list[str]  # N of "train", "valid", "test" or others
    vocab: list[str]


class PredictedStore(ReviewStore):
    """Photos with predictions as what the cleaner works on; nothing is ever stored."""

    def __init__(self, photos: PredictedPhotos) -> None:
        self.photos = photos
        self.vocab = photos.vocab

    def load_items(self) -> list[ReviewItem]:
        """Return all photos but those of a test set, in the source's order."""
        root = _find_root(self.photos.fns)
        answers = self.photos.pred_probs.argmax(axis=1)
        return [
            self._build_item(key, int(answers[key]), root)
            for key, split in enumerate(self.photos.splits)
            if split != "test"
        ]

    def read_thumbnail(self, key: int) -> bytes | None:
        """Decode one photo; raises UnreadablePhotoError with the reason."""
        return encode_jpeg(make_thumbnail(decode_photo(self.photos.fns[key]).image))

    def read_large(self, key: int) -> bytes | None:
        """Return one photo large; raises UnreadablePhotoError with the reason."""
        return encode_large(self.photos.fns[key])

    def apply(self, decisions: Sequence[Decision]) -> str:
        """Refuse: what becomes of the files is the caller's decision."""
        raise UsageError("This cleaner changes no file; use its delete() and change().")

    def _build_item(self, key: int, answer: int, root: Path) -> ReviewItem:
        photos, vocab = self.photos, self.vocab
        label, probs = int(photos.labels[key]), photos.pred_probs[key]
        reasons: tuple[Reason, ...] = ()
        if answer != label:
            share = say_share(float(probs[label]))
            text = Message("the model gives {label} {share}", label=vocab[label], share=share)
            reasons = (Reason("label", text, float(1 - probs[label]), suggested=vocab[answer]),)
        fn = photos.fns[key]
        return ReviewItem(
            key=key, fn=fn, name=os.path.relpath(fn, root), label=vocab[label], split=photos.splits[key],
            answer=vocab[answer], probability=float(probs[answer]), reasons=reasons,
        )  # fmt: skip


def _find_root(fns: list[Path]) -> Path:
    try:
        return Path(os.path.commonpath([fn.parent for fn in fns]))
    except ValueError:  # none at all, or relative and absolute ones mixed
        return Path()


def read_source(source: Any) -> PredictedPhotos:
    """Read a fastai Learner, or anything with `fns`, `labels` and `pred_probs`.

    Raises
    ------
    UsageError
        If it is neither, or its parts do not fit together.
    """
    if hasattr(source, "dls") and hasattr(source, "get_preds"):
        return _read_learner(source)
    missing = [name for name in ("fns", "labels", "pred_probs") if getattr(source, name, None) is None]
    if missing:
        raise UsageError(
            "A {kind} has no {missing}. Give a fastai Learner, or an "
            "object with fns (N paths), labels (N) and pred_probs (N x K).",
            kind=type(source).__name__,
            missing=" and no ".join(missing),
        )
    return _read_arrays(source)


def _read_arrays(source: Any) -> PredictedPhotos:
    fns = [Path(fn) for fn in source.fns]
    probs = np.asarray(source.pred_probs, dtype=np.float64)
    if probs.ndim != 2 or len(probs) != len(fns) or len(source.labels) != len(fns):
        raise UsageError(
            "There are {fns} fns, {labels} labels and pred_probs of shape {shape}; "
            "they must be N, N and N x K.",
            fns=len(fns),
            labels=len(source.labels),
            shape=probs.shape,
        )
    labels, vocab = _read_labels(list(source.labels), getattr(source, "vocab", None), probs.shape[1])
    given = getattr(source, "splits", None)
    splits = ["train"] * len(fns) if given is None else [_SPLITS.get(str(s), str(s)) for s in given]
    if len(splits) != len(fns):
        raise UsageError("There are {fns} fns, but {splits} splits.", fns=len(fns), splits=len(splits))
    with np.errstate(divide="ignore"):
        losses = -np.log(probs[np.arange(len(fns)), labels])
    return PredictedPhotos(
        fns=fns, labels=labels, pred_probs=probs, losses=_rankable(losses), splits=splits, vocab=vocab
    )


def _read_labels(labels: list[Any], vocab: Any, n: int) -> tuple[npt.NDArray[np.int64], list[str]]:
    named = any(isinstance(label, str) for label in labels)
    if vocab is None:
        vocab = sorted({str(label) for label in labels}) if named else [str(i) for i in range(n)]
    names = [str(label) for label in vocab]
    if len(names) != n:
        raise UsageError(
            "pred_probs have {columns} columns, but there are {classes} classes; "
            "give `vocab`, the columns' names.",
            columns=n,
            classes=len(names),
        )
    index = {name: i for i, name in enumerate(names)}
    try:
        found = [index[label] if isinstance(label, str) else int(label) for label in labels]
    except KeyError as e:
        raise UsageError(
            "The label {label!r} is not in vocab: {names}.", label=e.args[0], names=", ".join(names)
        ) from None
    if any(not 0 <= label < n for label in found):
        raise UsageError("A label lies outside 0 to {last}, the columns of pred_probs.", last=n - 1)
    return np.asarray(found, dtype=np.int64), names


def _read_learner(learn: Any) -> PredictedPhotos:
    vocab = learn.dls.vocab
    if not all(isinstance(name, str) for name in vocab):
        raise UsageError("The cleaner needs a Learner with one label a photo; this one's vocab is nested.")
    parts = [
        _predict(learn, ds_idx, split)
        for ds_idx, split in enumerate(("train", "valid")[: len(learn.dls.loaders)])
    ]
    return PredictedPhotos(
        fns=[fn for part in parts for fn in part.fns],
        labels=np.concatenate([part.labels for part in parts]),
        pred_probs=np.concatenate([part.pred_probs for part in parts]),
        losses=np.concatenate([part.losses for part in parts]),
        splits=[split for part in parts for split in part.splits],
        vocab=list(vocab),
    )


def _predict(learn: Any, ds_idx: int, split: str) -> PredictedPhotos:
    dataset = learn.dls[ds_idx].dataset
    if split == "valid":
        dl = learn.dls[ds_idx].new(shuffle=False, drop_last=False)
    else:
        # the training photos as the model sees a photo in use: without random crops and flips
        dl = learn.dls.test_dl(dataset.items, with_labels=True)
    with getattr(learn, "no_bar", nullcontext)():
        probs, targets, _, losses = learn.get_preds(dl=dl, with_loss=True, with_decoded=True)
    labels = np.asarray(targets).astype(np.int64)
    if labels.ndim != 1:
        raise UsageError("The cleaner needs a Learner with one label a photo; this one has several.")
    fns = list(_find_files(dataset))
    return PredictedPhotos(
        fns=fns, labels=labels, pred_probs=np.asarray(probs, dtype=np.float64),
        losses=_rankable(np.asarray(losses, dtype=np.float64)), splits=[split] * len(fns),
        vocab=list(learn.dls.vocab),
    )  # fmt: skip


def _find_files(dataset: Any) -> Iterator[Path]:
    """Yield the path behind every item; the rows of a table go through the dataset's own reader."""
    items = dataset.items
    rows: Sequence[Any] = [row for _, row in items.iterrows()] if hasattr(items, "iterrows") else items
    for row in rows:
        value = row
        for transform in [] if isinstance(value, (str, Path)) else dataset.tls[0].tfms.fs:
            value = transform(value)
            if isinstance(value, (str, Path)):
                break
        if not isinstance(value, (str, Path)):
            raise UsageError(
                "The cleaner needs photos that are files; this Learner's are {kind}.", kind=type(row).__name__
            )
        yield Path(value)


def _rankable(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # a loss that is no number is a doubt like no other
    return np.nan_to_num(losses, nan=np.inf, posinf=np.inf)
