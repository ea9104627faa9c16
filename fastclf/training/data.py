"""From a folder of photos to fastai's DataLoaders, the same on every machine."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
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
    Normalize,
    RandomResizedCrop,
    Resize,
    aug_transforms,
    imagenet_stats,
    set_seed,
)

from ..bundle import PhotoRow
from ..errors import PhotosError
from ..photos import Photo, PhotoSet, Progress, build_training_file, find_private_folder, scan_photos
from ..splits import TEST, TRAIN, VALID, draw_splits, group_identical

# What fastai may do to a training photo; `symmetric` fits photos, `upright` letters, digits and signs.
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "symmetric": {},
    "upright": {"do_flip": False, "max_rotate": 10.0, "max_zoom": 1.1, "max_warp": 0.1},
    "none": {},
}


@dataclass(frozen=True)
class TrainingData:
    """A scanned folder with its splits.

    Attributes
    ----------
    photos
        The readable photos, and what failed.
    frame
        A row a photo, ordered by content hash, with the columns ``file`` (as fastai reads it), ``path`` (the
        photo itself), ``label``, ``sha256``, ``group``, ``split`` and ``is_valid``.
    conflicts
        How many photos were left out because equal pixels carry two labels.
    """

    photos: PhotoSet
    frame: pd.DataFrame
    conflicts: int = 0

    @property
    def lost_classes(self) -> list[str]:
        """The class folders of which no photo is left: empty, unreadable, or equal to another class."""
        folders = (p for p in self.photos.folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        return sorted(
            p.name for p in folders if p.name not in self.vocab and not (p / "bundle.json").exists()
        )

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
    progress: Progress | None = None,
) -> TrainingData:
    """Scan a folder and draw its splits from content hashes.

    Parameters
    ----------
    folder
        One sub-folder a class.
    seed
        Another seed draws other splits.
    valid, test
        Wanted shares of the photos, in [0, 1).
    progress
        Called with (done, all) while photos are read.

    Raises
    ------
    PhotosError
        If there are fewer than two classes, or a class is too small to train and validate on.
    """
    scanned = scan_photos(Path(folder), progress)
    conflicting = [photo for group in scanned.find_conflicts() for photo in group]
    photos = scanned.without(conflicting)
    groups = group_identical([p.sha256 for p in photos.photos], [p.pixel_hash for p in photos.photos])
    labels = [p.label for p in photos.photos]
    _check_classes(photos, dict(zip(groups, labels, strict=True)))
    splits = draw_splits(groups, labels, seed=seed, valid=valid, test=test)
    return TrainingData(photos, _build_frame(photos, groups, splits), len(conflicting))


def build_dls(
    data: TrainingData,
    size: int,
    *,
    resize: str = "squish",
    augment: str = "symmetric",
    pretrained: bool = True,
    batch_size: int = 64,
    seed: int = 0,
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
        A key of `AUGMENTATIONS`.
    pretrained
        Whether the normalisation is left to the pretrained network's own, which `build_learner` adds.
    batch_size
        Photos a batch; fewer where there are fewer photos.
    seed
        For the order of the photos and the augmentation.
    """
    set_seed(seed, reproducible=True)
    train = data.part(TRAIN)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=data.vocab)),
        get_x=ColReader("file"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        item_tfms=_build_item_tfms(size, resize),
        batch_tfms=_build_batch_tfms(size, augment, pretrained),
    )
    frame = data.frame[data.frame["split"] != TEST].reset_index(drop=True)
    batch_size = max(2, min(batch_size, len(train) // 2))
    return block.dataloaders(frame, bs=batch_size, num_workers=0, path=data.photos.folder)


def _build_item_tfms(size: int, resize: str) -> list[Any]:
    if resize == "random-crop":
        # RandomResizedCrop validates on a centre crop of its own; the second transform never sees
        # a training photo of another size, and makes validation what Preprocess does
        return [_train_only(RandomResizedCrop(size, min_scale=0.5)), Resize(size, method="squish")]
    return [Resize(size, method=resize)]


def _train_only(transform: Any) -> Any:
    transform.split_idx = 0
    return transform


def _build_batch_tfms(size: int, augment: str, pretrained: bool) -> list[Any]:
    tfms = [] if augment == "none" else list(aug_transforms(**AUGMENTATIONS[augment]))
    return tfms if pretrained else [*tfms, Normalize.from_stats(*imagenet_stats)]


def _check_classes(photos: PhotoSet, label_of_group: dict[str, str]) -> None:
    if len(photos.vocab) < 2:
        raise PhotosError(
            f"{photos.folder} holds {len(photos.vocab)} class with readable photos; a classifier needs two. "
            "Add a sub-folder with photos of another kind."
        )
    counts = dict.fromkeys(photos.vocab, 0)
    for label in label_of_group.values():
        counts[label] += 1
    small = [f"{label} ({n})" for label, n in counts.items() if n < 3]
    if small:
        raise PhotosError(
            f"Too few different photos of: {', '.join(small)}. Three a class are the least to train and "
            "validate on; some dozens make a model."
        )


def _build_frame(photos: PhotoSet, groups: list[str], splits: list[str]) -> pd.DataFrame:
    private = find_private_folder(photos.folder)
    rows = [_row(photo, private, g, s) for photo, g, s in zip(photos.photos, groups, splits, strict=True)]
    frame = pd.DataFrame(rows).sort_values(["sha256", "path"]).reset_index(drop=True)
    return frame


def _row(photo: Photo, private: Path, group: str, split: str) -> dict[str, Any]:
    return {
        "file": str(build_training_file(photo, private)),
        "path": str(photo.path),
        "label": photo.label,
        "sha256": photo.sha256,
        "group": group,
        "split": split,
        "is_valid": split == VALID,
    }
