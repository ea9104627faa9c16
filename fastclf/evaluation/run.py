"""Judge a bundle on labelled photos, without torch; the sealed test set only when it is opened by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..card import save_manifest
from ..catalog import Catalog, NearPair, find_pairs_across
from ..errors import PhotosError
from ..metrics import Metrics, compute_confusion, compute_metrics
from ..model import ModelBundle, Predictor
from ..photos import TEST, TRAIN, VALID, Photo, PhotoSet, Progress, walk_photos
from ..system import ShortRepr, utc_now
from .ood_photos import OodPhotos, count_unfamiliar, find_ood_photos, measure_ood, record_ood
from .predict_many import FileAnswers, predict_files

Array = npt.NDArray[Any]

NEW = "new"
_UNKNOWN = "of a class that the model does not know"
_MOST_EXAMPLES = 10
_MOST_LOSSES = 12
_MOST_NAMED = 12
# What an opening of the test set keeps for good; the whole of the first look is in the metrics.
_KEPT = {"n", "accuracy", "accuracy_interval", "error_rate", "error_interval", "loss", "ece", "sets"}


@dataclass(frozen=True, repr=False)
class Evaluation(ShortRepr):
    """What judging found.

    Attributes
    ----------
    metrics
        By part: "valid", "new" (photos that the bundle never saw), and "test" if it was opened.
    confusion
        By part: (K, K) counts, a row a true class.
    vocab
        The classes, in the order of the counts.
    sealed
        How many photos of the folder belong to the test set and were not looked at.
    failures
        (file, reason) of what could not be judged.
    top_losses
        By part: the photos with the largest losses, each with ``file``, ``label``, ``answer``, ``loss``
        (nats) and ``probability`` (of the answer).
    near_duplicates_across
        ``n`` pairs of photos that nearly agree and stand in different splits; at most ten as ``examples``,
        each with ``files`` and ``splits``.
    history
        The training's record of every epoch.
    foreign
        How well foreign photos were told, if there were any; see `fastclf.model.Ood.against`.
    notes
        What was concluded about the folders, and what of them was passed over.
    """

    metrics: dict[str, Metrics]
    confusion: dict[str, list[list[int]]]
    vocab: list[str]
    sealed: int
    failures: list[tuple[str, str]]
    top_losses: dict[str, list[dict[str, Any]]]
    near_duplicates_across: dict[str, Any]
    history: list[dict[str, Any]]
    foreign: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**vars(self), "failures": [{"file": file, "reason": why} for file, why in self.failures]}


def evaluate(
    bundle: ModelBundle,
    folder: str | Path,
    *,
    open_test_set: bool = False,
    foreign: str | Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a bundle on a folder of labelled photos, by their current labels.

    Photos are recognised by content: validation photos are judged, photos that the bundle never saw too, its
    training photos are left out. Its test photos stay sealed unless they are opened; an opening is written
    into the bundle.

    Parameters
    ----------
    bundle
        The model.
    folder
        One sub-folder per class.
    open_test_set
        Whether to open the sealed test set.
    foreign
        A folder with photos of something else; how well these are told is written into the bundle.
    progress
        Called with (done, all) while photos are read.

    Returns
    -------
    Evaluation
        Figures and confusion by part, and the photos with the largest losses.

    Raises
    ------
    PhotosError
        If the folder holds no photo to judge on, or `foreign` none to compare with.
    UsageError
        If the bundle has nothing that tells foreign photos.

    Examples
    --------
    >>> from fastclf import ModelBundle
    >>> found = evaluate(ModelBundle.load("model"), "photos/bears")
    >>> found.metrics["valid"]["n"], found.metrics["valid"]["accuracy"], found.sealed
    (6, 1.0, 3)
    """
    others = None if foreign is None else find_ood_photos(bundle, foreign)
    with _open_catalog(bundle, Path(folder)) as catalog:
        catalog.scan(progress)
        scanned, near = catalog.photos(), catalog.find_near_pairs().pairs
        parts = _sort_photos(bundle, scanned, {(p.a, p.b) for p in near})
        wanted = [part for part in (VALID, NEW, *([TEST] if open_test_set else [])) if parts[part]]
        _check_wanted(bundle, wanted, parts, catalog.folder, others)
        with Predictor(bundle) as predictor:
            answers = {part: predict_files(predictor, [p.path for p in parts[part]]) for part in wanted}
            judged = {part: judge(bundle, part, parts[part], a) for part, a in answers.items() if a.rows}
            if TEST in judged:
                bundle = _record_opening(bundle, judged[TEST], catalog)
            found, unread = _measure_ood(bundle, predictor, others, judged, progress)
    return Evaluation(
        metrics={part: j.metrics for part, j in judged.items()},
        confusion={part: j.confusion for part, j in judged.items()},
        vocab=bundle.vocab,
        sealed=0 if open_test_set else len(parts[TEST]),
        failures=[*scanned.failures, *_list_failures(parts, answers), *unread],
        top_losses={part: j.top_losses for part, j in judged.items()},
        near_duplicates_across=_count_across(bundle, scanned, near),
        history=list(bundle.manifest.training.epochs or []),
        foreign=found,
        notes=catalog.remarks,
    )


