"""A folder of photos as a data set: current labels, recorded splits, and how they came about."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import PhotosError
from ..model import PhotoRow
from ..photos import (
    SPLITS,
    TEST,
    TRAIN,
    VALID,
    Photo,
    PhotoSet,
    Progress,
    describe_one_class,
    find_class_folders,
)
from ..system import ShortRepr
from .catalog import Catalog
from .near_pairs import NearPairs, find_pairs_across
from .split_table import read_given
from .splits import Assignment

_MOST_TOLD = 20  # files that are named one by one
_MOST_CLASSES = 40


@dataclass(frozen=True)
class SplitPhoto:
    """A photo with its split, and the name of its group of copies."""

    photo: Photo
    group: str
    split: str


@dataclass(frozen=True, repr=False)
class Dataset(ShortRepr):
    """A scanned folder with its splits.

    Attributes
    ----------
    photos
        The readable photos, and what failed.
    rows
        The photos that have a split, ordered by content hash.
    private
        Where the folder's features are cached.
    conflicts
        How many photos were left out because equal pixels carry two labels.
    twins
        The names of two such photos, or None.
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
    rows: tuple[SplitPhoto, ...]
    private: Path
    conflicts: int = 0
    twins: tuple[str, str] | None = None
    leaks: int = 0
    removed: int = 0
    openings: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    licences: Mapping[str, int] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lost_classes(self) -> list[str]:
        """The class folders of which no photo is left: empty, unreadable, or equal to another class."""
        merged = {photo.folder_label for photo in self.photos.photos}
        folders = find_class_folders(self.photos.folder)
        return [name for name in folders if name not in self.vocab and name not in merged]

    @property
    def vocab(self) -> list[str]:
        """The class names, sorted."""
        return self.photos.vocab

    @property
    def short_side(self) -> int:
        """The median of the photos' shorter sides, in pixels."""
        return int(statistics.median(min(p.width, p.height) for p in self.photos.photos))

    def list_rows(self) -> list[PhotoRow]:
        """Return what a model keeps of every photo."""
        return [PhotoRow(r.photo.sha256, r.photo.label, r.group, r.split) for r in self.rows]

    def part(self, split: str) -> list[Photo]:
        """Return the photos of "train", "valid" or "test"."""
        return [r.photo for r in self.rows if r.split == split]

    def targets(self, split: str) -> npt.NDArray[np.int64]:
        """Return (N,) indices into the vocab, of the labels of a split's photos."""
        return np.array([self.vocab.index(photo.label) for photo in self.part(split)], np.int64)

    def describe_licences(self, default: str) -> str:
        """Return the photos' licences, the most frequent first, with numbers where there are several."""
        counts: Counter[str] = Counter()
        for licence, n in self.licences.items():
            counts[licence or default] += n
        if len(counts) < 2:
            return next(iter(counts), default)
        return ", ".join(f"{licence} ({n})" for licence, n in counts.most_common())

    def describe(self) -> Iterator[str]:
        """Say what is trained on, and what is left out and why."""
        parts = ", ".join(f"{len(self.part(split))} {split}" for split in SPLITS)
        yield f"{len(self.rows)} photos of {len(self.vocab)} classes: {parts} (sealed)."
        yield f"Classes: {self._count_classes()}."
        failures = self.photos.failures
        yield from (f"Skipped: {file} {reason}." for file, reason in failures[:_MOST_TOLD])
        if len(failures) > _MOST_TOLD:
            yield f"... and {len(failures) - _MOST_TOLD} more files that cannot be read."
        yield from self.notes
        if self.removed:
            yield f"Left out: {self.removed} photos that edits took out."
        if self.leaks:
            yield f"Left out: {self.leaks} photos that nearly agree with photos of another split."
        if self.conflicts:
            example = "" if self.twins is None else f", {' and '.join(self.twins)} for example"
            same = "photos that lie in two class folders with the same pixels"
            yield f"Left out: {self.conflicts} {same}{example}."
        if self.lost_classes:
            lost = ", ".join(self.lost_classes)
            yield f"Warning: no photo is left of {lost}; the model will not know them."

    def _count_classes(self) -> str:
        """Return how many photos each class has."""
        counts = Counter(row.photo.label for row in self.rows)
        told = [f"{label} {counts[label]}" for label in self.vocab[:_MOST_CLASSES]]
        more = len(self.vocab) - len(told)
        return ", ".join(told) + (f" and {more} more" if more else "")

    def describe_changes(self, before: Dataset) -> Iterator[str]:
        """Say which photos have another label than in an earlier reading, came or went; nothing if none."""
        was, now = ({r.photo.name: r.photo.label for r in data.rows} for data in (before, self))
        told = [f"{n}: {was[n]} is now {now[n]}." for n in sorted(now) if n in was and was[n] != now[n]]
        told += [f"{n} is gone." for n in sorted(was.keys() - now.keys())]
        told += [f"{n} is new." for n in sorted(now.keys() - was.keys())]
        yield from told[:_MOST_TOLD]
        if len(told) > _MOST_TOLD:
            yield f"... and {len(told) - _MOST_TOLD} more."


