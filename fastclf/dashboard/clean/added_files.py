"""New files in class folders, named so that the report which each came from is found again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...catalog import Catalog, EditRow, check_label
from ...errors import FastclfError, PhotosError
from ...photos import find_class_folder
from ...system import hash_bytes, write_atomic

_NAME = re.compile(r"(?:^|/)reported-(?P<report>\d+)-(?P<digest>[0-9a-f]{16})(?:-\d+)?\.jpg$")


@dataclass(frozen=True)
class AddedFile:
    """A file for a report.

    Attributes
    ----------
    path
        Where it lies.
    name
        The path relative to the folder of photos, with ``/``.
    is_new
        Whether it was written just now; else it was there, from an addition that was undone.
    """

    path: Path
    name: str
    is_new: bool


@dataclass(frozen=True)
class Origin:
    """The report that a file was added for, and the beginning of the hash of its bytes."""

    report: int
    digest: str


def add_photos(folder: Path, photos: Sequence[tuple[int, bytes, str]]) -> list[AddedFile]:
    """Write photos to their class folders; all of them or, on a fault, none. No file is replaced.

    Parameters
    ----------
    folder
        One sub-folder a class.
    photos
        (id of the report, JPEG, label) of each.

    Raises
    ------
    UsageProblem
        If a folder cannot be named like a label.
    PhotosError
        If a file cannot be written.
    """
    added: list[AddedFile] = []
    try:
        for report, data, label in photos:
            check_label(label)
            added.append(_add(folder, find_class_folder(folder, label), report, data))
    except BaseException:
        _remove_files(added)
        raise
    return added


def find_origin(row: EditRow) -> Origin | None:
    """Return the report that the photo of an edit was added for, or None."""
    match = _NAME.search(row.path)
    return Origin(int(match["report"]), match["digest"]) if match else None


def take_back_files(catalog: Catalog, added: Iterable[AddedFile]) -> None:
    """Remove what was written just now for a step that failed, as if it had never been there."""
    _remove_files(added)
    with contextlib.suppress(FastclfError):  # the next scan will see it
        catalog.scan()


def _add(folder: Path, place: Path, report: int, data: bytes) -> AddedFile:
    digest = hash_bytes(data)[:16]
    try:
        place.mkdir(exist_ok=True)
        number = 1
        while True:
            path = place / f"reported-{report}-{digest}{'' if number == 1 else f'-{number}'}.jpg"
            if not path.exists() and not path.is_symlink():
                write_atomic(path, data)
                return AddedFile(path, path.relative_to(folder).as_posix(), True)
            if path.is_file() and path.read_bytes() == data:
                return AddedFile(path, path.relative_to(folder).as_posix(), False)
            number += 1
    except OSError as e:
        raise PhotosError(
            "The photo cannot be added to {place} ({reason}). Make room or mend its permissions; "
            "nothing was changed.",
            place=place,
            reason=e.strerror or e,
        ) from None


def _remove_files(added: Iterable[AddedFile]) -> None:
    for file in added:
        if file.is_new:
            file.path.unlink(missing_ok=True)
