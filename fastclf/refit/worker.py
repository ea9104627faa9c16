"""The child process of `refit`: scikit-learn fits the head, onnx writes it into the graph.

Called as ``python -m fastclf.refit.worker MODEL PHOTOS OUT REPORT``.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..card import write_card
from ..catalog import Catalog
from ..errors import FastclfError, Message, RefitError, pack_message
from ..evaluation import Answers, describe_answers, write_examples
from ..model import (
    BODY,
    ModelBundle,
    PhotoRow,
    Predictor,
    compute_logits,
    extract_features,
    hash_files,
    python_version,
    write_manifest,
    write_photos,
)
from ..photos import MAX_FOLDER_BYTES, TEST, TRAIN, VALID, Photo, decode_photo
from ..system import FAILED, MISSING, NO_MEMORY, replaced_folder, utc_now

try:
    import onnx
    from onnx import numpy_helper

    from .linear_head import STRENGTH_ON_OWN_FEATURES, fit_head
except ImportError as e:
    sys.stderr.write(f"{e.name or e}\n")
    sys.exit(MISSING)

Array = npt.NDArray[Any]

_PARITY, _PARITY_PHOTOS = 1e-3, 4


def main(model: str, folder: str, out: str, report: str) -> None:
    """Refit and write the bundle and the report."""
    bundle = ModelBundle.load(model, verify=False)
    with Catalog(folder) as catalog:
        photos = Photos(catalog, bundle)
        before, after, values = _refit(catalog, bundle, photos, Path(out))
    changed = [
        {"key": p.id, "name": p.name, "label": p.label, "before": b, "after": a}
        for p, b, a in zip(photos.valid, before, after, strict=True)
        if (b == p.label) != (a == p.label)
    ]
    Path(report).write_text(json.dumps({**values, "changed": changed}), encoding="utf-8")


class Photos:
    """The training and validation photos of today, with their features."""

    def __init__(self, catalog: Catalog, bundle: ModelBundle) -> None:
        catalog.scan()
        usable = catalog.photos().without_conflicts()
        rows = bundle.read_photos()
        catalog.adopt_splits({row.sha256: (row.group, row.split) for row in rows})
        assignment = catalog.assign_splits(usable.photos)
        trained_on = {row.sha256 for row in rows if row.split == TRAIN}
        self.rows = [
            PhotoRow(p.sha256, p.label, group, split)
            for p, group, split in zip(usable.photos, assignment.groups, assignment.splits, strict=True)
            if split
        ]
        by_split: dict[str, list[Photo]] = {TRAIN: [], VALID: [], TEST: [], "": []}
        for photo, split in zip(usable.photos, assignment.splits, strict=True):
            by_split[split].append(photo)
        self.train = by_split[TRAIN]
        # what the body was trained on says nothing about new photos, whatever is on record
        self.valid = [p for p in by_split[VALID] if p.sha256 not in trained_on]
        self.sealed = len(by_split[TEST])
        self.openings = _join_openings(
            bundle.manifest["sealed_test"]["openings"],
            catalog.find_openings(p.sha256 for p in by_split[TEST]),
        )
        cache = catalog.feature_cache(str(bundle.manifest["features_id"]))
        wanted = [*self.train, *self.valid]
        self.computed = len({p.sha256 for p in wanted} - cache.load().keys())
        features = extract_features(cache, wanted, bundle)
        usable_rows = np.asarray(
            np.isfinite(features).all(1) if features.size else np.zeros(len(wanted), bool)
        )
        n = len(self.train)
        self.train_features, self.valid_features = (
            features[:n][usable_rows[:n]],
            features[n:][usable_rows[n:]],
        )
        self.train = [p for p, ok in zip(self.train, usable_rows[:n], strict=True) if ok]
        self.valid = [p for p, ok in zip(self.valid, usable_rows[n:], strict=True) if ok]
        self._check(catalog.folder)

    def _check(self, folder: Path) -> None:
        labels = {p.label for p in self.train}
        if len(labels) < 2:
            raise RefitError(
                "{folder} holds training photos of {n} class; a classifier needs two. Restore or "
                "relabel photos.",
                folder=folder,
                n=len(labels),
            )
        if not any(p.label in labels for p in self.valid):
            raise RefitError(
                "{folder} holds no validation photos of the classes that are trained, so a new head cannot "
                "be judged. Restore or relabel some.",
                folder=folder,
            )


def _join_openings(known: list[dict[str, Any]], more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the openings that the old model knew and those that the catalog knows, each once."""
    times = {opening.get("time") for opening in known}
    return [*known, *(opening for opening in more if opening["time"] not in times)]


def _refit(
    catalog: Catalog, bundle: ModelBundle, photos: Photos, out: Path
) -> tuple[list[str], list[str], dict[str, Any]]:
    vocab = sorted({p.label for p in photos.train})
    notes = _describe_vocab(bundle.vocab, vocab, photos)
    # a label that no training photo has cannot be answered; its photos count as wrong for both
    valid = [i for i, p in enumerate(photos.valid) if p.label in vocab]
    if len(valid) < len(photos.valid):
        notes.append(
            Message(
                "{n} validation photos have a label that no training photo has: both models are wrong there, "
                "and the figures in the new model leave them out.",
                n=len(photos.valid) - len(valid),
            )
        )
    train_y = np.array([vocab.index(p.label) for p in photos.train])
    valid_y = np.array([vocab.index(photos.valid[i].label) for i in valid])
    weight, bias = _fit(bundle, photos, train_y)
    logits = photos.valid_features @ weight.T + bias
    train = Answers(photos.train_features @ weight.T + bias, photos.train_features, train_y)
    judged = Answers(logits[valid], photos.valid_features[valid], valid_y)
    _write_bundle(bundle, photos, vocab, (weight, bias), train, judged, out, catalog)
    before = [bundle.vocab[k] for k in compute_logits(photos.valid_features, bundle).argmax(1)]
    after = [vocab[k] for k in logits.argmax(1)]
    truth = [p.label for p in photos.valid]
    values = {
        "before": float(np.mean([a == b for a, b in zip(before, truth, strict=True)])),
        "after": float(np.mean([a == b for a, b in zip(after, truth, strict=True)])),
        "n": len(truth),
        "n_train": len(photos.train),
        "computed": photos.computed,
        "notes": [pack_message(note) for note in notes],
    }
    return before, after, values


