"""A folder of photos, a sub-folder a class: found, hashed and decoded once, without changing a byte of it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .errors import PhotosError, UnreadablePhotoError
from .files import hash_bytes, hash_file, write_atomic
from .images import MAX_BYTES, SUFFIXES, decode_photo, encode_png, hash_pixels

_logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Photo:
    """One readable photo of a labelled folder.

    Attributes
    ----------
    path
        Where it lies.
    label
        The class folder's name.
    sha256
        Hash of the file's bytes.
    pixel_hash
        Hash of the decoded pixels.
    width, height
        Pixels, upright.
    plain
        Whether fastai reads it like fastclf does.
    """

    path: Path
    label: str
    sha256: str
    pixel_hash: str
    width: int
    height: int
    plain: bool


@dataclass(frozen=True)
class PhotoSet:
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

    def without(self, photos: Iterable[Photo]) -> PhotoSet:
        """Return the set without some of its photos."""
        gone = set(photos)
        return PhotoSet(self.folder, tuple(p for p in self.photos if p not in gone), self.failures)


def find_photo_files(folder: Path) -> list[tuple[Path, str]]:
    """List (path, label) of the files in the class folders that are named like photos.

    Hidden files and folders are passed over; below a class folder every depth counts.

    Raises
    ------
    PhotosError
        If `folder` is no folder, or holds no class folder with photos in it.
    """
    if not folder.is_dir():
        raise PhotosError(f"There is no folder {folder}. Name a folder with one sub-folder a class.")
    found = [
        (path, sub.name)
        for sub in sorted(folder.iterdir())
        if sub.is_dir() and not sub.name.startswith(".") and not (sub / "bundle.json").exists()
        for path in _walk(sub, set())
    ]
    if not found:
        raise PhotosError(
            f"{folder} holds no photos. Make one sub-folder a class ({folder}/cat, {folder}/dog) "
            "and put the photos there."
        )
    return found


def scan_photos(folder: Path, progress: Progress | None = None) -> PhotoSet:
    """Read every photo of a folder once; what cannot be read is listed, and the rest goes on.

    Parameters
    ----------
    folder
        One sub-folder a class.
    progress
        Called with (done, all) after each photo.

    Raises
    ------
    PhotosError
        If there is no photo to be found.
    """
    files = find_photo_files(folder)
    photos: list[Photo] = []
    failures: list[tuple[str, str]] = []
    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
        for done, result in enumerate(pool.map(_read_photo, files), 1):
            if isinstance(result, Photo):
                photos.append(result)
            else:
                path, reason = result
                failures.append((path.relative_to(folder).as_posix(), reason))
            if progress:
                progress(done, len(files))
    photos.sort(key=lambda p: (p.label, p.path.as_posix()))
    return PhotoSet(folder, tuple(photos), tuple(sorted(failures)))


def find_private_folder(folder: Path) -> Path:
    """Return where fastclf keeps its own files about a folder of photos, and create it.

    ``.fastclf`` inside it, or, where that cannot be written, a folder of the user's data directory.
    """
    inside = folder / ".fastclf"
    try:
        inside.mkdir(exist_ok=True)
        if os.access(inside, os.W_OK):
            return inside
    except OSError:
        pass
    name = hash_bytes(str(folder.resolve()).encode())[:16]
    outside = Path(platformdirs.user_data_dir("fastclf", False)) / name
    try:
        outside.mkdir(parents=True, exist_ok=True)
    except OSError:
        outside = Path(tempfile.gettempdir()) / f"fastclf-{name}"
        outside.mkdir(mode=0o700, exist_ok=True)
    return outside


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
        write_atomic(copy, encode_png(decode_photo(photo.path).image))
    return copy


def _walk(folder: Path, seen: set[Path]) -> list[Path]:
    """List the photo files below a folder; a folder that links lead to twice is walked once."""
    real = folder.resolve()
    if real in seen:
        return []
    seen.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError as e:
        _logger.warning("Left out: the folder %s cannot be read (%s).", folder, e.strerror)
        return []
    paths = []
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            paths += _walk(path, seen)
        elif path.suffix.lower() in SUFFIXES:
            paths.append(path)
    return paths


def _read_photo(item: tuple[Path, str]) -> Photo | tuple[Path, str]:
    path, label = item
    try:
        decoded = decode_photo(path, max_bytes=10 * MAX_BYTES)
        return Photo(
            path, label, hash_file(path), hash_pixels(decoded.image), *decoded.image.size, decoded.plain
        )
    except UnreadablePhotoError as e:
        return path, e.reason
    except OSError as e:
        return path, f"cannot be read ({e.strerror or e})"
