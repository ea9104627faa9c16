"""The incremental scan: what changed since the last one is read, each file's bytes are decoded once."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import PIL
from PIL import Image

from ..checks.hashes import describe_photo
from ..checks.quality import measure_quality
from ..errors import UnreadablePhotoError
from ..files import hash_bytes, hash_file, utc_now
from ..images import MAX_FOLDER_BYTES, decode_photo, encode_jpeg, hash_pixels, make_thumbnail, reads_heif
from ..photos import FoundFile, Progress, find_photo_files
from .store import Store

# What is measured on a photo; another version is measured anew.
MEASURES = "1"
THUMBNAIL_SIDE = 256
_BATCH = 64
_BAD_NAME = "has a name that is no valid text; rename it"


@dataclass(frozen=True)
class ScanResult:
    """What a scan met.

    Attributes
    ----------
    files
        How many files are named like photos.
    decoded
        How many were decoded; the others' bytes were known.
    new, changed, moved, gone
        Names of the files that came, got other bytes, were renamed, or are no longer there.
    lapsed
        Names of the changed files that had edits: an edit is about a photo's bytes, so it no longer holds.
    """

    files: int
    decoded: int
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Seen:
    """A file with its hash; without one where it could not be read."""

    file: FoundFile
    name: str
    sha256: str
    trouble: str | None = None

    @property
    def label(self) -> str:
        return _make_text(self.file.label)


def _make_text(name: str) -> str:
    """Return a name that is valid text, whatever bytes it has on the disk."""
    return name.encode("utf-8", "backslashreplace").decode()


def scan_folder(store: Store, folder: Path, progress: Progress | None = None) -> ScanResult:
    """Bring the catalog up to the folder's state.

    A file of the same name, size and time is taken as unchanged. Another is hashed, and decoded only if no
    file with the same bytes was decoded before. A file that vanished from one name and stands under another
    is a renamed photo: it keeps its number and its edits, and in another class folder takes that one's label.

    Parameters
    ----------
    store
        The catalog's database.
    folder
        One sub-folder a class.
    progress
        Called with (done, all) after each file that had to be looked at.
    """
    found = find_photo_files(folder)
    known = {row["path"]: row for row in store.read("SELECT * FROM photos WHERE present")}
    stale = _find_stale(store)
    seen, todo = [], []
    for file in found:
        row = known.get(file.name)
        if row is not None and _is_unchanged(file, row) and row["sha256"] not in stale:
            seen.append(_Seen(file, file.name, row["sha256"]))
        else:
            todo.append(file)
    settled = len(seen)
    decoded = 0
    if todo:
        read, decoded = _read_files(store, todo, stale, progress)
        seen += read
    elif len(known) == len(found) and all(_is_in_place(f, known[f.name]) for f in found):
        return ScanResult(len(found), 0)
    with store.transaction():
        return _reconcile(store, seen, decoded, settled)


def _is_unchanged(file: FoundFile, row: sqlite3.Row) -> bool:
    return (row["size"], row["mtime_ns"], row["trouble"]) == (file.size, file.mtime_ns, None)


def _is_in_place(file: FoundFile, row: sqlite3.Row) -> bool:
    return (row["folder_label"], row["given_split"]) == (file.label, file.split)


def describe_decoder() -> str:
    """Return what a file that could not be read was tried with; with another decoder it is tried again."""
    return f"{PIL.__version__}{'+heif' if reads_heif() else ''}"


def _find_stale(store: Store) -> set[str]:
    """Return the hashes of contents that an older fastclf measured, or that another decoder refused."""
    rows = store.read(
        "SELECT sha256 FROM contents WHERE (reason IS NULL AND measured != ?)"
        " OR (reason IS NOT NULL AND measured != ?)",
        (MEASURES, describe_decoder()),
    )
    return {row["sha256"] for row in rows}


def _read_files(
    store: Store, files: Sequence[FoundFile], stale: set[str], progress: Progress | None
) -> tuple[list[_Seen], int]:
    """Hash files and decode the unknown ones; what was decoded is kept even if the scan is killed later."""
    known = {row["sha256"] for row in store.read("SELECT sha256 FROM contents")} - stale
    seen: list[_Seen] = []
    decoded = done = 0
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
                done += 1
                if progress:
                    progress(done, len(files))
    return seen, decoded


def _map_bounded(
    pool: ThreadPoolExecutor, files: Sequence[FoundFile], known: set[str]
) -> Iterator[tuple[_Seen, dict[str, Any] | None]]:
    """Read in threads, at most a batch ahead, so that thumbnails do not pile up."""
    waiting = iter(files)
    running = [pool.submit(_read_file, file, known) for file in islice(waiting, _BATCH)]
    while running:
        yield running.pop(0).result()
        running += [pool.submit(_read_file, file, known) for file in islice(waiting, 1)]


def _read_file(file: FoundFile, known: set[str]) -> tuple[_Seen, dict[str, Any] | None]:
    name = _make_text(file.name)
    if name != file.name:
        return _Seen(file, name, "", _BAD_NAME), None
    try:
        data, sha256 = _hash(file)
    except OSError as e:
        return _Seen(file, name, "", _describe_trouble(file, e)), None
    except UnreadablePhotoError as e:
        return _Seen(file, name, "", e.reason), None
    seen = _Seen(file, name, sha256)
    return seen, None if sha256 in known else _measure(file, data, sha256)


def _hash(file: FoundFile) -> tuple[bytes | None, str]:
    """Return the bytes, unless there are too many to hold, and their hash."""
    if not file.path.is_file():  # a pipe would wait for ever; the decoder has the words
        decode_photo(file.path)
    if file.size > MAX_FOLDER_BYTES:
        return None, hash_file(file.path)
    data = file.path.read_bytes()
    return data, hash_bytes(data)


def _describe_trouble(file: FoundFile, error: OSError) -> str:
    try:
        decode_photo(file.path)
    except UnreadablePhotoError as e:
        return e.reason
    return f"cannot be read ({error.strerror or error})"


def _measure(file: FoundFile, data: bytes | None, sha256: str) -> dict[str, Any]:
    row: dict[str, Any] = {"sha256": sha256, "reason": None, "measured": MEASURES, "bytes": max(file.size, 0)}
    try:
        decoded = decode_photo(
            file.path if data is None else data, file.path.name, max_bytes=MAX_FOLDER_BYTES
        )
    except UnreadablePhotoError as e:
        return {**row, "reason": e.reason, "measured": describe_decoder()}
    image = decoded.image
    thumbnail = make_thumbnail(image, THUMBNAIL_SIDE)
    prints = describe_photo(image)
    return {
        **row,
        "width": image.width,
        "height": image.height,
        "format": decoded.format,
        "plain": int(decoded.plain),
        "pixel_hash": hash_pixels(image),
        "phash": to_signed(prints.phash),
        "hashes": prints.hashes.astype("<u8").tobytes(),
        "signature": prints.signature.tobytes(),
        "comparable": int(prints.comparable),
        "quality": json.dumps(measure_quality(_small(image, thumbnail)).to_dict()),
        "thumbnail": encode_jpeg(thumbnail),
    }


def _small(image: Image.Image, thumbnail: Image.Image) -> Image.Image:
    """Return the thumbnail to measure on; a tiny photo's thumbnail is enlarged, so the photo itself."""
    return thumbnail if max(image.size) > THUMBNAIL_SIDE else image


