"""The one walk over a folder of photos: every file below a class folder is a photo, or is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Message, PhotosError
from ..system import has_catalog, unify_name
from .layout import ClassFolder, find_layout
from .no_classes import describe_nothing, describe_one_class
from .passed_over import PassedOver, write_notes
from .splits import TRAIN
from .tree import File, Folder, walk_folders

_NO_FOLDER = Message("There is no folder {folder}. Name a folder with one sub-folder per class.")


@dataclass(frozen=True)
class FoundFile:
    """A file that is a photo by its name or by its first bytes.

    Attributes
    ----------
    path
        Where it lies.
    name
        The path relative to the folder, with ``/``, as it is spelt on the disk.
    label
        The class folder's name, in the one spelling in which labels are compared.
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


@dataclass(frozen=True)
class FoundFiles:
    """The photos of a folder, and what is to be said of the rest.

    Attributes
    ----------
    files
        The photos, by class folder and name.
    labels
        The classes, sorted; the empty ones too.
    notes
        What was concluded about the folders, and what was passed over, each with an example.
    """

    files: tuple[FoundFile, ...]
    labels: tuple[str, ...]
    notes: tuple[Message, ...]


def find_photo_files(folder: Path) -> list[FoundFile]:
    """Return the photos in the class folders of a folder, as `walk_photos` finds them."""
    return list(walk_photos(folder).files)


def walk_photos(folder: Path, *, empty_ok: bool = False) -> FoundFiles:
    """Find the photos in the class folders of a folder, and what is to be said of the rest.

    What systems left behind and what is hidden is passed over; below a class folder every depth counts. Which
    folders are classes, and which name splits, says `find_layout`.

    Parameters
    ----------
    folder
        Where the class folders lie.
    empty_ok
        Whether a folder without photos, or whose folders are named like splits, is no error.

    Raises
    ------
    PhotosError
        If `folder` is no folder or may not be entered, holds no class folder with photos in it, or holds what
        would be misunderstood; the message says what is there and what was meant.
    """
    root = open_root(folder)
    layout = find_layout(root, strict=not empty_ok)
    found, passed = _walk_classes(layout.classes)
    if not found and not empty_ok:
        raise describe_nothing(root, layout)
    labels = sorted({one.label for one in layout.classes})
    return FoundFiles(tuple(found), tuple(labels), tuple(write_notes(layout, passed)))


def refuse_early(folder: str | Path, classes: int = 1) -> None:
    """Refuse what holds no photos in class folders, before anything is written or read.

    Parameters
    ----------
    folder
        The photos' folder.
    classes
        How many classes have to have photos: 2 to train. Where there is a catalog, edits may have made more.

    Raises
    ------
    PhotosError
        As `walk_photos` does.
    """
    root = open_root(Path(folder))
    layout = find_layout(root)
    full = {one.label for one in layout.classes if one.folder.contains_photos}
    if not full:
        raise describe_nothing(root, layout)
    if len(full) < classes and not has_catalog(root.path):
        raise describe_one_class(root.path, len(full))


def list_photo_files(folder: Path) -> list[FoundFile]:
    """Return every photo below a folder, as `list_photos` finds them."""
    return list(list_photos(folder).files)


def list_photos(folder: Path) -> FoundFiles:
    """Find every photo below a folder, whatever the sub-folders are called; labels and splits are "".

    Parameters
    ----------
    folder
        Any folder.

    Returns
    -------
    FoundFiles
        The files by name, and what was passed over.

    Raises
    ------
    PhotosError
        If `folder` is no folder, or may not be entered.

    Examples
    --------
    >>> [file.name for file in list_photos(Path("photos/new")).files][:2]
    ['000.png', '001.png']
    """
    root = open_root(folder, Message("There is no folder {folder}. Name a folder with photos."))
    found, passed = _walk_classes([ClassFolder(root, "")])
    return FoundFiles(tuple(found), (), tuple(passed.describe()))


def find_class_folders(folder: Path, *, deeper: bool = True) -> list[str]:
    """Return the names of the class folders, the empty ones too; of `folder` itself alone if not `deeper`."""
    root = Folder(folder)
    layout = find_layout(root, strict=False)
    return sorted({one.label for one in layout.classes}) if deeper or layout.base is root else []


def find_class_folder(folder: Path, label: str) -> Path:
    """Return the folder that a new photo of a class belongs into; it need not be there yet.

    Where the folders name splits, that is the training one.
    """
    layout, wanted = find_layout(Folder(folder), strict=False), unify_name(label)
    own = [one for one in layout.classes if one.label == wanted]
    if own:
        return min(own, key=lambda one: one.split != TRAIN).folder.path
    beside = next((one for one in layout.classes if one.split == TRAIN), None)
    if beside is None:
        return layout.base.path / label
    path = beside.folder.path
    in_class = unify_name(path.name) != beside.label  # cat/train rather than train/cat
    return layout.base.path / label / path.name if in_class else path.parent / label


def leave_class_out(name: str, label: str) -> tuple[str, str]:
    """Return what stands before and behind the class folder in a photo's name.

    Parameters
    ----------
    name
        The path relative to the photos' folder, with ``/``.
    label
        The class folder's name.

    Examples
    --------
    >>> leave_class_out("train/cat/tabby/a.jpg", "cat")
    ('train', 'tabby/a.jpg')
    """
    *parts, file = name.split("/")
    unified = [unify_name(part) for part in parts]
    place = unified.index(label) if label in unified else 0
    return "/".join(parts[:place]), "/".join([*parts[place + 1 :], file])


def open_root(folder: Path, no_folder: str = _NO_FOLDER) -> Folder:
    """Return a folder that can be listed.

    Raises
    ------
    PhotosError
        If it cannot; `no_folder` is what to say where there is none.
    """
    root = Folder(folder)
    try:
        is_folder, is_file = folder.is_dir(), folder.is_file()
        fault = root.listing.fault if is_folder else ""
    except OSError as e:  # what it lies in may not be entered
        is_folder, is_file, fault = True, False, e.strerror or str(e)
    if not is_folder:
        a_file = "{folder} is a file, not a folder with photos. Name the folder that it lies in."
        words = a_file if is_file else no_folder
        raise PhotosError(words, folder=folder)
    if fault:
        raise PhotosError("The folder {folder} cannot be read ({reason}).", folder=folder, reason=fault)
    return root


def _walk_classes(classes: Sequence[ClassFolder]) -> tuple[list[FoundFile], PassedOver]:
    """Return the photos of class folders; a folder that links lead to twice is walked once."""
    found, passed, again = list[FoundFile](), PassedOver(), list[Folder]()
    # a class that is a link gives way to one that lies there
    starts = sorted(((one, one.folder) for one in classes), key=lambda start: start[1].is_link)
    for one, folder in walk_folders(starts, again):
        passed.add(folder)
        for file in folder.listing.files:
            if file.is_photo:
                found.append(_describe_file(file, one))
            else:
                passed.files.append(file.name)
    passed.links = [folder.name for folder in again]
    passed.files.sort()
    return sorted(found, key=lambda file: file.name.split("/")), passed


def _describe_file(file: File, one: ClassFolder) -> FoundFile:
    status = file.status  # None for a dangling link; reading it will say so
    size, mtime = (-1, -1) if status is None else (status.st_size, status.st_mtime_ns)
    return FoundFile(file.path, file.name, one.label, one.split, size, mtime)
