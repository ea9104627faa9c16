"""Judge a bundle on labelled photos, without torch; the sealed test set only when it is opened by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalog import Catalog, NearPair, find_pairs_across
from ..errors import PhotosError
from ..model import ModelBundle
from ..photos import TEST, TRAIN, VALID, Photo, PhotoSet, Progress
from .assessment import Assessment
from .ood_photos import ForeignPhotos, find_foreign

NEW = "new"
_MOST_EXAMPLES = 10


@dataclass(frozen=True)
class Evaluation:
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
        How well foreign photos were told, if there were any; see `ModelBundle.record_foreign`.
    """

    metrics: dict[str, dict[str, Any]]
    confusion: dict[str, list[list[int]]]
    vocab: list[str]
    sealed: int
    failures: list[tuple[str, str]]
    top_losses: dict[str, list[dict[str, Any]]]
    near_duplicates_across: dict[str, Any]
    history: list[dict[str, Any]]
    foreign: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        failures = [{"file": file, "reason": reason} for file, reason in self.failures]
        return {
            "vocab": self.vocab,
            "metrics": self.metrics,
            "confusion": self.confusion,
            "sealed": self.sealed,
            "failures": failures,
            "top_losses": self.top_losses,
            "near_duplicates_across": self.near_duplicates_across,
            "history": self.history,
            "foreign": self.foreign,
        }


def evaluate(
    bundle: ModelBundle,
    folder: str | Path,
    *,
    open_test_set: bool = False,
    foreign: str | Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge a bundle on a folder of labelled photos, by their labels of today.

    Photos are recognised by content: validation photos are judged, photos that the bundle never saw too, its
    training photos are left out. Its test photos stay sealed unless they are opened; an opening is written
    into the bundle.

    Parameters
    ----------
    bundle
        The model.
    folder
        One sub-folder a class.
    open_test_set
        Whether to open the sealed test set.
    foreign
        A folder with photos of something else; how well these are told is written into the bundle.
    progress
        Called with (done, all) while photos are read.

    Raises
    ------
    PhotosError
        If the folder holds no photo to judge on, or `foreign` none to compare with.
    UsageProblem
        If the bundle has nothing that tells foreign photos.
    """
    strangers = None if foreign is None else find_foreign(bundle, foreign)
    with Catalog(folder) as catalog:
        catalog.scan(progress)
        scanned = catalog.photos()
        near = catalog.find_near_pairs().pairs
        parts = _sort_photos(bundle, scanned, {(p.a, p.b) for p in near})
        wanted = [part for part in (VALID, NEW, *([TEST] if open_test_set else [])) if parts[part]]
        _check_wanted(wanted, parts, Path(folder), strangers)
        run = Assessment(bundle, {part: parts[part] for part in wanted})
        if TEST in run.metrics:
            run.bundle = _record_opening(run, catalog)
        if strangers is not None:
            run.judge_strangers(strangers, progress)
    unknown = [(p.name, f"is labelled {p.label}, which the model does not know") for p in parts["foreign"]]
    return Evaluation(
        run.metrics,
        run.confusion,
        bundle.vocab,
        0 if open_test_set else len(parts[TEST]),
        [*scanned.failures, *unknown, *run.failures],
        run.top_losses,
        _count_across(bundle, scanned, near),
        list(bundle.manifest["training"].get("epochs") or []),
        run.foreign,
    )


def _check_wanted(
    wanted: Sequence[str], parts: dict[str, list[Photo]], folder: Path, strangers: ForeignPhotos | None
) -> None:
    """Refuse what cannot be judged, before anything is looked at."""
    if not wanted:
        raise PhotosError(
            "{folder} holds no photo to judge on: {train} training photos, "
            "{sealed} sealed test photos (--open-test-set opens them).",
            folder=folder,
            train=len(parts[TRAIN]),
            sealed=len(parts[TEST]),
        )
    if strangers is not None and not {VALID, TEST} & set(wanted):
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


def _record_opening(run: Assessment, catalog: Catalog) -> ModelBundle:
    """Record in the bundle and beside the photos that the test set was looked at."""
    name, metrics, bundle = catalog.folder.resolve().name, run.metrics[TEST], run.bundle
    new = bundle.record_opening({"folder": name, "metrics": metrics}, run.find_false_alarms(TEST))
    model = f"{bundle.title} ({bundle.manifest['arch']}, {bundle.manifest['created']})"
    hashes = [p.sha256 for p in run.photos[TEST]]
    catalog.record_opening(model, hashes, {"folder": name, "accuracy": metrics["accuracy"]})
    return new


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
    parts: dict[str, list[Photo]] = {part: [] for part in (TRAIN, VALID, TEST, NEW, "foreign")}
    for photo in scanned.photos:
        split = known.get(photo.sha256) or pixels.get(photo.pixel_hash, NEW)
        parts[split if photo.label in bundle.vocab else "foreign"].append(photo)
    return parts
