"""A fitted head becomes a model: its graph, what it says of its own answers, and proof that both agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..card import write_bundle
from ..errors import RefitError
from ..evaluation import Answers, calibrate_bundle, write_examples
from ..model import MANIFEST, Manifest, ModelBundle, Parity, PhotoRow, Predictor, write_photos
from ..photos import MAX_FOLDER_BYTES, Photo
from ..system import replaced_folder
from .graph import attach_head
from .linear import LinearHead
from .outlook import add_outlook

Array = npt.NDArray[Any]

NO_LEARNER = "none; `fastclf export-pkl MODEL` writes one where fastai is installed"
"""What a manifest says of fastai's Learner where the head was fitted without fastai."""

_PARITY, _PARITY_PHOTOS = 1e-3, 4


@dataclass(frozen=True)
class SeenPhotos:
    """The N photos of one split that have features (N, D), and the names of their groups."""

    photos: list[Photo]
    features: Array
    groups: list[str]

    @classmethod
    def keep_read(cls, photos: Sequence[Photo], features: Array, groups: Sequence[str]) -> SeenPhotos:
        """Return those that could be read."""
        there = [bool(row.size and np.isfinite(row).all()) for row in features]
        return cls(list(photos), features, list(groups)).select(there)

    def select(self, there: Sequence[bool]) -> SeenPhotos:
        """Return some of them."""
        rows = np.flatnonzero(there)
        return SeenPhotos([self.photos[i] for i in rows], self.features[rows], [self.groups[i] for i in rows])

    def find_targets(self, vocab: Sequence[str]) -> Array:
        """Return (N,) indices of their labels."""
        return np.array([vocab.index(p.label) for p in self.photos], np.int64)

    def answer(self, head: LinearHead, vocab: Sequence[str]) -> Answers:
        """Return what a head says of them."""
        return Answers(head.compute_logits(self.features), self.features, self.find_targets(vocab))


def write_model(
    out: Path,
    manifest: Manifest,
    graph: bytes,
    head: LinearHead,
    train: SeenPhotos,
    valid: SeenPhotos,
    rows: Sequence[PhotoRow],
    more: Mapping[str, Path] | None = None,
) -> None:
    """Write the bundle of a head on a body's graph.

    Parameters
    ----------
    out
        Its folder; an earlier bundle there is replaced in one step.
    manifest
        What the bundle says of itself, but for what follows from its answers.
    graph
        The body's, or that of a model whose head is replaced.
    head
        The head.
    train, valid
        The photos that it learned from, and those that it is judged on; their labels are in the vocabulary.
    rows
        Every photo of the data set.
    more
        {name: file} of what else belongs to the bundle.

    Raises
    ------
    RefitError
        If the written graph answers otherwise than the head does.
    """
    with replaced_folder(out, MANIFEST) as staging:
        (staging / "model.onnx").write_bytes(attach_head(graph, head))
        np.savez(staging / "head.npz", weight=head.weight, bias=head.bias)
        for name, file in (more or {}).items():
            (staging / name).write_bytes(file.read_bytes())
        write_photos(staging, list(rows))
        write_examples([(p.label, p.path) for p in valid.photos], staging / "examples")
        learned, judged = (part.answer(head, manifest.vocab) for part in (train, valid))
        manifest = calibrate_bundle(manifest, staging, learned, judged)
        manifest = add_outlook(manifest, learned, judged, head)
        parity = _check_head(ModelBundle(staging, manifest), valid, head)
        write_bundle(staging, replace(manifest, parity=parity))


def _check_head(new: ModelBundle, valid: SeenPhotos, head: LinearHead) -> Parity:
    """Compare the written graph's answers about photos with the head's on their features."""
    some = valid.photos[:_PARITY_PHOTOS]
    decode = new.preprocess.decode
    images = [decode(p.path, max_bytes=MAX_FOLDER_BYTES).image for p in some]
    with Predictor(new) as predictor:
        logits, _ = predictor.run(new.preprocess.batch(images))
    expected = head.compute_logits(valid.features[: len(some)])
    worst = float(np.abs(logits - expected).max() / max(1.0, float(np.abs(expected).max())))
    if not worst <= _PARITY:
        raise RefitError(
            "The new model's answers differ from its head's by {worst:.2g} (allowed: {parity:g}), so it "
            "was not written. The cached features may be of another model: remove .fastclf/features and try "
            "again.",
            worst=worst,
            parity=_PARITY,
        )
    return Parity(photos=len(some), largest_difference=worst, allowed=_PARITY)