def _fit(bundle: ModelBundle, photos: Photos, targets: Array) -> tuple[Array, Array]:
    """Fit the head as the model's own was, if that was fitted on features; else with what suits them."""
    known: Any = (bundle.manifest["training"].get("head") or {}).get("C")
    usable = isinstance(known, int | float) and 0 < known < math.inf
    head = fit_head(photos.train_features, targets, float(known) if usable else STRENGTH_ON_OWN_FEATURES)
    return head.weight, head.bias


def _describe_vocab(old: list[str], new: list[str], photos: Photos) -> list[str]:
    notes: list[str] = []
    if set(new) - set(old):
        notes.append(Message("New classes: {labels}.", labels=", ".join(sorted(set(new) - set(old)))))
    if set(old) - set(new):
        lost = ", ".join(sorted(set(old) - set(new)))
        notes.append(Message("No training photo is left of: {labels}.", labels=lost))
    if photos.computed:
        words = "Features of {n} photos had to be computed; next time they are at hand."
        notes.append(Message(words, n=photos.computed))
    return notes


def _write_bundle(
    bundle: ModelBundle,
    photos: Photos,
    vocab: list[str],
    head: tuple[Array, Array],
    train: Answers,
    valid: Answers,
    out: Path,
    catalog: Catalog,
) -> None:
    old = bundle.manifest
    manifest: dict[str, Any] = {
        **old,
        "fastclf": __version__,
        "python": python_version(),
        "created": utc_now(),
        "vocab": vocab,
        "metrics": {"train": None, "valid": None, "test": None},
        "sealed_test": {"n": photos.sealed, "openings": photos.openings},
        "split": {
            "how": "recorded",
            TRAIN: len(photos.train),
            VALID: len(valid.targets),
            TEST: photos.sealed,
        },
        "refits": [*old.get("refits", []), _describe_refit(old, photos, catalog)],
        "export_pkl": "dropped: the head was refitted, so fastai's Learner would answer otherwise",
        "parity": None,
    }
    with replaced_folder(out) as staging:
        write_head(bundle.onnx_path, staging / "model.onnx", *head)
        np.savez(staging / "head.npz", weight=head[0], bias=head[1])
        if BODY in old["files"]:  # as it was, so that the model can still be trained further
            shutil.copyfile(bundle.path / BODY, staging / BODY)
        describe_answers(manifest, staging, train, valid)
        write_photos(staging, photos.rows)
        write_examples([(p.label, p.path) for p in photos.valid if p.label in vocab], staging / "examples")
        write_manifest(staging, {**manifest, "files": hash_files(staging)})
        manifest["parity"] = check_head(staging, photos, head)
        write_card(staging, manifest)
        manifest["files"] = hash_files(staging)
        write_manifest(staging, manifest)


def _describe_refit(old: dict[str, Any], photos: Photos, catalog: Catalog) -> dict[str, Any]:
    return {
        "time": utc_now(),
        "of": old["created"],
        "n_train": len(photos.train),
        "edits": len(catalog.edits()),
    }


def write_head(source: Path, target: Path, weight: Array, bias: Array) -> None:
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
    for name, values in (("head.weight", weight), ("head.bias", bias)):
        places[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))
    for value in [*graph.output, *graph.value_info]:
        if value.name == "logits":
            value.type.tensor_type.shape.dim[-1].Clear()
            value.type.tensor_type.shape.dim[-1].dim_value = len(bias)
        if value.name in places and value.name.startswith("head."):
            value.type.tensor_type.shape.dim[0].dim_value = len(bias)
    target.write_bytes(model.SerializeToString())


def check_head(staging: Path, photos: Photos, head: tuple[Array, Array]) -> dict[str, Any]:
    """Compare the written graph's answers with the head's on cached features.

    Raises
    ------
    RefitError
        If they differ by more than 1e-3, relative to the size of the logits.
    """
    some = photos.valid[:_PARITY_PHOTOS]
    images = [decode_photo(p.path, max_bytes=MAX_FOLDER_BYTES).image for p in some]
    with Predictor(ModelBundle.load(staging, verify=False)) as predictor:
        logits, _ = predictor.run(predictor.preprocess.batch(images))
    expected = photos.valid_features[: len(some)] @ head[0].T + head[1]
    worst = float(np.abs(logits - expected).max() / max(1.0, float(np.abs(expected).max())))
    if not worst <= _PARITY:
        raise RefitError(
            "The new model's answers differ from its head's by {worst:.2g} (allowed: {parity:g}), so it "
            "was not written. The cached features may be of another model: remove .fastclf/features and try "
            "again.",
            worst=worst,
            parity=_PARITY,
        )
    return {"photos": len(some), "largest_difference": worst, "allowed": _PARITY}


if __name__ == "__main__":
    try:
        with contextlib.redirect_stdout(sys.stderr):
            main(*sys.argv[1:])
    except FastclfError as error:
        sys.stderr.write(f"{pack_message(error.message)}\n")
        sys.exit(FAILED)
    except MemoryError:
        sys.exit(NO_MEMORY)
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}.\n")
        sys.exit(FAILED)