@dataclass(frozen=True)
class Judged:
    """What a model's answers about a part of the photos are worth; of the photos that could be read."""

    photos: list[Photo]
    answers: FileAnswers
    metrics: Metrics
    confusion: list[list[int]]
    top_losses: list[dict[str, Any]]


def judge(bundle: ModelBundle, part: str, photos: Sequence[Photo], answers: FileAnswers) -> Judged:
    """Compare a model's answers about a part of the photos, one of them at least, with the labels."""
    there, vocab = [photos[row] for row in answers.rows], bundle.vocab
    targets = np.array([vocab.index(p.label) for p in there])
    # from which probability on it is sure was found on validation photos; others are held to that
    valid = bundle.manifest.metrics.valid
    sure = valid.get("sure") if valid and part != VALID else None
    threshold, sets = sure["threshold"] if sure else None, bundle.manifest.sets
    return Judged(
        photos=there,
        answers=answers,
        metrics=compute_metrics(
            answers.probs,
            targets,
            vocab,
            answers.raw,
            sure_threshold=threshold,
            set_threshold=None if sets is None else sets.threshold,
        ),
        confusion=compute_confusion(answers.probs.argmax(1), targets, len(vocab)).tolist(),
        top_losses=_find_top_losses(there, answers.probs, targets, vocab),
    )


def _list_failures(parts: dict[str, list[Photo]], answers: dict[str, FileAnswers]) -> list[tuple[str, str]]:
    """Return (file, reason) of the photos that nothing can be said of."""
    unknown = [(p.name, f"is labelled {p.label}, which the model does not know") for p in parts[_UNKNOWN]]
    return unknown + [(parts[part][row].name, why) for part, a in answers.items() for row, why in a.failures]


def _find_top_losses(
    photos: Sequence[Photo], probs: Array, targets: Array, vocab: Sequence[str]
) -> list[dict[str, Any]]:
    losses = -np.log(np.clip(probs[np.arange(len(targets)), targets], 1e-12, 1))
    return [
        {
            "file": photos[i].name,
            "label": photos[i].label,
            "answer": vocab[int(probs[i].argmax())],
            "loss": float(losses[i]),
            "probability": float(probs[i].max()),
        }
        for i in np.argsort(-losses, kind="stable")[:_MOST_LOSSES]
    ]


def _open_catalog(bundle: ModelBundle, folder: Path) -> Catalog:
    """Refuse a folder of other classes, before anything is written where no edit named them otherwise."""
    labels = () if (folder / ".fastclf").exists() else walk_photos(folder).labels
    if labels and not set(labels) & set(bundle.vocab):
        raise _describe_other_classes(bundle, folder, labels)
    return Catalog.of_photos(folder)


def _describe_other_classes(bundle: ModelBundle, folder: Path, labels: Sequence[str]) -> PhotosError:
    return PhotosError(
        "{folder} holds photos of {there}; the model {path} knows {known}, so there is nothing to judge it "
        "on. Name a folder with photos of its classes, or this one with --foreign.",
        folder=folder,
        there=_list_names(labels),
        path=bundle.path,
        known=_list_names(bundle.vocab),
    )


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _check_wanted(
    bundle: ModelBundle,
    wanted: Sequence[str],
    parts: dict[str, list[Photo]],
    folder: Path,
    others: OodPhotos | None,
) -> None:
    """Refuse what cannot be judged, before anything is looked at."""
    if not wanted and parts[_UNKNOWN] and not any(parts[part] for part in (TRAIN, TEST)):
        raise _describe_other_classes(bundle, folder, sorted({p.label for p in parts[_UNKNOWN]}))
    if not wanted:
        raise PhotosError(
            "{folder} holds no photo to judge on: {train} training photos, "
            "{sealed} sealed test photos (--open-test-set opens them).",
            folder=folder,
            train=len(parts[TRAIN]),
            sealed=len(parts[TEST]),
        )
    if others is not None and not {VALID, TEST} & set(wanted):
        raise PhotosError(
            "{folder} holds no validation photos of the model, with which foreign photos could be compared. "
            "Name the folder that the model was trained on.",
            folder=folder,
        )


