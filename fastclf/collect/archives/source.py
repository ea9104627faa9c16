"""A folder, a zip or tar file of one's own, or a cloud address, as a source of labelled photos."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...errors import PhotosError, UsageError
from ...system import read_given_file
from .archive import read_archive
from .clouds import check_address, read_cloud
from .members import LIMITS, Member, ReadLimits, Wanted, is_left_out, show_name


def read_source(
    place: str, base: Path, wanted: Wanted, *, limits: ReadLimits = LIMITS, encoding: str = ""
) -> Iterator[Member]:
    """Read the wanted files of a place, in the order of their names or of the archive.

    A place is a folder, a zip or tar file, or a cloud address such as ``s3://bucket/photos``; a relative path
    starts from `base`. Hidden files and folders are passed over. Links are followed, but no folder is walked
    twice. Pipes, devices and files that are too large or cannot be read are refused with a reason. `encoding`
    is that of an archive's names.

    Raises
    ------
    UsageError
        If the place is none that is read here.
    PhotosError
        If there is nothing, or it cannot be read.
    ArchiveError
        As `read_archive`.
    MissingExtraError
        If a package for the cloud address is not installed.
    """
    if not place.strip():
        raise UsageError("The place of the photos is empty. Name a folder, an archive or a cloud address.")
    if "://" in place or "::" in place:
        check_address(place)
        return read_cloud(place, wanted, limits, encoding)
    path = _find_path(place, base)
    if path.is_dir():
        return _read_folder(path, wanted, limits)
    return read_archive(path, wanted, limits=limits, encoding=encoding)


def _find_path(place: str, base: Path) -> Path:
    try:
        path = base / Path(place).expanduser()
        path.stat()
    except PermissionError:
        raise PhotosError(
            "{place} may not be read by this user. Its owner can change that with chmod.", place=place
        ) from None
    except (OSError, RuntimeError, ValueError):
        raise PhotosError(
            "There is no folder or archive {place!r} (looked in {base}). Name one that exists.",
            place=place,
            base=base.absolute(),
        ) from None
    return path


def _read_folder(folder: Path, wanted: Wanted, limits: ReadLimits) -> Iterator[Member]:
    waiting, seen = [(folder, "", True)], set[tuple[int, int]]()
    while waiting:
        path, name, is_folder = waiting.pop()
        if is_folder:
            try:
                waiting += _list_folder(path, name and f"{name}/", seen)
            except OSError as e:
                if not name:
                    raise PhotosError(
                        "The folder {folder} cannot be read ({reason}).", folder=folder, reason=e.strerror
                    ) from None
                yield Member(show_name(name), None, f"is a folder that cannot be read ({e.strerror})")
        elif wanted(show_name(name)):
            yield _read_file(path, show_name(name), limits)


def _list_folder(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> list[tuple[Path, str, bool]]:
    """Return (path, name, whether it is a folder) of what is not hidden, the last one first.

    Nothing is returned for a folder that was seen already, through a link.
    """
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return []
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as scanned:
        entries = sorted((e for e in scanned if not is_left_out(e.name)), key=lambda e: e.name)
    return [(folder / e.name, prefix + e.name, _is_folder(e)) for e in reversed(entries)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself; reading it will say so
        return False


def _read_file(path: Path, name: str, limits: ReadLimits) -> Member:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Member(name, None, "is a pipe or a device, not a photo")
        if path.stat().st_size > limits.member_bytes:
            return Member(name, None, limits.too_large)
        data = read_given_file(path, limits.member_bytes)
    except OSError as e:
        return Member(name, None, f"cannot be read ({e.strerror})")
    return Member(name, data)
