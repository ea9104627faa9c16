"""What a bundle says of its own answers: temperature, unfamiliarity and metrics, from logits and features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..metrics import compute_metrics, compute_softmax, fit_temperature
from ..model import MahalanobisDetector
from ..photos import MAX_FOLDER_BYTES, decode_photo, encode_jpeg, make_thumbnail

Array = npt.NDArray[Any]

_MAX_EXAMPLES = 6
_EXAMPLE_SIDE = 512


@dataclass(frozen=True)
class Answers:
    """A model's answers about the photos of one split.

    Attributes
    ----------
    logits
        (N, K) before temperature.
    features
        (N, D) pooled body output.
    targets
        (N,) indices of today's labels.
    """

    logits: Array
    features: Array
    targets: Array


def describe_answers(manifest: dict[str, Any], folder: Path, train: Answers, valid: Answers) -> None:
    """Fill in the manifest's temperature, unfamiliarity and metrics, and write `ood.npz`.

    Parameters
    ----------
    manifest
        Of the bundle that is being written; changed in place.
    folder
        The bundle's folder.
    train, valid
        The answers about training and validation photos.
    """
    vocab = manifest["vocab"]
    manifest["temperature"] = temperature = fit_temperature(valid.logits, valid.targets)
    detector = MahalanobisDetector.fit(train.features, valid.features, train.targets)
    detector.save(folder / "ood.npz")
    manifest["ood"] = detector.to_dict()
    for split, answers in (("valid", valid), ("train", train)):
        probs, raw = compute_softmax(answers.logits, temperature), compute_softmax(answers.logits)
        manifest["metrics"][split] = compute_metrics(probs, answers.targets, vocab, raw)


def write_examples(photos: Sequence[tuple[str, Path]], folder: Path) -> None:
    """Write a photo of each of the first classes, small and without metadata.

    Parameters
    ----------
    photos
        (label, path) of validation photos, in order; the first of a label is taken.
    folder
        Where they go; it is made.
    """
    folder.mkdir()
    first: dict[str, Path] = {}
    for label, path in photos:
        first.setdefault(label, path)
    for number, label in enumerate(sorted(first)[:_MAX_EXAMPLES], 1):
        image = make_thumbnail(decode_photo(first[label], max_bytes=MAX_FOLDER_BYTES).image, _EXAMPLE_SIDE)
        (folder / f"example-{number}.jpg").write_bytes(encode_jpeg(image, 90))