def _count_across(bundle: ModelBundle, scanned: PhotoSet, near: Sequence[NearPair]) -> dict[str, Any]:
    """Count nearly equal photos in different splits: those of the model, and else those on record."""
    names = {p.sha256: p.name for p in reversed(scanned.photos)}
    splits = {p.sha256: p.split for p in scanned.photos}
    splits |= {row.sha256: row.split for row in bundle.read_photos() if row.sha256 in names}
    across = find_pairs_across(near, splits)
    examples = [
        {"files": [names[p.a], names[p.b]], "splits": [splits[p.a], splits[p.b]]}
        for p in across[:_MOST_EXAMPLES]
    ]
    return {"n": len(across), "examples": examples}


def record_opening(
    bundle: ModelBundle, folder: str, metrics: Metrics, false_alarms: dict[str, Any] | None = None
) -> ModelBundle:
    """Note in manifest and card that the sealed test set was opened; returns the new state.

    `metrics` were found in the `folder` of that name; `false_alarms` says with ``n``, ``rate`` and
    ``interval`` how many of its test photos are called unfamiliar.
    """
    manifest = bundle.manifest
    brief = {name: value for name, value in metrics.items() if name in _KEPT}
    opening = {"time": utc_now(), "folder": folder, "metrics": brief}
    sealed = replace(manifest.sealed_test, openings=[*manifest.sealed_test.openings, opening])
    manifest = replace(manifest, sealed_test=sealed)
    # a part of the test photos, or a second look at them, does not replace the first look at all of them
    known = manifest.metrics.test
    if not known or known["n"] < metrics["n"]:
        manifest = replace(manifest, metrics=replace(manifest.metrics, test=metrics))
        if false_alarms and manifest.ood:
            manifest = replace(manifest, ood=replace(manifest.ood, test_false_alarms=false_alarms))
    return save_manifest(bundle.path, manifest)


def _record_opening(bundle: ModelBundle, test: Judged, catalog: Catalog) -> ModelBundle:
    """Record in the bundle and beside the photos that the test set was looked at."""
    name, manifest = catalog.folder.resolve().name, bundle.manifest
    new = record_opening(bundle, name, test.metrics, count_unfamiliar(bundle, test.answers))
    model = f"{bundle.title} ({manifest.arch}, {manifest.created})"
    facts = {"folder": name, "accuracy": test.metrics["accuracy"]}
    catalog.record_opening(model, [p.sha256 for p in test.photos], facts)
    return new


def _measure_ood(
    bundle: ModelBundle,
    predictor: Predictor,
    others: OodPhotos | None,
    judged: dict[str, Judged],
    progress: Progress | None,
) -> tuple[dict[str, Any] | None, list[tuple[str, str]]]:
    """Compare with the test photos if they were opened, else with validation photos; record and return it."""
    if others is None:
        return None, []
    part = TEST if TEST in judged else VALID
    scores = judged[part].answers.scores if part in judged else None
    if scores is None:
        raise PhotosError(
            "No validation photo could be read, so foreign photos cannot be compared. "
            "Put the photos back where they were."
        )
    entry, failures = measure_ood(predictor, others, scores, part, progress)
    record_ood(bundle, entry)
    return {**entry, "known": others.known}, failures


def _sort_photos(
    bundle: ModelBundle, scanned: PhotoSet, near: set[tuple[str, str]]
) -> dict[str, list[Photo]]:
    """Tell the photos apart by what the bundle did with them; a copy is what its original is."""
    known = {row.sha256: row.split for row in bundle.read_photos()}
    # sealed beside the photos is sealed, even where the bundle does not know the photo
    sealed = {p.sha256: TEST for p in scanned.photos if p.split == TEST}
    known = {**sealed, **known}
    for a, b in sorted((*near, *((b, a) for a, b in near))):
        if a in known and b not in known:
            known[b] = known[a]
    pixels = {p.pixel_hash: known[p.sha256] for p in scanned.photos if p.sha256 in known}
    parts: dict[str, list[Photo]] = {part: [] for part in (TRAIN, VALID, TEST, NEW, _UNKNOWN)}
    for photo in scanned.photos:
        split = known.get(photo.sha256) or pixels.get(photo.pixel_hash, NEW)
        parts[split if photo.label in bundle.vocab else _UNKNOWN].append(photo)
    return parts
