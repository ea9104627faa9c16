"""A model's answers about photos as columns: what a shard holds, and what a batch of another engine gets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnreadablePhotoError
from ..metrics import compute_softmax, find_sets
from ..model import ModelBundle, Predictor, Preprocess
from ..photos import MAX_FOLDER_BYTES
from ..system import hash_bytes

Array = npt.NDArray[Any]
Read = bytes | UnreadablePhotoError
Columns = dict[str, list[Any]]

# Photos a run of the network, as `predict` takes them.
_BATCH = 4
# What tells unfamiliar photos goes over a matrix of megabytes at each call: it is asked about many at once.
_GROUP = 256
CLASS_PREFIX = "p_"
"""What the columns of the classes' probabilities begin with."""


def hash_model(bundle: ModelBundle) -> str:
    """Return the hash of all that a model's answers come of; its card, title and records may change."""
    manifest = bundle.manifest
    said: dict[str, Any] = {
        "files": {name: manifest.files.get(name) for name in ("model.onnx", "head.npz", "ood.npz")},
        "vocab": manifest.vocab,
        "preprocess": manifest.preprocess.to_dict(),
        "temperature": manifest.temperature,
        "sets": manifest.sets and manifest.sets.threshold,
        "unfamiliar": bundle.detector and bundle.detector.threshold_,
    }
    return hash_bytes(json.dumps(said, sort_keys=True).encode())


class Scorer:
    """An opened model that fills columns; one thread, since a machine's cores have a process each.

    Parameters
    ----------
    bundle
        The model.
    least_side
        As of `Preprocess`, where large JPEGs are decoded smaller than the model itself says.
    """

    def __init__(self, bundle: ModelBundle, least_side: int | None = None) -> None:
        self.predictor = Predictor(bundle, threads=1)
        self.sha256 = hash_model(bundle)
        self.preprocess: Preprocess = bundle.preprocess
        if least_side is not None:
            self.preprocess = replace(bundle.preprocess, least_side=least_side)
        self.vocab = self.predictor.vocab
        self._detector = bundle.detector  # a bundle reads it anew for whoever asks

    def score(self, photos: Iterable[Read]) -> Columns:
        """Return the columns of photos, given by their bytes or by why there are none, without their names.

        What cannot be read has `error` and nothing else but its hash and the model's.
        """
        columns: Columns = {name: [] for name in self.list_columns()}
        left = iter(photos)
        while rows := self._answer(islice(left, _GROUP)):
            for row in rows:
                for name, value in row.items():
                    columns[name].append(value)
        return columns

    def list_columns(self) -> list[str]:
        """Return the columns' names in order."""
        classes = [f"{CLASS_PREFIX}{label}" for label in self.vocab]
        return ["sha256", "label", "probability", *classes, "set", "unfamiliar", "score", "error", "model"]

    def _answer(self, photos: Iterable[Read]) -> list[dict[str, Any]]:
        rows, found = list[dict[str, Any]](), list[tuple[Array, Array]]()
        empty, left = {**dict.fromkeys(self.list_columns()), "model": self.sha256}, iter(photos)
        while chunk := list(islice(left, _BATCH)):
            decoded = [self._decode(photo) for photo in chunk]
            inputs = [image for image in decoded if not isinstance(image, UnreadablePhotoError)]
            if inputs:
                batch = np.empty((len(inputs), *inputs[0].shape), np.float32)
                found.append(self.predictor.run(np.stack(inputs, out=batch)))
            for photo, image in zip(chunk, decoded, strict=True):
                sha256 = None if isinstance(photo, UnreadablePhotoError) else hash_bytes(photo)
                fault = str(image.reason) if isinstance(image, UnreadablePhotoError) else None
                rows.append({**empty, "sha256": sha256, "error": fault})
        if found:
            logits, features = (np.concatenate(parts) for parts in zip(*found, strict=True))
            good = (row for row in rows if row["error"] is None)
            for row, answer in zip(good, self._describe(logits, features), strict=True):
                row.update(answer)
        return rows

    def _decode(self, photo: Read) -> Array | UnreadablePhotoError:
        if isinstance(photo, UnreadablePhotoError):
            return photo
        try:
            return self.preprocess(self.preprocess.decode(photo, max_bytes=MAX_FOLDER_BYTES).image)
        except UnreadablePhotoError as e:
            return e

    def _describe(self, logits: Array, features: Array) -> Iterator[dict[str, Any]]:
        bundle = self.predictor.bundle
        probs, sets = compute_softmax(logits, bundle.temperature), bundle.manifest.sets
        scores = self._detector.ood_score(features) if self._detector else None
        strange = self._detector.is_unfamiliar(scores) if self._detector and scores is not None else None
        for row, shares in enumerate(probs):
            order = np.argsort(-shares, kind="stable")
            answer: dict[str, Any] = {
                f"{CLASS_PREFIX}{label}": float(p) for label, p in zip(self.vocab, shares, strict=True)
            }
            answer |= {"label": self.vocab[order[0]], "probability": float(shares[order[0]])}
            if scores is not None and strange is not None:
                answer |= {"score": float(scores[row]), "unfamiliar": bool(strange[row])}
            # no promise of a set holds for a photo of something else
            if sets is not None and not answer.get("unfamiliar"):
                there = find_sets(shares, sets.threshold)
                answer["set"] = [self.vocab[k] for k in order if there[k]]
            yield answer
