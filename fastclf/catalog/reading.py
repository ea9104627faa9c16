"""Files read once: hashed, decoded, measured; what they hold is kept by their bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import PIL

from ..errors import Message, UnreadablePhotoError, pack_message
from ..issues import describe_photo, measure_quality
from ..photos import (
    MAX_FOLDER_BYTES,
    FoundFile,
    Photo,
    Progress,
    decode_photo,
    hash_pixels,
    make_thumbnail,
    reads_heif,
)
from ..system import hash_bytes, hash_file
from .forged import leads_out
from .near_pairs import pack_signature
from .store import Store
from .thumbnails import THUMBNAIL_SIDE, pack_thumbnail

# What is measured on a photo; another version is measured anew.
MEASURES = "4"
# How photos are read; what an earlier way refused is tried again.
_READING = "2"
# A JPEG of 1024 pixels and more is decoded at a half or less, which takes half as long. So its pixels are
# hashed: copies of it are equal, too, but one saved as PNG is a near-duplicate.
_LEAST_SIDE = 2 * THUMBNAIL_SIDE
_BATCH = 64
# Bytes of a file that is hashed; nobody has a larger photo, and hashing takes a second for a gigabyte.
_MOST_HASHED = 2**32
_BAD_NAME = "has a name that is no valid text; rename it"
_LEADING_NAME = "has a name with .. or a line break in it, as if it lay elsewhere; rename it"
_COLUMNS = (
    "sha256", "reason", "measured", "bytes", "width", "height", "format", "plain", "pixel_hash",
    "hashes", "signature", "comparable", "quality",
)  # fmt: skip


@dataclass(frozen=True)
class SeenFile:
    """A file with its hash; without one where it could not be read."""

    file: FoundFile
    name: str
    sha256: str
    trouble: str | None = None

    @property
    def label(self) -> str:
        """The class folder's name, as valid text."""
        return make_text(self.file.label)


def make_text(name: str) -> str:
    """Return a name that is valid text, whatever bytes it has on the disk."""
    return name.encode("utf-8", "backslashreplace").decode()


def describe_decoder() -> str:
    """Return what a file that could not be read was tried with; with another decoder it is tried again."""
    return f"{PIL.__version__}.{_READING}{'+heif' if reads_heif() else ''}"


def find_stale(store: Store) -> set[str]:
    """Return the hashes of contents to measure: never, by an older fastclf, or refused by another decoder."""
    rows = store.read(
        "SELECT sha256 FROM contents WHERE (reason IS NULL AND measured != ?)"
        " OR (reason IS NOT NULL AND measured != ?)"
        " UNION SELECT sha256 FROM photos WHERE present AND sha256 NOT IN (SELECT sha256 FROM contents)",
        (MEASURES, describe_decoder()),
    )
    return {row["sha256"] for row in rows}


class _Anything(set[str]):
    """What is said to hold every hash."""

    def __contains__(self, item: object) -> bool:
        return True


def read_files(
    store: Store,
    files: Sequence[FoundFile],
    stale: set[str],
    progress: Progress | None,
    *,
    decode: bool = True,
) -> tuple[list[SeenFile], int]:
    """Hash files and decode the unknown ones; what was decoded is kept even if the scan is killed later."""
    known = {row["sha256"] for row in store.read("SELECT sha256 FROM contents")} - stale
    known = known if decode else _Anything()
    seen: list[SeenFile] = []
    decoded = 0
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = _map_bounded(pool, files, known)
        while batch := list(islice(results, _BATCH)):
            contents = {content["sha256"]: content for _, content in batch if content}
            if contents:
                with store.transaction():
                    _write_contents(store, contents.values())
                known |= contents.keys()
            decoded += len(contents)
            for one, _ in batch:
                seen.append(one)
                if progress:
                    progress(len(seen), len(files))
    return seen, decoded


def _map_bounded(
    pool: ThreadPoolExecutor, files: Sequence[FoundFile], known: set[str]
) -> Iterator[tuple[SeenFile, dict[str, Any] | None]]:
    """Read in threads, at most a batch ahead, so that thumbnails do not pile up."""
    waiting = iter(files)
    running = [pool.submit(_read_file, file, known) for file in islice(waiting, _BATCH)]
    while running:
        yield running.pop(0).result()
        running += [pool.submit(_read_file, file, known) for file in islice(waiting, 1)]