def load_dataset(
    folder: str | Path,
    *,
    seed: int = 0,
    valid: float = 0.2,
    test: float = 0.1,
    split_by: str | Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Scan a folder and return its photos with current labels and their recorded splits.

    The scan is incremental, edits count, and photos without a split get one that stays.

    Parameters
    ----------
    folder
        One sub-folder per class.
    seed
        Another seed draws other splits, where none are recorded yet.
    valid, test
        Wanted shares of the photos, in [0, 1).
    split_by
        None draws; "folder" keeps photos of one sub-folder of the class folders together; else a CSV file
        with the columns ``path`` and ``split`` or ``group``.
    progress
        Called with (done, all) while photos are read.

    Returns
    -------
    Dataset
        The photos with their splits, and what was left out.

    Raises
    ------
    PhotosError
        If there are fewer than two classes, or a class is too small to train and validate on.
    UsageError
        If `split_by` is not usable.
    CatalogError
        If the catalog cannot be opened or written.

    Examples
    --------
    >>> data = load_dataset("photos/bears")
    >>> len(data.part("train")), len(data.part("valid")), len(data.part("test"))
    (15, 6, 3)
    >>> data.part("valid")[0].label in data.vocab
    True
    """
    with Catalog.of_photos(folder) as catalog:
        catalog.scan(progress)
        scanned, everything = catalog.photos(), catalog.photos(removed=True).photos
        photos = scanned.without_conflicts()
        conflicts = scanned.find_conflicts()
        _check_classes(photos, conflicts)
        given, said = read_given(
            photos, split_by, {p.name for p in everything} | dict(scanned.failures).keys()
        )
        assignment = catalog.assign_splits(photos.photos, seed=seed, valid=valid, test=test, given=given)
        rows = _list_rows(photos, assignment)
        leaks = {*photos.photos} - {row.photo for row in rows}
        _check_splits(photos.folder, rows)
        return Dataset(
            photos.without(leaks),
            rows,
            catalog.private,
            conflicts=sum(map(len, conflicts)),
            twins=_name_twins(conflicts),
            leaks=len(leaks),
            removed=len(everything) - len(scanned.photos),
            openings=tuple(catalog.find_openings(r.photo.sha256 for r in rows if r.split == TEST)),
            notes=tuple(note for note in (catalog.note, *catalog.remarks, *said) if note),
            licences=_count_licences(rows, catalog.fetches.licences()),
            split=_describe_origin(photos, split_by, seed if assignment.drawn else None)
            | _describe_split(photos, assignment, catalog.find_near_pairs())
            | {"left_out_conflicts": sum(map(len, conflicts))},
        )


def _count_licences(rows: Sequence[SplitPhoto], licences: Mapping[str, str]) -> Mapping[str, int]:
    return Counter(licences.get(row.photo.sha256, "") for row in rows)


def _name_twins(conflicts: Sequence[Sequence[Photo]]) -> tuple[str, str] | None:
    """Return the names of two equal photos that lie in two classes, or None."""
    first = next(iter(conflicts), None)
    if first is None:
        return None
    other = next(photo for photo in first if photo.label != first[0].label)
    return first[0].name, other.name


def _check_number(photos: PhotoSet, conflicts: Sequence[Sequence[Photo]]) -> None:
    """Refuse fewer than two classes with photos."""
    twins = _name_twins(conflicts)
    if len(photos.vocab) < 2 and twins is not None:
        raise PhotosError(
            "{n} photos of {folder} lie in two classes with the same pixels, {one} and {other} for example, "
            "and nobody knows which is right; without them {left} class with photos is left. Remove the "
            "wrong copies.",
            n=sum(map(len, conflicts)),
            folder=photos.folder,
            one=twins[0],
            other=twins[1],
            left=len(photos.vocab) or "no",
        )
    if len(photos.vocab) < 2:
        raise describe_one_class(photos.folder, len(photos.vocab))


def _check_classes(photos: PhotoSet, conflicts: Sequence[Sequence[Photo]]) -> None:
    """Refuse what is too little to train and validate on."""
    _check_number(photos, conflicts)
    different: dict[str, set[str]] = {label: set() for label in photos.vocab}
    for photo in photos.photos:
        different[photo.label].add(photo.pixel_hash)
    small = [f"{label} ({len(hashes)})" for label, hashes in different.items() if len(hashes) < 3]
    if small:
        raise PhotosError(
            "Too few different photos of: {classes}. Three a class are the least to train and "
            "validate on; some dozens make a model.",
            classes=", ".join(small),
        )


def _check_splits(folder: Path, rows: Sequence[SplitPhoto]) -> None:
    """Refuse splits that leave a class without training photos, or nothing to validate on."""
    trained = {row.photo.label for row in rows if row.split == TRAIN}
    lacking = sorted({row.photo.label for row in rows} - trained)
    if lacking:
        raise PhotosError(
            "No photo of {classes} is in the training split of {folder}. Add photos, or draw "
            "new splits with --redraw-splits.",
            classes=", ".join(lacking),
            folder=folder,
        )
    if not any(row.split == VALID for row in rows):
        raise PhotosError(
            "{folder} has no validation photos. Name some in the table of splits, or draw new splits "
            "with --redraw-splits.",
            folder=folder,
        )


def _list_rows(photos: PhotoSet, assignment: Assignment) -> tuple[SplitPhoto, ...]:
    given = zip(photos.photos, assignment.groups, assignment.splits, strict=True)
    rows = [SplitPhoto(photo, group, split) for photo, group, split in given if split]
    return tuple(sorted(rows, key=lambda row: (row.photo.sha256, str(row.photo.path))))


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
