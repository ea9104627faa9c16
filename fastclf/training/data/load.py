"""From a folder of photos to fastai's DataLoaders, the same on every machine."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    ColSplitter,
    DataBlock,
    DataLoaders,
    ImageBlock,
    set_seed,
)

from ...catalog import Assignment, Catalog
from ...errors import PhotosError
from ...model import PhotoRow
from ...photos import TEST, TRAIN, VALID, Photo, PhotoSet, Progress, build_training_file, find_class_folders
from .split_record import describe_split, read_given
from .transforms import build_batch_tfms, build_item_tfms


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


def load_data(
    folder: str | Path,
    *,
    seed: int = 0,
    valid: float = 0.2,
    test: float = 0.1,
    split_by: str | Path | None = None,
    progress: Progress | None = None,
) -> TrainingData:
    """Scan a folder and return its photos with today's labels and their recorded splits.

    The scan is incremental, edits count, and photos without a split get one that stays.

    Parameters
    ----------
    folder
        One sub-folder a class.
    seed
        Another seed draws other splits, where none are recorded yet.
    valid, test
        Wanted shares of the photos, in [0, 1).
    split_by
        None draws; "folder" keeps photos of one sub-folder of the class folders together; else a CSV file
        with the columns ``path`` and ``split`` or ``group``.
    progress
        Called with (done, all) while photos are read.

    Raises
    ------
    PhotosError
        If there are fewer than two classes, or a class is too small to train and validate on.
    UsageProblem
        If `split_by` is not usable.
    CatalogError
        If the catalog cannot be opened or written.
    """
    with Catalog(folder) as catalog:
        catalog.scan(progress)
        scanned = catalog.photos()
        conflicting = [photo for group in scanned.find_conflicts() for photo in group]
        photos = scanned.without(conflicting)
        _check_classes(photos)
        given = read_given(photos, split_by)
        assignment = catalog.assign_splits(photos.photos, seed=seed, valid=valid, test=test, given=given)
        leaks = [p for p, split in zip(photos.photos, assignment.splits, strict=True) if not split]
        frame = _build_frame(photos, assignment, catalog.private)
        _check_splits(photos.folder, frame)
        return TrainingData(
            photos.without(leaks),
            frame,
            catalog.private,
            conflicts=len(conflicting),
            leaks=len(leaks),
            removed=len(catalog.photos(removed=True).photos) - len(scanned.photos),
            openings=tuple(catalog.find_openings(frame.loc[frame["split"] == TEST, "sha256"])),
            notes=(catalog.note,) if catalog.note else (),
            licences=_count_licences(frame, catalog.fetches.licences()),
            split=describe_split(
                photos,
                assignment,
                catalog.find_near_pairs(),
                split_by=split_by,
                seed=seed,
                conflicts=len(conflicting),
            ),
        )


def build_dls(
    data: TrainingData,
    size: int,
    *,
    resize: str = "squish",
    augment: str = "symmetric",
    pretrained: bool = True,
    batch_size: int = 64,
    seed: int = 0,
    workers: int = 0,
) -> DataLoaders:
    """Build fastai's DataLoaders of the train and valid photos; the sealed test photos are not in them.

    Parameters
    ----------
    data
        What `load_data` returned.
    size
        Height and width of the network's input, in pixels.
    resize
        "squish", "crop" or "pad"; "random-crop" trains on random crops and validates on squished photos.
    augment
        A key of `transforms.AUGMENTATIONS`.
    pretrained
        Whether the normalisation is left to the pretrained network's own, which `build_learner` adds.
    batch_size
        Photos a batch; fewer where there are fewer photos.
    seed
        For the order of the photos and the augmentation.
    workers
        Processes that decode photos; 0 is none but this one.
    """
    set_seed(seed, reproducible=True)
    train = data.part(TRAIN)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=data.vocab)),
        get_x=ColReader("file"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        item_tfms=build_item_tfms(size, resize),
        batch_tfms=build_batch_tfms(size, augment, pretrained),
    )
    frame = data.frame[data.frame["split"] != TEST].reset_index(drop=True)
    batch_size = max(2, min(batch_size, len(train) // 2))
    return block.dataloaders(frame, bs=batch_size, num_workers=workers, path=data.photos.folder)


def _count_licences(frame: pd.DataFrame, licences: Mapping[str, str]) -> Mapping[str, int]:
    return Counter(licences.get(sha256, "") for sha256 in frame["sha256"])


def _check_classes(photos: PhotoSet) -> None:
    if len(photos.vocab) < 2:
        raise PhotosError(
            "{folder} holds {n} class with readable photos; a classifier needs two. "
            "Add a sub-folder with photos of another kind.",
            folder=photos.folder,
            n=len(photos.vocab),
        )
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


def _check_splits(folder: Path, frame: pd.DataFrame) -> None:
    """Refuse splits that leave a class without training photos, or nothing to validate on."""
    trained = set(frame.loc[frame["split"] == TRAIN, "label"])
    lacking = sorted(set(frame["label"]) - trained)
    if lacking:
        raise PhotosError(
            "No photo of {classes} is in the training split of {folder}. Add photos, or draw the "
            "splits anew with --redraw-splits.",
            classes=", ".join(lacking),
            folder=folder,
        )
    if not (frame["split"] == VALID).any():
        raise PhotosError(
            "{folder} has no validation photos. Name some in the table of splits, or draw the splits anew "
            "with --redraw-splits.",
            folder=folder,
        )


def _build_frame(photos: PhotoSet, assignment: Assignment, private: Path) -> pd.DataFrame:
    rows = [
        _row(photo, private, group, split)
        for photo, group, split in zip(photos.photos, assignment.groups, assignment.splits, strict=True)
        if split
    ]
    return pd.DataFrame(rows).sort_values(["sha256", "path"]).reset_index(drop=True)


def _row(photo: Photo, private: Path, group: str, split: str) -> dict[str, Any]:
    return {
        "file": str(build_training_file(photo, private)),
        "path": str(photo.path),
        "name": photo.name,
        "label": photo.label,
        "sha256": photo.sha256,
        "group": group,
        "split": split,
        "is_valid": split == VALID,
    }
