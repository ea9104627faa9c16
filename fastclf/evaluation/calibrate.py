"""What a new bundle says of its own answers: temperature, unfamiliarity and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..metrics import (
    SET_COVERAGE,
    Metrics,
    choose_temperature,
    compute_metrics,
    compute_softmax,
    find_set_threshold,
)
from ..model import JointDetector, LabelSets, MahalanobisDetector, Manifest, MetricsByPart, ModelBundle
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
        (N,) indices of current labels.
    """

    logits: Array
    features: Array
    targets: Array


def calibrate_bundle(manifest: Manifest, folder: Path, train: Answers, valid: Answers) -> Manifest:
    """Return the manifest with temperature, unfamiliarity, sets and metrics; writes `ood.npz`.

    `train` and `valid` are its answers about training and validation photos.
    """
    temperature = choose_temperature(valid.logits, valid.targets)
    detector = _fit_detector(ModelBundle(folder, manifest), train, valid)
    detector.save(folder / "ood.npz")
    sets = find_set_threshold(compute_softmax(valid.logits, temperature), valid.targets)

    def measure(answers: Answers) -> Metrics:
        probs, raw = compute_softmax(answers.logits, temperature), compute_softmax(answers.logits)
        return compute_metrics(probs, answers.targets, manifest.vocab, raw, set_threshold=sets)

    metrics = MetricsByPart(train=measure(train), valid=measure(valid))
    named = None
    if sets is not None:
        named = LabelSets(coverage=SET_COVERAGE, threshold=sets, n=len(valid.targets))
    return replace(manifest, temperature=temperature, ood=detector.describe(), sets=named, metrics=metrics)


def _fit_detector(bundle: ModelBundle, train: Answers, valid: Answers) -> MahalanobisDetector | JointDetector:
    """Return what tells unfamiliar photos: with the head's energy where the body never saw these labels."""
    head = bundle.manifest.training.head
    if head is None or head.own_features:
        return MahalanobisDetector.fit(train.features, valid.features, train.targets)
    return JointDetector.fit(train.features, valid.features, train.targets, bundle.head)


def write_examples(photos: Sequence[tuple[str, Path]], folder: Path) -> None:
    """Write a photo of each of the first classes, small and without metadata.

    Of (label, path) of validation photos, in order, the first of a label is taken.
    """
    folder.mkdir()
    first = dict(reversed(photos))
    for number, label in enumerate(sorted(first)[:_MAX_EXAMPLES], 1):
        image = make_thumbnail(decode_photo(first[label], max_bytes=MAX_FOLDER_BYTES).image, _EXAMPLE_SIDE)
        (folder / f"example-{number}.jpg").write_bytes(encode_jpeg(image, 90))
