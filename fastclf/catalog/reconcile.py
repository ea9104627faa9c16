"""Files matched with the catalog's photos: a renamed photo keeps its number, and so its edits."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..system import utc_now
from .reading import SeenFile
from .store import Store


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


def reconcile(store: Store, seen: list[SeenFile], decoded: int) -> ScanResult:
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
    open_files: list[SeenFile] = []
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


def _find_renamed_classes(rows: Sequence[sqlite3.Row], seen: Sequence[SeenFile]) -> dict[str, str]:
    """Return {old: new} of class folders whose every file now stands, under its name, in one new folder."""
    labels = {one.label for one in seen}
    now = {(*_leave_class_out(one.name, one.file.split), one.sha256): one.label for one in seen if one.sha256}
    known = {row["folder_label"] for row in rows if row["present"]}
    renamed = {}
    for old in known - labels:
        files = [row for row in rows if row["present"] and row["folder_label"] == old]
        found = {
            now.get((*_leave_class_out(row["path"], row["given_split"]), row["sha256"]), "") for row in files
        }
        new = found.pop() if len(found) == 1 else ""
        if new and new not in known:
            renamed[old] = new
    return renamed


def _leave_class_out(name: str, given_split: str) -> tuple[str, str]:
    """Return what stands before and behind the class folder: ("train", "a.jpg") of train/cat/a.jpg."""
    parts = name.split("/")
    place = 1 if given_split else 0
    return "/".join(parts[:place]), "/".join(parts[place + 1 :])


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

    def has_label(self, one: SeenFile) -> bool:
        return any(row["folder_label"] == one.label for row in self._by_hash.get(one.sha256, ()))

    def take(self, one: SeenFile) -> sqlite3.Row | None:
        rows = self._by_hash.get(one.sha256, []) if one.sha256 else []
        # a photo that has long been gone says nothing about a file in another class folder
        able = [r for r in rows if r["present"] or r["folder_label"] == one.label]
        if not able:
            return None
        row = min(able, key=lambda r: (-r["present"], r["path"] != one.name, r["folder_label"] != one.label))
        rows.remove(row)
        self.left.discard(row["id"])
        return row


def _order(files: list[SeenFile], loose: _Loose) -> list[SeenFile]:
    """Let files in the class folder of a loose photo with the same bytes choose first."""
    return sorted(files, key=lambda one: (not loose.has_label(one), one.name))


def _update(store: Store, row: sqlite3.Row, one: SeenFile) -> None:
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


def _note_move(store: Store, row: sqlite3.Row, one: SeenFile) -> None:
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


def _insert(store: Store, one: SeenFile) -> None:
    file = one.file
    store.write(
        "INSERT INTO photos (path, sha256, size, mtime_ns, folder_label, given_split, label, trouble, added)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            one.name, one.sha256, file.size, file.mtime_ns, one.label, file.split, one.label, one.trouble,
            utc_now(),
        ),
    )  # fmt: skip
