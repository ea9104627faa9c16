"""The photos of the last scan with today's labels, and photos found by their names."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageProblem
from ..photos import Photo, PhotoSet
from .store import Store

_PHOTOS = (
    "SELECT p.id, p.path, p.sha256, p.label, p.folder_label, p.given_split, p.removed, p.size,"
    " COALESCE(p.trouble, c.reason) AS reason, c.pixel_hash, c.width, c.height, c.plain, s.split"
    " FROM photos p LEFT JOIN contents c ON c.sha256 = p.sha256 LEFT JOIN splits s ON s.sha256 = p.sha256"
    " WHERE p.present ORDER BY p.label, p.path"
)


@dataclass(frozen=True)
class UnreadableFile:
    """A file that is named like a photo and cannot be used.

    Attributes
    ----------
    id
        The catalog's number of it.
    name, label
        Path relative to the folder, and label of today.
    reason
        What is wrong, as a clause without the name.
    removed
        Whether an edit took it out.
    """

    id: int
    name: str
    label: str
    reason: str
    removed: bool


def read_photos(store: Store, folder: Path, *, removed: bool) -> PhotoSet:
    """Return the photos with today's labels; with `removed` also those taken out."""
    rows = [row for row in store.read(_PHOTOS) if removed or not row["removed"]]
    photos = tuple(_make_photo(row, folder) for row in rows if not row["reason"])
    failures = sorted((row["path"], row["reason"]) for row in rows if row["reason"])
    return PhotoSet(folder, photos, tuple(failures))


def read_unreadable(store: Store) -> list[UnreadableFile]:
    """Return the files that cannot be used, the removed ones too, by name."""
    found = [
        UnreadableFile(row["id"], row["path"], row["label"], row["reason"], bool(row["removed"]))
        for row in store.read(_PHOTOS)
        if row["reason"]
    ]
    return sorted(found, key=lambda file: file.name)


def find_numbers(store: Store, folder: Path, private: Path, photos: Iterable[str | Path]) -> list[int]:
    """Return the catalog's numbers of photos, by name or by path.

    Raises
    ------
    UsageProblem
        On the first that is none.
    """
    known = {row["path"]: row["id"] for row in store.read("SELECT path, id FROM photos WHERE present")}
    photos = [photos] if isinstance(photos, str | Path) else photos
    names = [_find_name(store, folder, private, photo) for photo in photos]
    for name in names:
        if name not in known:
            raise UsageProblem(
                "There is no photo {name} in {folder}. Names are relative to it, like {example}.",
                name=name,
                folder=folder,
                example=next(iter(known), "class/photo.jpg"),
            )
    return [known[name] for name in names]


def _find_name(store: Store, folder: Path, private: Path, photo: str | Path) -> str:
    path = Path(photo)
    if path.is_absolute() and not folder.is_absolute():
        path = folder / os.path.relpath(path, folder.absolute())
    if path.parent == private / "decoded":  # what fastai was given in the photo's stead
        rows = store.read("SELECT path FROM photos WHERE sha256 = ? AND present", (path.stem,))
        return str(rows[0]["path"]) if rows else str(photo)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(photo)


def _make_photo(row: sqlite3.Row, folder: Path) -> Photo:
    return Photo(
        folder / row["path"], row["path"], row["label"], row["sha256"], row["pixel_hash"], row["width"],
        row["height"], bool(row["plain"]), row["id"], row["folder_label"], row["given_split"],
        row["split"] or "", bool(row["removed"]), row["size"],
    )  # fmt: skip
