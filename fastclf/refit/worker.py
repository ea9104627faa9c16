"""The child process of a refit: scikit-learn fits the head, onnx writes it into the graph."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from ..card import write_bundle
from ..catalog import Catalog
from ..errors import Message, RefitError, pack_message
from ..evaluation import Answers, calibrate_bundle, write_examples
from ..model import (
    BODY,
    Manifest,
    MetricsByPart,
    ModelBundle,
    Parity,
    PhotoRow,
    Predictor,
    SealedTest,
    compute_logits,
    extract_features,
    write_photos,
)
from ..photos import MAX_FOLDER_BYTES, TEST, TRAIN, VALID, Photo, decode_photo
from ..system import replaced_folder, utc_now
from .linear_head import STRENGTH_ON_OWN_FEATURES, LinearHead, fit_head

Array = npt.NDArray[Any]

_PARITY, _PARITY_PHOTOS = 1e-3, 4


def main(model: str, folder: str, out: str, report: str) -> None:
    """Refit and write the bundle and the report."""
    bundle = ModelBundle.load(model, verify=False)
    with Catalog(folder) as catalog:
        photos = read_photos(catalog, bundle)
        edits = len(catalog.edits())
    vocab = sorted({p.label for p in photos.train})
    train, valid, head = _fit(bundle, photos, vocab)
    manifest = _describe(bundle.manifest, photos, vocab, len(valid.targets), edits)
    _write_bundle(bundle, photos, manifest, head, train, valid, Path(out))
    Path(report).write_text(json.dumps(_compare(bundle, photos, vocab, head)), encoding="utf-8")


def _compare(bundle: ModelBundle, photos: Photos, vocab: list[str], head: LinearHead) -> dict[str, Any]:
    """Return what the parent makes a `Refit` of: how the old and the new head answer the same photos."""
    before = [bundle.vocab[k] for k in compute_logits(photos.valid_features, bundle).argmax(1)]
    after = [vocab[k] for k in head.compute_logits(photos.valid_features).argmax(1)]
    truth = [p.label for p in photos.valid]
    return {
        "before": float(np.mean([a == b for a, b in zip(before, truth, strict=True)])),
        "after": float(np.mean([a == b for a, b in zip(after, truth, strict=True)])),
        "n": len(truth),
        "n_train": len(photos.train),
        "computed": photos.computed,
        "notes": [pack_message(note) for note in _find_notes(bundle.vocab, vocab, photos)],
        "changed": [
            {"key": p.id, "name": p.name, "label": p.label, "before": b, "after": a}
            for p, b, a in zip(photos.valid, before, after, strict=True)
            if (b == p.label) != (a == p.label)
        ],
    }


@dataclass(frozen=True)
class Photos:
    """The photos of today with their splits.

    `rows` are all of them, for the bundle; `train` and `valid` those with features, (N, D), and no validation
    photo is one that the body was trained on. `computed` features were not in the cache. `sealed` has every
    look at the test set that the old model or the catalog knows.
    """

    rows: list[PhotoRow]
    train: list[Photo]
    valid: list[Photo]
    train_features: Array
    valid_features: Array
    sealed: SealedTest
    computed: int


def read_photos(catalog: Catalog, bundle: ModelBundle) -> Photos:
    """Scan the folder, give every photo its split and bring the features.

    Raises
    ------
    RefitError
        If no classifier can be trained and judged on what is there.
    """
    catalog.scan()
    photos = catalog.photos().without_conflicts().photos
    known = bundle.read_photos()
    catalog.adopt_splits({row.sha256: (row.group, row.split) for row in known})
    assignment = catalog.assign_splits(photos)
    split = list(zip(photos, assignment.groups, assignment.splits, strict=True))
    # what the body was trained on says nothing about new photos, whatever is on record
    trained_on = {row.sha256 for row in known if row.split == TRAIN}
    train = [p for p, _, s in split if s == TRAIN]
    valid = [p for p, _, s in split if s == VALID and p.sha256 not in trained_on]
    cache = catalog.feature_cache(bundle.manifest.features_id)
    computed = len({p.sha256 for p in (*train, *valid)} - cache.load().keys())
    features = extract_features(cache, [*train, *valid], bundle)
    train, train_features = _keep_read(train, features[: len(train)])
    valid, valid_features = _keep_read(valid, features[len(features) - len(valid) :])
    _check(catalog.folder, {p.label for p in train}, valid)
    return Photos(
        rows=[PhotoRow(p.sha256, p.label, group, s) for p, group, s in split if s],
        train=train,
        valid=valid,
        train_features=train_features,
        valid_features=valid_features,
        sealed=_join_openings(bundle.manifest.sealed_test, catalog, [p for p, _, s in split if s == TEST]),
        computed=computed,
    )


def _keep_read(photos: Sequence[Photo], features: Array) -> tuple[list[Photo], Array]:
    """Return the photos that have features, and these."""
    rows = [i for i, row in enumerate(features) if row.size and np.isfinite(row).all()]
    return [photos[i] for i in rows], features[rows]


def _check(folder: Path, labels: set[str], valid: Sequence[Photo]) -> None:
    if len(labels) < 2:
        raise RefitError(
            "{folder} holds training photos of {n} class; a classifier needs two. Restore or relabel photos.",
            folder=folder,
            n=len(labels),
        )
    if not any(p.label in labels for p in valid):
        raise RefitError(
            "{folder} holds no validation photos of the classes that are trained, so a new head cannot "
            "be judged. Restore or relabel some.",
            folder=folder,
        )


def _join_openings(known: SealedTest, catalog: Catalog, sealed: Sequence[Photo]) -> SealedTest:
    """Return the openings that the old model knew and those that the catalog knows, each once."""
    times = {opening.get("time") for opening in known.openings}
    more = [o for o in catalog.find_openings(p.sha256 for p in sealed) if o["time"] not in times]
    return SealedTest(n=len(sealed), openings=[*known.openings, *more])


def _fit(bundle: ModelBundle, photos: Photos, vocab: list[str]) -> tuple[Answers, Answers, LinearHead]:
    """Fit the head as the model's own was, if that was fitted on features; else with what suits them.

    Returns what it says of training and of validation photos; those of a label that no training photo has are
    left out.
    """
    targets = np.array([vocab.index(p.label) for p in photos.train])
    own = bundle.manifest.training.head
    known: Any = own and own.C
    usable = isinstance(known, int | float) and 0 < known < math.inf
    head = fit_head(photos.train_features, targets, float(known) if usable else STRENGTH_ON_OWN_FEATURES)
    rows = [i for i, p in enumerate(photos.valid) if p.label in vocab]
    judged = photos.valid_features[rows]
    train = Answers(head.compute_logits(photos.train_features), photos.train_features, targets)
    valid_targets = np.array([vocab.index(photos.valid[i].label) for i in rows])
    return train, Answers(head.compute_logits(judged), judged, valid_targets), head


def _find_notes(old: list[str], new: list[str], photos: Photos) -> list[Message]:
    """Say what the user should know besides the figures."""
    came, went = ", ".join(sorted(set(new) - set(old))), ", ".join(sorted(set(old) - set(new)))
    unknown = sum(p.label not in new for p in photos.valid)
    notes = [
        came and Message("New classes: {labels}.", labels=came),
        went and Message("No training photo is left of: {labels}.", labels=went),
        photos.computed
        and Message(
            "Features of {n} photos had to be computed; next time they are at hand.", n=photos.computed
        ),
        unknown
        and Message(
            "{n} validation photos have a label that no training photo has: both models are wrong there, "
            "and the figures in the new model leave them out.",
            n=unknown,
        ),
    ]
    return [note for note in notes if isinstance(note, Message)]


def _describe(old: Manifest, photos: Photos, vocab: list[str], n_valid: int, edits: int) -> Manifest:
    """Return what the new bundle says of itself, but for what follows from its answers."""
    n_train, now = len(photos.train), utc_now()
    return replace(
        old.restamp(),
        vocab=vocab,
        metrics=MetricsByPart(),
        sealed_test=photos.sealed,
        split={"how": "recorded", TRAIN: n_train, VALID: n_valid, TEST: photos.sealed.n},
        refits=[*old.refits, {"time": now, "of": old.created, "n_train": n_train, "edits": edits}],
        export_pkl="dropped: the head was refitted, so fastai's Learner would answer otherwise",
        parity=None,
        files={},
    )


def _write_bundle(
    bundle: ModelBundle,
    photos: Photos,
    manifest: Manifest,
    head: LinearHead,
    train: Answers,
    valid: Answers,
    out: Path,
) -> None:
    with replaced_folder(out) as staging:
        replace_head(bundle.onnx_path, staging / "model.onnx", head)
        np.savez(staging / "head.npz", weight=head.weight, bias=head.bias)
        if BODY in bundle.manifest.files:  # as it was, so that the model can still be trained further
            shutil.copyfile(bundle.path / BODY, staging / BODY)
        write_photos(staging, photos.rows)
        examples = [(p.label, p.path) for p in photos.valid if p.label in manifest.vocab]
        write_examples(examples, staging / "examples")
        manifest = calibrate_bundle(manifest, staging, train, valid)
        parity = check_head(ModelBundle(staging, manifest), photos, head)
        write_bundle(staging, replace(manifest, parity=parity))


def replace_head(source: Path, target: Path, head: LinearHead) -> None:
    """Write a bundle's graph with another head; the number of classes may differ.

    Raises
    ------
    RefitError
        If the graph's last layer is not the one that a bundle promises.
    """
    model = onnx.load(str(source))
    graph = model.graph
    places = {t.name: t for t in graph.initializer}
    if not {"head.weight", "head.bias"} <= places.keys():
        raise RefitError("The graph {source} has no head.weight and head.bias. Train again.", source=source)
    for name, values in (("head.weight", head.weight), ("head.bias", head.bias)):
        places[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))
    for value in [*graph.output, *graph.value_info]:
        if value.name == "logits":
            value.type.tensor_type.shape.dim[-1].Clear()
            value.type.tensor_type.shape.dim[-1].dim_value = len(head.bias)
        if value.name in places and value.name.startswith("head."):
            value.type.tensor_type.shape.dim[0].dim_value = len(head.bias)
    target.write_bytes(model.SerializeToString())


def check_head(new: ModelBundle, photos: Photos, head: LinearHead) -> Parity:
    """Compare the written graph's answers with the head's on cached features.

    Raises
    ------
    RefitError
        If they differ by more than 1e-3, relative to the size of the logits.
    """
    some = photos.valid[:_PARITY_PHOTOS]
    images = [decode_photo(p.path, max_bytes=MAX_FOLDER_BYTES).image for p in some]
    with Predictor(new) as predictor:
        logits, _ = predictor.run(predictor.preprocess.batch(images))
    expected = head.compute_logits(photos.valid_features[: len(some)])
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
