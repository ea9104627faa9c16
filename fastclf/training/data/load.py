"""From a folder of photos to what is trained on: current labels, recorded splits, and how they came about."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...catalog import Assignment, Catalog, GivenSplits, NearPairs, find_pairs_across, read_given_splits
from ...errors import PhotosError, UsageError
from ...model import PhotoRow
from ...photos import (
    SPLITS,
    TEST,
    TRAIN,
    VALID,
    Photo,
    PhotoSet,
    Progress,
    build_training_file,
    find_class_folders,
)


@dataclass(frozen=True)
class TrainingData:
    """A scanned folder with its splits.

    Attributes
    ----------
    photos
        The readable photos, and what failed.
    frame
        A row a photo, ordered by content hash, with the columns ``file`` (as fastai reads it), ``path`` (the
        photo itself), ``name`` (relative to the folder), ``label``, ``sha256``, ``group``, ``split`` and
        ``is_valid``.
    private
        Where the folder's features are cached.
    conflicts
        How many photos were left out because equal pixels carry two labels.
    leaks
        How many were left out because they nearly agree with a photo of another split.
    removed
        How many edits took out.
    openings
        When the sealed test photos were looked at before.
    notes
        Sentences for the user.
    licences
        How many photos came under which licence; "" is none on record.
    split
        How they were split, for the record: how, seed, numbers, what was left out.
    """

    photos: PhotoSet
    frame: pd.DataFrame
    private: Path
    conflicts: int = 0
    leaks: int = 0
    removed: int = 0
    openings: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    licences: Mapping[str, int] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lost_classes(self) -> list[str]:
        """The class folders of which no photo is left: empty, unreadable, or equal to another class."""
        return [name for name in find_class_folders(self.photos.folder) if name not in self.vocab]

    @property
    def vocab(self) -> list[str]:
        """The class names, sorted."""
        return self.photos.vocab

    @property
    def short_side(self) -> int:
        """The median of the photos' shorter sides, in pixels."""
        return int(statistics.median(min(p.width, p.height) for p in self.photos.photos))

    def rows(self) -> list[PhotoRow]:
        """Return what the bundle keeps of every photo."""
        columns = self.frame[["sha256", "label", "group", "split"]]
        return [PhotoRow(*row) for row in columns.itertuples(index=False)]

    def part(self, split: str) -> pd.DataFrame:
        """Return the rows of "train", "valid" or "test"."""
        return self.frame[self.frame["split"] == split]

    def find_photos(self, split: str) -> list[Photo]:
        """Return the photos of a split, in the order of `part`."""
        known = {photo.name: photo for photo in self.photos.photos}
        return [known[name] for name in self.part(split)["name"]]

    def targets(self, split: str) -> npt.NDArray[Any]:
        """Return (N,) indices into the vocab, of the labels of a split's photos."""
        return np.array([self.vocab.index(label) for label in self.part(split)["label"]])

    def describe(self) -> Iterator[str]:
        """Say what is trained on, and what is left out and why."""
        parts = ", ".join(f"{len(self.part(split))} {split}" for split in SPLITS)
        yield f"{len(self.frame)} photos of {len(self.vocab)} classes: {parts} (sealed)."
        failures = self.photos.failures
        yield from (f"Skipped: {file} {reason}." for file, reason in failures[:20])
        if len(failures) > 20:
            yield f"... and {len(failures) - 20} more files that cannot be read."
        yield from self.notes
        if self.removed:
            yield f"Left out: {self.removed} photos that edits took out."
        if self.leaks:
            yield f"Left out: {self.leaks} photos that nearly agree with photos of another split."
        if self.conflicts:
            yield f"Left out: {self.conflicts} photos that lie in two class folders with the same pixels."
        if self.lost_classes:
            lost = ", ".join(self.lost_classes)
            yield f"Warning: no photo is left of {lost}; the model will not know them."


def load_data(
    folder: str | Path, *, seed: int = 0, split_by: str | Path | None = None, progress: Progress | None = None
) -> TrainingData:
    """Scan a folder and return its photos with current labels and their recorded splits.

    The scan is incremental, edits count, and photos without a split get one that stays.

    Parameters
    ----------
    folder
        One sub-folder per class.
    seed
        Another seed draws other splits, where none are recorded yet.
    split_by
        None draws; "folder" keeps photos of one sub-folder of the class folders together; else a CSV file
        with the columns ``path`` and ``split`` or ``group``.
    progress
        Called with (done, all) while photos are read.

    Raises
    ------
    PhotosError
        If there are fewer than two classes, or a class is too small to train and validate on.
    UsageError
        If `split_by` is not usable.
    CatalogError
        If the catalog cannot be opened or written.
    """
    with Catalog(folder) as catalog:
        catalog.scan(progress)
        scanned = catalog.photos()
        photos = scanned.without_conflicts()
        _check_classes(photos)
        given = _read_given(photos, split_by)
        assignment = catalog.assign_splits(photos.photos, seed=seed, given=given)
        frame = _build_frame(photos, assignment, catalog.private)
        _check_splits(photos.folder, frame)
        origin = _describe_origin(photos, split_by, seed if assignment.drawn else None)
        return _gather(catalog, len(scanned.photos), photos, assignment, frame, origin)


