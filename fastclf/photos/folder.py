"""A folder of photos, a sub-folder a class: what lies there, and what is known of each photo."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import PhotosError
from ..system import ShortRepr, write_atomic
from .decode import MAX_FOLDER_BYTES, SUFFIXES, decode_photo, encode_png
from .splits import TEST, TRAIN, VALID

_logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

# Folder names that say a split when nothing else lies beside them: DIR/train/cat, DIR/valid/cat.
_SPLIT_FOLDERS = {
    "train": TRAIN, "training": TRAIN, "valid": VALID, "val": VALID, "validation": VALID, "test": TEST,
}  # fmt: skip


@dataclass(frozen=True)
class Photo:
    """One readable photo of a labelled folder.

    Attributes
    ----------
    path
        Where it lies.
    name
        The path relative to the folder, with ``/``.
    label
        Its class today: the class folder's name, or what an edit said.
    sha256
        Hash of the file's bytes.
    pixel_hash
        Hash of the decoded pixels.
    width, height
        Pixels, upright.
    plain
        Whether fastai reads it like fastclf does.
    id
        The catalog's number of it; a renamed photo keeps its number.
    folder_label
        The class folder's name.
    given_split
        The split that the folder names (``DIR/train/cat``), or "".
    split
        The recorded split, or "" where none is recorded yet.
    removed
        Whether an edit took it out.
    size
        Bytes.
    """

    path: Path
    name: str
    label: str
    sha256: str
    pixel_hash: str
    width: int
    height: int
    plain: bool
    id: int = 0
    folder_label: str = ""
    given_split: str = ""
    split: str = ""
    removed: bool = False
    size: int = 0


@dataclass(frozen=True, repr=False)
class PhotoSet(ShortRepr):
    """The photos of a folder and what could not be read of it.

    Attributes
    ----------
    folder
        Where the class folders lie.
    photos
        The readable ones, in the order of label and path.
    failures
        (file relative to the folder, reason) of the others.
    """

    folder: Path
    photos: tuple[Photo, ...]
    failures: tuple[tuple[str, str], ...]

    @property
    def vocab(self) -> list[str]:
        """The class names, sorted."""
        return sorted({photo.label for photo in self.photos})

    def find_conflicts(self) -> list[list[Photo]]:
        """Return groups of photos with equal pixels under two labels or more."""
        groups: dict[str, list[Photo]] = defaultdict(list)
        for photo in self.photos:
            groups[photo.pixel_hash].append(photo)
        return [group for group in groups.values() if len({p.label for p in group}) > 1]

    def without_conflicts(self) -> PhotoSet:
        """Return the set without the photos of such groups: nobody knows which label is right."""
        return self.without(photo for group in self.find_conflicts() for photo in group)

    def without(self, photos: Iterable[Photo]) -> PhotoSet:
        """Return the set without some of its photos."""
        gone = set(photos)
        return PhotoSet(self.folder, tuple(p for p in self.photos if p not in gone), self.failures)


@dataclass(frozen=True)
class FoundFile:
    """A file that is named like a photo.

    Attributes
    ----------
    path
        Where it lies.
    name
        The path relative to the folder, with ``/``.
    label
        The class folder's name.
    split
        The split that the folder names, or "".
    size
        Bytes.
    mtime_ns
        Time of the last change, in nanoseconds.
    """

    path: Path
    name: str
    label: str
    split: str
    size: int
    mtime_ns: int


def find_photo_files(folder: Path) -> list[FoundFile]:
    """List the files in the class folders that are named like photos.

    Hidden files and folders are passed over; below a class folder every depth counts. Where a folder holds
    nothing but folders named train, valid (or val, validation) and test, the classes are the folders in
    these.

    Raises
    ------
    PhotosError
        If `folder` is no folder, or holds no class folder with photos in it.
    """
    if not folder.is_dir():
        raise PhotosError(
            "There is no folder {folder}. Name a folder with one sub-folder per class.", folder=folder
        )
    found = [
        file
        for sub, label, split in _find_class_folders(folder)
        for file in _walk(sub, sub.relative_to(folder).as_posix(), label, split, set())
    ]
    if not found:
        raise PhotosError(
            "{folder} holds no photos. Make one sub-folder per class ({folder}/cat, {folder}/dog) "
            "and put the photos there.",
            folder=folder,
        )
    return found


def list_photo_files(folder: Path) -> list[FoundFile]:
    """List every file below a folder that is named like a photo, whatever the sub-folders are called.

    Hidden files and folders are passed over; labels and splits are "".

    Raises
    ------
    PhotosError
        If `folder` is no folder.
    """
    if not folder.is_dir():
        raise PhotosError("There is no folder {folder}. Name a folder with photos.", folder=folder)
    return [replace(file, name=file.name[2:]) for file in _walk(folder, ".", "", "", set())]


def find_class_folders(folder: Path) -> list[str]:
    """Return the names of the class folders, the empty ones too."""
    return sorted({label for _, label, _ in _find_class_folders(folder)})


def find_class_folder(folder: Path, label: str) -> Path:
    """Return the folder that a new photo of a class belongs into; it need not be there yet.

    Where the folders name splits, that is the training one.
    """
    known = _find_class_folders(folder)
    own = [(sub, split) for sub, name, split in known if name == label]
    if own:
        return min(own, key=lambda found: found[1] != TRAIN)[0]
    training = [sub.parent for sub, _, split in known if split == TRAIN]
    return (training[0] if training else folder) / label


def build_training_file(photo: Photo, private: Path) -> Path:
    """Return a file that fastai decodes to the same pixels as fastclf.

    The photo itself where it is plain; else a copy under ``decoded/`` (upright, 8 bits, over white).
    """
    if photo.plain:
        return photo.path
    folder = private / "decoded"
    folder.mkdir(exist_ok=True)
    copy = folder / f"{photo.sha256}.png"
    if not copy.exists():
        write_atomic(copy, encode_png(decode_photo(photo.path, max_bytes=MAX_FOLDER_BYTES).image))
    return copy


def _find_class_folders(folder: Path) -> list[tuple[Path, str, str]]:
    """Return (folder, label, split or "") of each class folder."""
    subs = _list_folders(folder)
    if len(subs) > 1 and {s.name.lower() for s in subs} <= set(_SPLIT_FOLDERS):
        inner = [(deep, deep.name, _SPLIT_FOLDERS[s.name.lower()]) for s in subs for deep in _list_folders(s)]
        if inner:
            return inner
    return [(sub, sub.name, "") for sub in subs]


def _list_folders(folder: Path) -> list[Path]:
    return [
        sub
        for sub in sorted(folder.iterdir())
        if sub.is_dir() and not sub.name.startswith(".") and not (sub / "bundle.json").exists()
    ]


def _walk(folder: Path, name: str, label: str, split: str, seen: set[Path]) -> Iterator[FoundFile]:
    """List the photo files below a folder; a folder that links lead to twice is walked once."""
    real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as e:
        _logger.warning("Left out: the folder %s cannot be read (%s).", folder, e.strerror)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        inside = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _walk(folder / entry.name, inside, label, split, seen)
        elif entry.name.lower().endswith(SUFFIXES):
            yield _describe_file(entry, folder / entry.name, inside, label, split)


def _describe_file(entry: os.DirEntry[str], path: Path, name: str, label: str, split: str) -> FoundFile:
    try:
        status = entry.stat()
        return FoundFile(path, name, label, split, status.st_size, status.st_mtime_ns)
    except OSError:  # a dangling link; reading it will say so
        return FoundFile(path, name, label, split, -1, -1)
