"""A clean copy of a photo folder: current labels as folders, without what was removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..photos import Photo, PhotoSet
from ..system import ShortRepr, find_write_error, is_stray, link_or_copy, replaced_folder

# Bytes in a file's name on most disks.
_LONGEST_NAME = 255


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
    check_copy_target(photos.folder, dest)
    names = _name_files(photos)
    linked = 0
    with replaced_folder(dest) as staging:
        for photo, name in names:
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            linked += link_or_copy(photo.path, target)
    renamed = [(p.name, name) for p, name in names if Path(name).name != Path(p.name).name]
    return Materialized(dest, linked, len(names) - linked, tuple(renamed))


def _shorten(stem: str, ending: str) -> str:
    """Return a file's name with a new ending, cut to what a disk takes."""
    room = _LONGEST_NAME - len(ending.encode(errors="surrogateescape"))
    return stem.encode(errors="surrogateescape")[:room].decode(errors="ignore") + ending


def check_copy_target(folder: Path, dest: Path) -> None:
    """Refuse a place for a copy that is taken, tied up with the photos' folder, or cannot be written.

    Raises
    ------
    UsageError
        If so.
    """
    source, dest = folder.resolve(), dest.resolve()
    if dest == source or source in dest.parents or dest in source.parents:
        raise UsageError(
            "{dest} is, holds or lies in the photos' folder {source}. Name another place.",
            dest=dest,
            source=source,
        )
    if dest.exists() and not (dest.is_dir() and all(is_stray(path.name) for path in dest.iterdir())):
        raise UsageError("{dest} already exists and is not an empty folder. Name another place.", dest=dest)
    if reason := find_write_error(dest):
        raise UsageError(
            "The copy cannot be written to {dest} ({reason}). Name another place.", dest=dest, reason=reason
        )


def _name_files(photos: PhotoSet) -> list[tuple[Photo, str]]:
    taken: set[str] = set()
    names = []
    for photo in photos.photos:
        folder = "/".join(part for part in (photo.given_split, photo.label) if part)
        stem, suffix = Path(photo.name).stem, Path(photo.name).suffix
        name, number = f"{folder}/{stem}{suffix}", 1
        while name.lower() in taken:  # a disk may not tell a.jpg from A.JPG
            number += 1
            name = f"{folder}/{_shorten(stem, f'-{number}{suffix}')}"
        taken.add(name.lower())
        names.append((photo, name))
    return names
