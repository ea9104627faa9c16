"""A clean copy of a photo folder: current labels as folders, without what was removed."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..photos import Photo, PhotoSet
from ..system import ShortRepr, is_stray, replaced_folder


@dataclass(frozen=True, repr=False)
class Materialized(ShortRepr):
    """What `materialize` wrote.

    Attributes
    ----------
    folder
        The copy.
    linked, copied
        How many files are hard links, and how many are copies.
    renamed
        (name in the source, name in the copy) where two photos would have had one name.
    """

    folder: Path
    linked: int
    copied: int
    renamed: tuple[tuple[str, str], ...]


def materialize(photos: PhotoSet, dest: Path) -> Materialized:
    """Write a copy of the folder with current labels; files are hard links where the disk allows it.

    The destination may be an empty folder; it appears when it is complete.
    """
    _check_dest(photos.folder.resolve(), dest.resolve())
    names = _name_files(photos)
    linked = 0
    with replaced_folder(dest) as staging:
        for photo, name in names:
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            linked += _link_or_copy(photo.path, target)
    renamed = [(p.name, name) for p, name in names if Path(name).name != Path(p.name).name]
    return Materialized(dest, linked, len(names) - linked, tuple(renamed))


def _check_dest(source: Path, dest: Path) -> None:
    if dest == source or source in dest.parents or dest in source.parents:
        raise UsageError(
            "{dest} is, holds or lies in the photos' folder {source}. Name another place.",
            dest=dest,
            source=source,
        )
    if dest.is_file() or (dest.is_dir() and any(not is_stray(p.name) for p in dest.iterdir())):
        raise UsageError("{dest} already exists and is not an empty folder. Name another place.", dest=dest)


def _name_files(photos: PhotoSet) -> list[tuple[Photo, str]]:
    taken: set[str] = set()
    names = []
    for photo in photos.photos:
        folder = "/".join(part for part in (photo.given_split, photo.label) if part)
        stem, suffix = Path(photo.name).stem, Path(photo.name).suffix
        name, number = f"{folder}/{stem}{suffix}", 1
        while name.lower() in taken:  # a disk may not tell a.jpg from A.JPG
            number += 1
            name = f"{folder}/{stem}-{number}{suffix}"
        taken.add(name.lower())
        names.append((photo, name))
    return names


def _link_or_copy(source: Path, target: Path) -> bool:
    """Return whether a hard link was possible."""
    try:
        os.link(source.resolve(), target)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT):
            raise
        shutil.copy2(source, target)
        return False
    return True