def _gather(
    catalog: Catalog,
    n_scanned: int,
    photos: PhotoSet,
    assignment: Assignment,
    frame: pd.DataFrame,
    origin: dict[str, Any],
) -> TrainingData:
    licences = catalog.fetches.licences()
    conflicts = n_scanned - len(photos.photos)
    return TrainingData(
        photos.without(p for p, split in zip(photos.photos, assignment.splits, strict=True) if not split),
        frame,
        catalog.private,
        conflicts=conflicts,
        leaks=len(photos.photos) - len(frame),
        removed=len(catalog.photos(removed=True).photos) - n_scanned,
        openings=tuple(catalog.find_openings(frame.loc[frame["split"] == TEST, "sha256"])),
        notes=(catalog.note,) if catalog.note else (),
        licences=Counter(licences.get(sha256, "") for sha256 in frame["sha256"]),
        split={
            **origin,
            **_describe_split(photos, assignment, catalog.find_near_pairs()),
            "left_out_conflicts": conflicts,
        },
    )


def _check_classes(photos: PhotoSet) -> None:
    if len(photos.vocab) < 2:
        raise PhotosError(
            "{folder} holds {n} class with readable photos; a classifier needs two. "
            "Add a sub-folder with photos of another kind.",
            folder=photos.folder,
            n=len(photos.vocab),
        )
    different = Counter(label for label, _ in {(p.label, p.pixel_hash) for p in photos.photos})
    small = [f"{label} ({different[label]})" for label in photos.vocab if different[label] < 3]
    if small:
        raise PhotosError(
            "Too few different photos of: {classes}. Three a class are the least to train and "
            "validate on; some dozens make a model.",
            classes=", ".join(small),
        )


def _check_splits(folder: Path, frame: pd.DataFrame) -> None:
    """Refuse splits that leave a class without training photos, or nothing to validate on."""
    trained = set(frame.loc[frame["split"] == TRAIN, "label"])
    lacking = sorted(set(frame["label"]) - trained)
    if lacking:
        raise PhotosError(
            "No photo of {classes} is in the training split of {folder}. Add photos, or draw "
            "new splits with --redraw-splits.",
            classes=", ".join(lacking),
            folder=folder,
        )
    if not (frame["split"] == VALID).any():
        raise PhotosError(
            "{folder} has no validation photos. Name some in the table of splits, or draw new splits "
            "with --redraw-splits.",
            folder=folder,
        )


def _build_frame(photos: PhotoSet, assignment: Assignment, private: Path) -> pd.DataFrame:
    rows = [
        {
            "file": str(build_training_file(photo, private)),
            "path": str(photo.path),
            "name": photo.name,
            "label": photo.label,
            "sha256": photo.sha256,
            "group": group,
            "split": split,
            "is_valid": split == VALID,
        }
        for photo, group, split in zip(photos.photos, assignment.groups, assignment.splits, strict=True)
        if split
    ]
    return pd.DataFrame(rows).sort_values(["sha256", "path"]).reset_index(drop=True)


def _read_given(photos: PhotoSet, split_by: str | Path | None) -> GivenSplits | None:
    """Return what the maker says about splits: nothing, by folder, or in a table."""
    if split_by is None:
        return None
    if split_by == "folder":
        return GivenSplits(by_folder=True)
    given = read_given_splits(Path(split_by))
    names = {p.name for p in photos.photos}
    if not names & {*given.splits, *given.groups}:
        raise UsageError(
            "The table of splits {split_by} names no photo of {folder}. Paths are relative to that "
            "folder, like {example}.",
            split_by=split_by,
            folder=photos.folder,
            example=next(iter(sorted(names)), "class/photo.jpg"),
        )
    return given


def _describe_split(photos: PhotoSet, assignment: Assignment, near: NearPairs) -> dict[str, int]:
    counts = Counter(assignment.splits)
    of = {p.sha256: split for p, split in zip(photos.photos, assignment.splits, strict=True)}
    return {
        **{split: counts[split] for split in SPLITS},
        "near_duplicates_across": len(find_pairs_across(near.pairs, of)),
        "left_out_leaks": counts[""],
    }


def _describe_origin(photos: PhotoSet, split_by: str | Path | None, drawn_with: int | None) -> dict[str, Any]:
    """Return where splits come from; the seed is recorded only where something was drawn."""
    if split_by is not None and split_by != "folder":
        return {"how": f"by the table {Path(split_by).name}", "seed": None}
    if split_by == "folder":
        return {"how": "folder", "seed": drawn_with}
    if any(p.given_split for p in photos.photos):
        return {"how": "named folders", "seed": None}
    return {"how": "recorded" if drawn_with is None else "drawn", "seed": drawn_with}
