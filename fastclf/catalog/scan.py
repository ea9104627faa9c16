"""The incremental scan: what changed since the last one is read, each file's bytes are decoded once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..errors import PhotosError
from ..photos import FoundFile, Progress, find_photo_files
from .reading import SeenFile, find_stale, read_files
from .reconcile import ScanResult, reconcile
from .store import Store


def scan_folder(
    store: Store, folder: Path, progress: Progress | None = None, *, empty_ok: bool = False
) -> ScanResult:
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
    empty_ok
        Whether a folder without photos is no error.
    """
    try:
        found = find_photo_files(folder)
    except PhotosError:
        if not (empty_ok and folder.is_dir()):
            raise
        found = []
    known = {row["path"]: row for row in store.read("SELECT * FROM photos WHERE present")}
    stale = find_stale(store)
    seen, todo = [], []
    for file in found:
        row = known.get(file.name)
        if row is not None and _is_unchanged(file, row) and row["sha256"] not in stale:
            seen.append(SeenFile(file, file.name, row["sha256"]))
        else:
            todo.append(file)
    decoded = 0
    if todo:
        read, decoded = read_files(store, todo, stale, progress)
        seen += read
    elif len(known) == len(found) and all(_is_in_place(f, known[f.name]) for f in found):
        return ScanResult(len(found), 0)
    with store.transaction():
        return reconcile(store, seen, decoded)


def _is_unchanged(file: FoundFile, row: sqlite3.Row) -> bool:
    return (row["size"], row["mtime_ns"], row["trouble"]) == (file.size, file.mtime_ns, None)


def _is_in_place(file: FoundFile, row: sqlite3.Row) -> bool:
    return (row["folder_label"], row["given_split"]) == (file.label, file.split)
