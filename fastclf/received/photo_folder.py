"""Photos that came with their classes become a folder, whole or not at all, with labels and splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..catalog import Catalog, check_label
from ..errors import UsageError
from ..photos import Photo, Progress
from ..system import find_write_error, hash_file, is_stray, replaced_folder
from .class_folders import name_folders

_WHY = "called so where it was taught"
_OURS = ".fastclf"


@dataclass(frozen=True)
class NewPhoto:
    """A photo on its way into a folder: its class's number, its file's name there, its bytes."""

    label: int
    file: str
    data: bytes


@dataclass(frozen=True)
class ClassNames:
    """What (K,) classes are called.

    Attributes
    ----------
    folders
        Their folders.
    labels
        Their labels in the catalog: the maker's own names, or the folder's where that name can be none.
    """

    folders: tuple[str, ...]
    labels: tuple[str, ...]

    @classmethod
    def choose(cls, vocab: Sequence[str]) -> ClassNames:
        """Return names for the classes of a maker."""
        folders = name_folders(vocab)
        labels = [name if _is_label(name) else own for name, own in zip(vocab, folders, strict=True)]
        # a name that became another class's folder would be that class
        clash = len(set(labels)) < len(labels)
        return cls(tuple(folders), tuple(folders if clash else labels))


def check_photo_target(folder: Path) -> None:
    """Refuse a place for photos that holds something already, or cannot be written.

    Raises
    ------
    UsageError
        If so.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError("{folder} is a file. Name a new folder for the photos with --photos.", folder=folder)
    if folder.is_dir() and not all(is_stray(path.name) for path in folder.iterdir()):
        raise UsageError(
            "{folder} already holds something, and nothing of it is overwritten. Name a new folder for the "
            "photos with --photos.",
            folder=folder,
        )
    if reason := find_write_error(folder):
        raise UsageError(
            "The photos cannot be written to {folder} ({reason}). Name another folder with --photos.",
            folder=folder,
            reason=reason,
        )


def holds_photos(folder: Path, hashes: Mapping[str, str]) -> bool:
    """Return whether a folder holds these files, {name: sha256}, and no others but fastclf's own."""
    if not folder.is_dir():
        return False
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if not path.is_dir() and not any(is_stray(part) for part in path.relative_to(folder).parts)
    }
    files = {name: path for name, path in found.items() if not name.startswith(f"{_OURS}/")}
    return files.keys() == hashes.keys() and all(
        path.is_file() and hash_file(path) == hashes[name] for name, path in files.items()
    )


def write_photo_folder(folder: Path, names: ClassNames, photos: Iterable[NewPhoto]) -> int:
    """Write photos into the folders of their classes; returns how many.

    The folder appears when the last photo is written, and not if one of them cannot be had.
    """
    with replaced_folder(folder) as staging:
        for name in names.folders:
            (staging / name).mkdir()
        files = [_write(staging / names.folders[photo.label], photo) for photo in photos]
    return len(files)


def _write(folder: Path, photo: NewPhoto) -> str:
    (folder / photo.file).write_bytes(photo.data)
    return photo.file


def record_labels(
    folder: Path,
    names: ClassNames,
    splits: Mapping[str, tuple[str, str]],
    progress: Progress | None = None,
) -> tuple[Photo, ...]:
    """Put labels and splits on record in the folder's catalog; returns the photos.

    Parameters
    ----------
    folder
        As `write_photo_folder` left it.
    names
        What the classes are called.
    splits
        {sha256: (group, split)}.
    progress
        Called with (done, all) while photos are read.
    """
    with Catalog(folder) as catalog:
        catalog.scan(progress)
        catalog.adopt_splits(splits)
        # who has cleaned the folder since has the last word
        if not catalog.edits(log=True):
            found = catalog.photos().photos
            for own, label in zip(names.folders, names.labels, strict=True):
                renamed = [photo.name for photo in found if photo.folder_label == own] if own != label else []
                if renamed:
                    catalog.relabel(renamed, label, _WHY, new_class=True)
        return catalog.photos(removed=True).photos


def _is_label(name: str) -> bool:
    try:
        check_label(name)
    except UsageError:
        return False
    return True