def to_signed(value: int) -> int:
    """Return 64 bits as the signed integer that SQLite holds."""
    return value - 2**64 if value >= 2**63 else value


_COLUMNS = (
    "sha256", "reason", "measured", "bytes", "width", "height", "format", "plain", "pixel_hash", "phash",
    "hashes", "signature", "comparable", "quality",
)  # fmt: skip


def _write_contents(store: Store, contents: Iterable[dict[str, Any]]) -> None:
    contents = list(contents)
    marks = ", ".join("?" * len(_COLUMNS))
    store.write_many(
        f"INSERT OR REPLACE INTO contents ({', '.join(_COLUMNS)}) VALUES ({marks})",
        [[content.get(column) for column in _COLUMNS] for content in contents],
    )
    store.write_many(
        "INSERT OR REPLACE INTO thumbnails (sha256, jpeg) VALUES (?, ?)",
        [(c["sha256"], c["thumbnail"]) for c in contents if "thumbnail" in c],
    )


def _reconcile(store: Store, seen: list[_Seen], decoded: int, settled: int) -> ScanResult:
    """Match files with the catalog's photos: by name and bytes, then by bytes, the rest is new."""
    rows = store.read("SELECT * FROM photos")
    at_path = {row["path"]: row for row in rows if row["present"]}
    renamed = _find_renamed_classes(rows, seen)
    if renamed:
        _follow_renamed(store, rows, renamed)
        rows = store.read("SELECT * FROM photos")
        at_path = {row["path"]: row for row in rows if row["present"]}
    moved: list[str] = []
    changed: list[str] = []
    taken: set[int] = set()
    open_files: list[_Seen] = []
    for one in seen:
        row = at_path.get(one.name)
        if row is not None and one.sha256 in ("", row["sha256"]):
            taken.add(row["id"])
            _update(store, row, one)
        else:
            open_files.append(one)
    loose = _Loose([row for row in rows if row["id"] not in taken])
    for row in loose.rows:
        if row["present"]:
            store.write("UPDATE photos SET present = 0 WHERE id = ?", (row["id"],))
    new: list[str] = []
    for one in _order(open_files, loose):
        match = loose.take(one)
        if match is not None:
            _update(store, match, one)
            moved.append(one.name)
        else:
            _insert(store, one)
            (changed if one.name in at_path else new).append(one.name)
    names = {one.name for one in seen}
    gone = [p for p, row in at_path.items() if p not in names and row["id"] in loose.left]
    edited = {row["photo"] for row in store.read("SELECT DISTINCT photo FROM edits")}
    lapsed = [name for name in changed if at_path[name]["id"] in edited]
    return ScanResult(len(seen), decoded, *(tuple(sorted(x)) for x in (new, changed, moved, gone, lapsed)))


