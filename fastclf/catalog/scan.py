"""The incremental scan: only what changed is read, and a renamed photo keeps its number, and so its edits."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Message
from ..photos import FoundFile, FoundFiles, Progress, leave_class_out, walk_photos
from ..system import ShortRepr, unify_name, utc_now
from .edits import RELABEL, EditRow, insert_row
from .reading import SeenFile, find_stale, read_files
from .store import Store

# what a scan may change of a photo
_FACTS = ("path", "size", "mtime_ns", "folder_label", "given_split", "label", "trouble")


@dataclass(frozen=True, repr=False)
class ScanResult(ShortRepr):
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
    notes
        What was concluded about the folders, and what was passed over.
    """

    files: int
    decoded: int
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    notes: tuple[Message, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything was found that the catalog did not know."""
        return bool(self.decoded or self.new or self.changed or self.moved or self.gone)


def scan_folder(
    store: Store,
    folder: Path,
    progress: Progress | None = None,
    *,
    empty_ok: bool = False,
    decode: bool = True,
) -> ScanResult:
    """Bring the catalog up to the folder's state.

    A file of the same name, size and time is taken as unchanged. Another is hashed, and decoded only if no
    file with the same bytes was decoded before. A file that vanished from one name and stands under another
    is a renamed photo: it keeps its number and its edits, and in another class folder takes that one's label.
    Without `decode` files are only hashed: the next scan reads them.
    """
    walked = walk_photos(folder, empty_ok=empty_ok)
    _unify_labels(store)
    return replace(_match_folder(store, walked, progress, decode), notes=walked.notes)


def _match_folder(store: Store, walked: FoundFiles, progress: Progress | None, decode: bool) -> ScanResult:
    found = walked.files
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
        read, decoded = read_files(store, todo, stale, progress, decode=decode)
        seen += read
    elif len(known) == len(found) and all(_is_in_place(f, known[f.name]) for f in found):
        return ScanResult(len(found), 0)
    with store.transaction():
        return _match_files(store, seen, decoded)


def _unify_labels(store: Store) -> None:
    """Bring labels that were recorded in another spelling of their accents to the one that is compared."""
    for column in ("label", "folder_label"):
        known = [row[column] for row in store.read(f"SELECT DISTINCT {column} FROM photos")]
        odd = [(unify_name(name), name) for name in known if unify_name(name) != name]
        if odd:
            with store.transaction():
                store.write_many(f"UPDATE photos SET {column} = ? WHERE {column} = ?", odd)


def _is_unchanged(file: FoundFile, row: sqlite3.Row) -> bool:
    return (row["size"], row["mtime_ns"], row["trouble"]) == (file.size, file.mtime_ns, None)


def _is_in_place(file: FoundFile, row: sqlite3.Row) -> bool:
    return (row["folder_label"], row["given_split"]) == (file.label, file.split)


def _match_files(store: Store, seen: list[SeenFile], decoded: int) -> ScanResult:
    """Match files with the catalog's photos: by name and bytes, then by bytes, the rest is new."""
    rows = _follow_renamed(store, seen)
    at_path = {row["path"]: row for row in rows if row["present"]}
    placed = _keep_in_place(store, seen, at_path)
    taken = set(placed.values())
    loose = _Loose([row for row in rows if row["id"] not in taken])
    vanished = [(row["id"],) for row in loose.rows if row["present"]]
    store.write_many("UPDATE photos SET present = 0 WHERE id = ?", vanished)
    new: list[str] = []
    changed: list[str] = []
    moved: list[str] = []
    for one in loose.order([one for one in seen if one.name not in placed]):
        match = loose.take(one)
        if match is not None:
            _update(store, match, one)
            moved.append(one.name)
        else:
            _insert(store, one)
            (changed if one.name in at_path else new).append(one.name)
    names = {one.name for one in seen}
    gone = [p for p, row in at_path.items() if p not in names and row["id"] in loose.left]
    edited = _find_edited(store)
    lapsed = [name for name in changed if at_path[name]["id"] in edited]
    return ScanResult(len(seen), decoded, *(tuple(sorted(x)) for x in (new, changed, moved, gone, lapsed)))


def _keep_in_place(store: Store, seen: list[SeenFile], at_path: dict[str, sqlite3.Row]) -> dict[str, int]:
    """Return {name: number} of the photos that still stand under their name with their bytes."""
    placed: dict[str, int] = {}
    for one in seen:
        row = at_path.get(one.name)
        if row is not None and one.sha256 in ("", row["sha256"]):
            placed[one.name] = row["id"]
            _update(store, row, one)
    return placed


def _follow_renamed(store: Store, seen: Sequence[SeenFile]) -> list[sqlite3.Row]:
    """Give a renamed class its new name everywhere and return all rows.

    What people relabelled in it stays as they said.
    """
    rows = store.read("SELECT * FROM photos")
    renamed = _find_renamed_classes(rows, seen)
    if not renamed:
        return rows
    edited = _find_edited(store)
    for row in rows:
        folder = renamed.get(row["folder_label"], row["folder_label"])
        label = renamed.get(row["label"], row["label"])
        if (folder, label) == (row["folder_label"], row["label"]):
            continue
        if label != row["label"] and row["id"] in edited:
            _note(store, row, row["path"], label, f"the class {row['label']} was renamed")
        store.write("UPDATE photos SET folder_label = ?, label = ? WHERE id = ?", (folder, label, row["id"]))
    return store.read("SELECT * FROM photos")


def _find_edited(store: Store) -> set[int]:
    return {row["photo"] for row in store.read("SELECT DISTINCT photo FROM edits")}


def _find_renamed_classes(rows: Sequence[sqlite3.Row], seen: Sequence[SeenFile]) -> dict[str, str]:
    """Return {old: new} of class folders whose every file now stands, under its name, in one new folder."""
    labels = {one.label for one in seen}
    now = {(*leave_class_out(one.name, one.label), one.sha256): one.label for one in seen if one.sha256}
    known = {row["folder_label"] for row in rows if row["present"]}
    renamed = {}
    for old in known - labels:
        files = [row for row in rows if row["present"] and row["folder_label"] == old]
        found = {now.get((*leave_class_out(row["path"], old), row["sha256"]), "") for row in files}
        new = found.pop() if len(found) == 1 else ""
        if new and new not in known:
            renamed[old] = new
    return renamed


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

    def order(self, files: list[SeenFile]) -> list[SeenFile]:
        """Let files in the class folder of a loose photo with the same bytes choose first."""

        def has_label(one: SeenFile) -> bool:
            return any(row["folder_label"] == one.label for row in self._by_hash.get(one.sha256, ()))

        return sorted(files, key=lambda one: (not has_label(one), one.name))

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


def _update(store: Store, row: sqlite3.Row, one: SeenFile) -> None:
    label = row["label"]
    if one.label != row["folder_label"]:
        label = one.label
        if label != row["label"] and store.read("SELECT 1 FROM edits WHERE photo = ? LIMIT 1", (row["id"],)):
            # a photo with edits took its new class folder's label
            _note(store, row, one.name, label, f"moved from {row['path']}")
    facts = _list_facts(one, label)
    if not row["present"] or facts != tuple(row[name] for name in _FACTS):
        changes = ", ".join(f"{name} = ?" for name in _FACTS)
        store.write(f"UPDATE photos SET {changes}, present = 1 WHERE id = ?", (*facts, row["id"]))


def _list_facts(one: SeenFile, label: str) -> tuple[object, ...]:
    """Return the values of `_FACTS`."""
    file = one.file
    return one.name, file.size, file.mtime_ns, one.label, file.split, label, one.trouble


def _note(store: Store, row: sqlite3.Row, path: str, label: str, why: str) -> None:
    """Write a row that says which label a scan gave a photo."""
    now = utc_now()
    step = store.write("INSERT INTO steps (time, kind) VALUES (?, 'scan')", (now,))
    note = EditRow(
        sha256=row["sha256"], path=path, action=RELABEL, old=row["label"], new=label, why=why, who="scan",
        time=now, photo=row["id"],
    )  # fmt: skip
    insert_row(store, step, note)


def _insert(store: Store, one: SeenFile) -> None:
    facts = (*_list_facts(one, one.label), one.sha256, utc_now())
    store.write(
        f"INSERT INTO photos ({', '.join(_FACTS)}, sha256, added) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", facts
    )
