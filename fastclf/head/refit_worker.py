"""The child process of a refit: fits the head, and writes it into the model's graph."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backbone import Backbone
from ..catalog import Catalog
from ..errors import Message, RefitError, pack_message
from ..model import (
    BODY,
    Manifest,
    MetricsByPart,
    ModelBundle,
    PhotoRow,
    SealedTest,
    compute_logits,
)
from ..photos import TEST, TRAIN, VALID, Photo
from ..system import utc_now
from .balance import OFF, even_out
from .linear import STRENGTH_ON_OWN_FEATURES, LinearHead, fit_head
from .model import NO_LEARNER, SeenPhotos, write_model
from .refit_progress import ProgressFile


def main(model: str, folder: str, out: str, report: str, told: str) -> None:
    """Refit and write the bundle and the report; how far that is, is told in a file."""
    progress = ProgressFile(told)
    bundle = ModelBundle.load(model, verify=False)
    with Catalog(folder) as catalog:
        photos = read_photos(catalog, bundle, progress)
        edits = len(catalog.edits())
    vocab = sorted({p.label for p in photos.train.photos})
    progress.begin("fit")
    head = _fit(bundle, photos.train, vocab)
    progress.begin("write")
    judged = photos.valid.select([p.label in vocab for p in photos.valid.photos])
    manifest = _describe(bundle.manifest, photos, vocab, len(judged.photos), edits)
    # as it was, so that the model can still be trained further; some are shared without
    has_body = BODY in bundle.manifest.files and (bundle.path / BODY).is_file()
    more = {BODY: bundle.path / BODY} if has_body else {}
    graph = bundle.onnx_path.read_bytes()
    write_model(Path(out), manifest, graph, head, photos.train, judged, photos.rows, more)
    Path(report).write_text(json.dumps(_compare(bundle, photos, vocab, head)), encoding="utf-8")


def _compare(bundle: ModelBundle, photos: Photos, vocab: list[str], head: LinearHead) -> dict[str, Any]:
    """Return what the parent makes a `Refit` of: how the old and the new head answer the same photos."""
    valid = photos.valid
    before = [bundle.vocab[k] for k in compute_logits(valid.features, bundle).argmax(1)]
    after = [vocab[k] for k in head.compute_logits(valid.features).argmax(1)]
    truth = [p.label for p in valid.photos]
    return {
        "before": float(np.mean([a == b for a, b in zip(before, truth, strict=True)])),
        "after": float(np.mean([a == b for a, b in zip(after, truth, strict=True)])),
        "n": len(truth),
        "n_train": len(photos.train.photos),
        "computed": photos.computed,
        "notes": [pack_message(note) for note in _find_notes(bundle.vocab, vocab, photos)],
        "changed": [
            {"key": p.id, "name": p.name, "label": p.label, "before": b, "after": a}
            for p, b, a in zip(valid.photos, before, after, strict=True)
            if (b == p.label) != (a == p.label)
        ],
    }


@dataclass(frozen=True)
class Photos:
    """The photos of today with their splits.

    `rows` are all of them, for the bundle; no photo of `valid` is one that the body was trained on.
    `computed` features were not in the cache. `sealed` has every look at the test set that the old model or
    the catalog knows.
    """

    rows: list[PhotoRow]
    train: SeenPhotos
    valid: SeenPhotos
    sealed: SealedTest
    computed: int


def read_photos(catalog: Catalog, bundle: ModelBundle, progress: ProgressFile) -> Photos:
    """Scan the folder, give every photo its split and bring the features.

    Raises
    ------
    RefitError
        If no classifier can be trained and judged on what is there.
    """
    catalog.scan(progress.begin("scan"))
    photos = catalog.photos().without_conflicts().photos
    known = bundle.read_photos()
    catalog.adopt_splits({row.sha256: (row.group, row.split) for row in known})
    assignment = catalog.assign_splits(photos)
    rows = [row for row in zip(photos, assignment.groups, assignment.splits, strict=True) if row[2]]
    # what the body was trained on says nothing about new photos, whatever is on record
    trained_on = {row.sha256 for row in known if row.split == TRAIN}
    wanted = {
        TRAIN: [row for row in rows if row[2] == TRAIN],
        VALID: [row for row in rows if row[2] == VALID and row[0].sha256 not in trained_on],
    }
    cache, body = catalog.feature_cache(bundle.manifest.features_id), Backbone.of_model(bundle)
    every = [p for part in wanted.values() for p, *_ in part]
    computed = len({p.sha256 for p in every} - cache.load().keys())
    features = body.extract(cache, every, progress.begin("features"))
    parts = np.split(features, [len(wanted[TRAIN])])
    train, valid = (
        SeenPhotos.keep_read([p for p, *_ in part], found, [g for _, g, _ in part])
        for part, found in zip(wanted.values(), parts, strict=True)
    )
    _check(catalog.folder, {p.label for p in train.photos}, valid.photos)
    return Photos(
        rows=[PhotoRow(p.sha256, p.label, group, s) for p, group, s in rows],
        train=train,
        valid=valid,
        sealed=_join_openings(bundle.manifest.sealed_test, catalog, [p for p, _, s in rows if s == TEST]),
        computed=computed,
    )


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


def _fit(bundle: ModelBundle, train: SeenPhotos, vocab: list[str]) -> LinearHead:
    """Fit the head as the model's own was, if that was fitted on features; else with what suits them."""
    own = bundle.manifest.training.head
    known: Any = own and own.C
    usable = isinstance(known, int | float) and 0 < known < math.inf
    targets = train.find_targets(vocab)
    head = fit_head(train.features, targets, float(known) if usable else STRENGTH_ON_OWN_FEATURES)
    return even_out(head, targets, bundle.manifest.training.balance or OFF)


def _find_notes(old: list[str], new: list[str], photos: Photos) -> list[Message]:
    """Say what the user should know besides the figures."""
    came, went = ", ".join(sorted(set(new) - set(old))), ", ".join(sorted(set(old) - set(new)))
    unknown = sum(p.label not in new for p in photos.valid.photos)
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
    n_train, now = len(photos.train.photos), utc_now()
    return replace(
        old.restamp(),
        vocab=vocab,
        metrics=MetricsByPart(),
        sealed_test=photos.sealed,
        split={"how": "recorded", TRAIN: n_train, VALID: n_valid, TEST: photos.sealed.n},
        refits=[*old.refits, {"time": now, "of": old.created, "n_train": n_train, "edits": edits}],
        export_pkl=NO_LEARNER,
        parity=None,
        files={},
    )