def _find_renamed_classes(rows: Sequence[sqlite3.Row], seen: Sequence[_Seen]) -> dict[str, str]:
    """Return {old: new} of class folders whose every file now stands, under its name, in one new folder."""
    labels = {one.label for one in seen}
    now = {(one.name.split("/", 1)[-1], one.sha256): one.label for one in seen if one.sha256}
    known = {row["folder_label"] for row in rows if row["present"]}
    renamed = {}
    for old in known - labels:
        files = [row for row in rows if row["present"] and row["folder_label"] == old]
        found = {now.get((row["path"].split("/", 1)[-1], row["sha256"]), "") for row in files}
        new = found.pop() if len(found) == 1 else ""
        if new and new not in known:
            renamed[old] = new
    return renamed


def _follow_renamed(store: Store, rows: Sequence[sqlite3.Row], renamed: dict[str, str]) -> None:
    """Give a renamed class its new name everywhere; what people relabelled in it stays as they said."""
    edited = {row["photo"] for row in store.read("SELECT DISTINCT photo FROM edits")}
    for row in rows:
        folder = renamed.get(row["folder_label"], row["folder_label"])
        label = renamed.get(row["label"], row["label"])
        if (folder, label) == (row["folder_label"], row["label"]):
            continue
        if label != row["label"] and row["id"] in edited:
            _note(store, row, row["path"], label, f"the class {row['label']} was renamed")
        store.write("UPDATE photos SET folder_label = ?, label = ? WHERE id = ?", (folder, label, row["id"]))


class _Loose:
    """Photos whose file is not where it was, by their bytes."""

    def __init__(self, rows: Sequence[sqlite3.Row]) -> None:
        self.rows = rows
        self.left = {row["id"] for row in rows}
        self._by_hash: dict[str, list[sqlite3.Row]] = defaultdict(list)
        # a photo that vanished just now is likelier the one that was renamed than one long gone
        for row in sorted(rows, key=lambda r: (-r["present"], r["path"])):
            if row["sha256"]:
                self._by_hash[row["sha256"]].append(row)

    def has_label(self, one: _Seen) -> bool:
        return any(row["folder_label"] == one.label for row in self._by_hash.get(one.sha256, ()))

    def take(self, one: _Seen) -> sqlite3.Row | None:
        rows = self._by_hash.get(one.sha256, []) if one.sha256 else []
        # a photo that has long been gone says nothing about a file in another class folder
        able = [r for r in rows if r["present"] or r["folder_label"] == one.label]
        if not able:
            return None
        row = min(able, key=lambda r: (-r["present"], r["path"] != one.name, r["folder_label"] != one.label))
        rows.remove(row)
        self.left.discard(row["id"])
        return row


def _order(files: list[_Seen], loose: _Loose) -> list[_Seen]:
    """Let files in the class folder of a loose photo with the same bytes choose first."""
    return sorted(files, key=lambda one: (not loose.has_label(one), one.name))


def _update(store: Store, row: sqlite3.Row, one: _Seen) -> None:
    label = row["label"]
    if one.label != row["folder_label"]:
        label = one.label
        _note_move(store, row, one)
    facts = (one.name, one.file.size, one.file.mtime_ns, one.label, one.file.split, label, one.trouble)
    kept = ("path", "size", "mtime_ns", "folder_label", "given_split", "label", "trouble")
    if row["present"] and facts == tuple(row[k] for k in kept):
        return
    store.write(
        "UPDATE photos SET path = ?, size = ?, mtime_ns = ?, folder_label = ?, given_split = ?, label = ?,"
        " trouble = ?, present = 1 WHERE id = ?",
        (*facts, row["id"]),
    )


def _note_move(store: Store, row: sqlite3.Row, one: _Seen) -> None:
    """Record that a photo with edits took its new class folder's label."""
    if row["label"] == one.label:
        return
    if store.read("SELECT 1 FROM edits WHERE photo = ? LIMIT 1", (row["id"],)):
        _note(store, row, one.name, one.label, f"moved from {row['path']}")


def _note(store: Store, row: sqlite3.Row, path: str, label: str, why: str) -> None:
    """Write a row that says which label a scan gave a photo."""
    now = utc_now()
    step = store.write("INSERT INTO steps (time, kind) VALUES (?, 'scan')", (now,))
    store.write(
        "INSERT INTO edits (step, photo, sha256, path, action, old, new, why, who, time)"
        " VALUES (?, ?, ?, ?, 'relabel', ?, ?, ?, ?, ?)",
        (
            step, row["id"], row["sha256"], path, row["label"], label, why, "scan", now,
        ),
    )  # fmt: skip


def _insert(store: Store, one: _Seen) -> None:
    file = one.file
    store.write(
        "INSERT INTO photos (path, sha256, size, mtime_ns, folder_label, given_split, label, trouble, added)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            one.name, one.sha256, file.size, file.mtime_ns, one.label, file.split, one.label, one.trouble,
            utc_now(),
        ),
    )  # fmt: skip
