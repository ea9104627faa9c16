"""A tree of folders, of a disk or an archive: listed when somebody looks, and walked in no circles."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ..errors import PhotosError
from ..system import DATABASE, is_stray
from .decode import SUFFIXES
from .signatures import HEAD_BYTES, sniff_format

_Tag = TypeVar("_Tag")
# So many folders are looked through for the first photo, and so many odd files for what their bytes say.
_MOST_FOLDERS, _MOST_SNIFFED = 3000, 50
# What only programs keep in folders like these; their photos, if any, are no data.
_TOOLS = (".git", ".svn", ".hg", ".dvc", ".cache", ".venv", ".idea", ".vscode", ".fastclf")
_NO_FILES = ("camera raw",)
# Photos that wait for a label lie here, beside the classes.
NEW_FOLDER = "_new"


class File:
    """A file of a folder, by its name alone until somebody asks for more; a folder may hold a million.

    Attributes
    ----------
    name
        The path relative to the folder that the walk began with, with ``/``.
    named_photo
        Whether it is named like a photo.
    """

    __slots__ = ("_entry", "_folder", "_is_photo", "_status", "name", "named_photo")

    def __init__(self, name: str, folder: Path | None = None, entry: os.DirEntry[str] | None = None) -> None:
        self.name, self._folder, self._entry = name, folder, entry
        self.named_photo = name.lower().endswith(SUFFIXES)
        self._is_photo = True if self.named_photo else None if entry is not None else False
        self._status: os.stat_result | None = None

    @property
    def path(self) -> Path:
        """Where it lies."""
        if self._folder is None or self._entry is None:
            return Path(self.name)
        return self._folder / self._entry.name

    @property
    def status(self) -> os.stat_result | None:
        """What the system says of it; None for a link that leads nowhere, and in an archive."""
        if self._status is None and self._entry is not None:
            with contextlib.suppress(OSError):
                self._status = self._entry.stat()
        return self._status

    @property
    def is_photo(self) -> bool:
        """Whether it is named like a photo, or its bytes begin like one; one that may not be read may be."""
        if self._is_photo is None:
            self._is_photo = self._begins_like_photo()
        return self._is_photo

    def _begins_like_photo(self) -> bool:
        # a pipe would wait for ever
        if self.status is None or not stat.S_ISREG(self.status.st_mode) or not self.status.st_size:
            return False
        try:
            with self.path.open("rb") as file:
                return sniff_format(file.read(HEAD_BYTES)) not in ("", *_NO_FILES)
        except OSError:
            return True


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, but for what systems left behind; folders and files by name.

    Attributes
    ----------
    folders
        Those that are no models and are not hidden.
    files
        Those that are not hidden.
    hidden
        Names of the other ones.
    fault
        Why it cannot be listed, or "".
    """

    folders: tuple[Folder, ...] = ()
    files: tuple[File, ...] = ()
    hidden: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder; listed at the first look.

    Attributes
    ----------
    path
        Where it lies.
    name
        The path relative to the folder that the walk began with, with ``/``; "" for that one.
    is_link
        Whether it is a link.
    given
        What lies in it, where it is no folder of a disk.
    """

    path: Path
    name: str = ""
    is_link: bool = False
    given: Listing | None = field(default=None, repr=False)

    @property
    def own_name(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2] or self.path.name

    @cached_property
    def listing(self) -> Listing:
        """What lies in it."""
        return self.given if self.given is not None else _list_folder(self)

    @cached_property
    def identity(self) -> tuple[object, ...]:
        """What two paths to one folder have in common."""
        if self.given is not None:
            return (self.name,)
        try:
            status = self.path.stat()
            return (status.st_dev, status.st_ino) if status.st_ino else (os.path.realpath(self.path),)
        except OSError:
            return (str(self.path),)

    @property
    def has_catalog(self) -> bool:
        """Whether somebody worked on it as a data set of its own."""
        return self.given is None and (self.path / ".fastclf" / DATABASE).is_file()

    @cached_property
    def has_photos(self) -> bool:
        """Whether photos lie directly in it."""
        files = self.listing.files
        odd = (file for file in files if not file.named_photo)
        return any(file.named_photo for file in files) or any(
            file.is_photo for _, file in zip(range(_MOST_SNIFFED), odd, strict=False)
        )

    @cached_property
    def contains_photos(self) -> bool:
        """Whether photos lie in it at any depth, as far as is looked."""
        return any(folder.has_photos for folder, _ in zip(self.walk(), range(_MOST_FOLDERS), strict=False))

    @cached_property
    def full(self) -> tuple[Folder, ...]:
        """Its folders with photos at any depth."""
        return tuple(folder for folder in self.listing.folders if folder.contains_photos)

    def walk(self) -> Iterator[Folder]:
        """Yield this folder and all below it, each once, the nearest first."""
        return (folder for _, folder in walk_folders([(None, self)]))


def walk_folders(
    starts: Iterable[tuple[_Tag, Folder]], again: list[Folder] | None = None
) -> Iterator[tuple[_Tag, Folder]]:
    """Yield folders and all below them once, the nearest first, each with what its start came with.

    What links lead to comes last: a folder counts where it lies. Links to what was walked go to `again`.
    """
    waiting, links, seen = list(starts), list[tuple[_Tag, Folder]](), set[tuple[object, ...]]()
    while waiting or links:
        level = waiting or [links.pop(0)]
        waiting = []
        for tag, folder in level:
            if folder.identity not in seen:
                seen.add(folder.identity)
                yield tag, folder
                for sub in folder.listing.folders:
                    (links if sub.is_link else waiting).append((tag, sub))
            elif folder.is_link and again is not None:
                again.append(folder)


def build_tree(names: Iterable[str]) -> Folder:
    """Return the folders that the names of an archive's files make.

    Parameters
    ----------
    names
        Paths with ``/``; what is not named like a photo may be one.
    """
    inside: dict[str, dict[str, str]] = {"": {}}
    for name in dict.fromkeys(names):
        parts = name.split("/")
        for depth, part in enumerate(parts):
            above = "/".join(parts[:depth])
            inside.setdefault(above, {})[part] = "/".join(parts[: depth + 1])
    return _build_folder("", inside)


def _build_folder(name: str, inside: dict[str, dict[str, str]]) -> Folder:
    """Build from the leaves up: a path may have more parts than calls may be nested."""
    built: dict[str, Folder] = {}
    for folder in sorted(inside, key=lambda path: -path.count("/") if path else 1):
        names = sorted(part for part in inside[folder] if not _is_passed_over(part))
        full = {part: inside[folder][part] for part in names}
        folders = tuple(built[path] for path in full.values() if path in built)
        files = tuple(File(path) for path in full.values() if path not in built)
        built[folder] = Folder(Path(folder), folder, given=Listing(folders, files))
    return built[name]


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name == NEW_FOLDER or is_stray(name)


def stream_photo_names(root: Path) -> Iterator[str]:
    """Yield the name of every photo below a folder of a disk, in no order, with room for its folders alone.

    What is a photo and what is passed over is as in `walk_folders`, without anything being told.

    Raises
    ------
    PhotosError
        If a folder cannot be listed: photos would be missing.
    """
    waiting, links, seen = [("", root)], list[tuple[str, Path]](), set[tuple[object, ...]]()
    while waiting or links:
        name, path = waiting.pop() if waiting else links.pop(0)
        folder = Folder(path, name)
        if folder.identity in seen:
            continue
        seen.add(folder.identity)
        subs = list[tuple[str, Path, bool]]()
        for entry in _scan(path):
            inner = f"{name}/{entry.name}" if name else entry.name
            if not _is_folder(entry):
                if File(inner, path, entry).is_photo:
                    yield inner
            elif not _is_written_by_fastclf(path / entry.name):
                subs.append((inner, path / entry.name, entry.is_symlink()))
        for inner, below, is_link in sorted(subs, reverse=True):
            (links if is_link else waiting).append((inner, below))


def _scan(path: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from (entry for entry in entries if not _is_passed_over(entry.name))
    except OSError as e:
        raise PhotosError(
            "The folder {folder} cannot be read ({reason}).", folder=path, reason=e.strerror or e
        ) from None


def _list_folder(folder: Folder) -> Listing:
    folders, files, hidden = list[Folder](), list[File](), list[str]()
    try:
        with os.scandir(folder.path) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as e:
        return Listing(fault=e.strerror or str(e))
    prefix = folder.name and f"{folder.name}/"
    for entry in entries:
        if _is_passed_over(entry.name):
            if not is_stray(entry.name) and entry.name not in _TOOLS:
                hidden.append(f"{prefix}{entry.name}")
        elif _is_folder(entry):
            path = folder.path / entry.name
            if not _is_written_by_fastclf(path):
                folders.append(Folder(path, f"{prefix}{entry.name}", entry.is_symlink()))
        else:
            files.append(File(f"{prefix}{entry.name}", folder.path, entry))
    return Listing(tuple(folders), tuple(files), tuple(hidden))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself; reading it will say so
        return False


def _is_written_by_fastclf(folder: Path) -> bool:
    """Return whether a folder is a model, or the report of what was collected."""
    try:
        return (folder / "bundle.json").exists() or (folder / "collected.csv").exists()
    except OSError:  # it may not be entered, which listing it will say
        return False


def show_name(name: str) -> str:
    """Return a name as valid text, whatever bytes it has on the disk."""
    return name.encode("utf-8", "backslashreplace").decode()