def _read_file(file: FoundFile, known: set[str]) -> tuple[SeenFile, dict[str, Any] | None]:
    name = make_text(file.name)
    if leads_out(name):  # a catalog that holds such a name is taken for a forged one
        return SeenFile(file, name, "", pack_message(_LEADING_NAME)), None
    try:
        data, sha256 = read_hashed(file)
    except UnreadablePhotoError as e:
        return SeenFile(file, name, "", pack_message(e.reason)), None
    seen = SeenFile(file, name, sha256)
    return seen, None if sha256 in known else _measure(file, data, sha256)


def read_hashed(file: FoundFile | Photo) -> tuple[bytes | None, str]:
    """Return a file's bytes, unless there are too many to hold, and their hash; nothing is decoded.

    Raises
    ------
    UnreadablePhotoError
        If it is no file, cannot be read, has too many bytes to hash, or a name that is no valid text.
    """
    if make_text(file.name) != file.name:
        raise UnreadablePhotoError(make_text(file.path.name), _BAD_NAME)
    try:
        return _hash(file)
    except OSError as e:
        raise UnreadablePhotoError(file.path.name, _describe_trouble(file, e)) from None


def _hash(file: FoundFile | Photo) -> tuple[bytes | None, str]:
    size = file.path.stat().st_size
    if not file.path.is_file() or size > _MOST_HASHED:  # the decoder has the words
        decode_photo(file.path)
    if size > MAX_FOLDER_BYTES:
        return None, hash_file(file.path)
    data = file.path.read_bytes()
    return data, hash_bytes(data)


def _describe_trouble(file: FoundFile | Photo, error: OSError) -> str:
    try:
        decode_photo(file.path)
    except UnreadablePhotoError as e:
        return e.reason
    return Message("cannot be read ({error})", error=error.strerror or error)


def _measure(file: FoundFile, data: bytes | None, sha256: str) -> dict[str, Any]:
    row: dict[str, Any] = {"sha256": sha256, "reason": None, "measured": MEASURES, "bytes": max(file.size, 0)}
    source = file.path if data is None else data
    try:
        decoded = decode_photo(source, file.path.name, max_bytes=MAX_FOLDER_BYTES, least_side=_LEAST_SIDE)
    except UnreadablePhotoError as e:
        return {**row, "reason": pack_message(e.reason), "measured": describe_decoder()}
    image = decoded.image
    thumbnail = make_thumbnail(image, THUMBNAIL_SIDE)
    # a tiny photo's thumbnail is enlarged
    small = thumbnail if max(image.size) > THUMBNAIL_SIDE else image
    prints = describe_photo(image, min(decoded.size))
    black, white = decoded.scale or (0.0, 0.0)
    quality = replace(
        measure_quality(small), unknown_colours=float(not decoded.colours_known), black=black, white=white
    )
    return {
        **row,
        "width": decoded.size[0],
        "height": decoded.size[1],
        "format": decoded.format,
        "plain": int(decoded.plain),
        "pixel_hash": hash_pixels(image),
        "hashes": prints.hashes.astype("<u8").tobytes(),
        "signature": pack_signature(prints.signature),
        "comparable": int(prints.comparable),
        "quality": json.dumps(quality.to_dict()),
        "thumbnail": pack_thumbnail(thumbnail, image),
    }


def _write_contents(store: Store, contents: Collection[dict[str, Any]]) -> None:
    marks = ", ".join("?" * len(_COLUMNS))
    store.write_many(
        f"INSERT OR REPLACE INTO contents ({', '.join(_COLUMNS)}) VALUES ({marks})",
        [[content.get(column) for column in _COLUMNS] for content in contents],
    )
    store.write_many(
        "INSERT OR REPLACE INTO thumbnails (sha256, jpeg) VALUES (?, ?)",
        [(c["sha256"], c["thumbnail"]) for c in contents if "thumbnail" in c],
    )
