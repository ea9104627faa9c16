"""Edits: appended rows that say what a photo's label is today; undo and redo are rows too."""

from __future__ import annotations

import getpass
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace

from ..errors import UsageError
from ..system import clean_text, unify_name, utc_now
from .store import Store

RELABEL, REMOVE, RESTORE = "relabel", "remove", "restore"
ACTIONS = (RELABEL, REMOVE, RESTORE)
# whoever decides nothing but only looks at the folder
SCAN = "scan"
MAX_LABEL = 255
MAX_WHY = 1000


@dataclass(frozen=True)
class Edit:
    """What somebody decided about a photo.

    Attributes
    ----------
    photo
        The catalog's number of the photo.
    action
        "relabel", "remove" or "restore".
    label
        The new label of a relabel.
    why
        For people.
    who
        Whoever decided, where it is not whoever applies it.
    """

    photo: int
    action: str
    label: str | None = None
    why: str = ""
    who: str | None = None


@dataclass(frozen=True)
class EditRow:
    """An edit as the catalog keeps it.

    Attributes
    ----------
    sha256, path
        The photo: hash of its bytes, and its name at the time.
    action
        "relabel", "remove" or "restore".
    old, new
        The label before and after; equal for remove and restore.
    why, who, time
        Reason, person or "scan", ISO 8601 in UTC.
    photo
        The catalog's number of the photo.
    id
        The edit's number.
    """

    sha256: str
    path: str
    action: str
    old: str
    new: str
    why: str
    who: str
    time: str
    photo: int = 0
    id: int = 0


def apply_edits(
    store: Store, edits: Sequence[Edit], who: str | None = None, ask: Callable[[], object] | None = None
) -> list[EditRow]:
    """Apply edits in order as one step, all of them or none; what would change nothing is left out."""
    for edit in edits:
        check_edit(edit)
    with store.transaction():
        if ask:
            ask()
        return write_step(store, edits, "do", who)


def check_edit(edit: Edit) -> None:
    """Refuse an edit that makes no sense, whatever the photo."""
    if edit.action not in ACTIONS:
        raise UsageError(
            "The action is {action!r}; it can be {actions}.", action=edit.action, actions=", ".join(ACTIONS)
        )
    if edit.action == RELABEL:
        check_label(edit.label)


def check_label(label: object) -> None:
    """Refuse a label that no folder could be named after.

    Raises
    ------
    UsageError
        With the reason.
    """
    if not isinstance(label, str) or not label.strip() or len(label) > MAX_LABEL:
        raise UsageError(
            "A label has 1 to {most} characters; {label!r} is none.", most=MAX_LABEL, label=str(label)[:40]
        )
    text = label.encode("utf-8", "replace").decode()
    if label in (".", "..") or any(c in label for c in "/\\\0\n\r") or text != label or label.startswith("."):
        raise UsageError(
            "{label!r} cannot be a label: a folder could not be named that. Leave out slashes, line "
            "ends and a dot in front.",
            label=label[:40],
        )


def write_step(
    store: Store, edits: Iterable[Edit], kind: str, who: str | None, target: int | None = None
) -> list[EditRow]:
    """Write edits as one step inside a transaction."""
    now, who = utc_now(), who or find_user()
    step = store.write("INSERT INTO steps (time, kind, target) VALUES (?, ?, ?)", (now, kind, target))
    rows = [_write_edit(store, edit, step, now, who) for edit in edits]
    written = [row for row in rows if row is not None]
    if not written and kind == "do":
        # an empty step would make an undo that does nothing
        store.write("DELETE FROM steps WHERE id = ?", (step,))
    return written


def undo_step(store: Store, who: str | None = None) -> list[EditRow] | None:
    """Take back the last step that stands; returns the rows that do it, or None where no step stands."""
    with store.transaction():
        done, _ = find_stacks(store)
        if not done:
            return None
        rows = read_rows(store, "WHERE step = ?", (done[-1],))
        inverse = [_invert(row) for row in reversed(rows) if not _was_moved_since(store, row)]
        return write_step(store, inverse, "undo", who, done[-1])


def redo_step(store: Store, who: str | None = None) -> list[EditRow] | None:
    """Do the step again that was taken back last; returns its rows, or None where there is none."""
    with store.transaction():
        _, undone = find_stacks(store)
        if not undone:
            return None
        rows = read_rows(store, "WHERE step = ?", (undone[-1],))
        edits = [Edit(r.photo, r.action, r.new if r.action == RELABEL else None, r.why) for r in rows]
        return write_step(store, edits, "redo", who, undone[-1])


def find_stacks(store: Store) -> tuple[list[int], list[int]]:
    """Return the steps that stand and those that were undone, each with the next one to move last."""
    done: list[int] = []
    undone: list[int] = []
    for row in store.read("SELECT id, kind, target FROM steps ORDER BY id"):
        if row["kind"] == "do":
            done.append(row["id"])
            undone.clear()
        elif row["kind"] == "undo":
            done.remove(row["target"])
            undone.append(row["target"])
        elif row["kind"] == "redo":
            undone.remove(row["target"])
            done.append(row["target"])
    return done, undone


def read_rows(store: Store, where: str = "", values: Sequence[object] = ()) -> list[EditRow]:
    """Return edits in the order in which they were made."""
    names = ", ".join(field.name for field in fields(EditRow))
    return [
        EditRow(**dict(row)) for row in store.read(f"SELECT {names} FROM edits {where} ORDER BY id", values)
    ]


@dataclass(frozen=True)
class Watermark:
    """How far the record of edits was read.

    Attributes
    ----------
    version
        SQLite's count of what other connections committed, as this connection sees it.
    last
        The number of the last edit.
    rows
        What was appended between the two last looks.
    """

    version: int
    last: int
    rows: tuple[EditRow, ...] = ()


def read_version(store: Store) -> int:
    """Return a number that differs once another connection has committed anything."""
    return int(store.read("PRAGMA data_version")[0][0])


def follow_edits(store: Store, known: Watermark | None = None) -> Watermark:
    """Look what was appended since `known`; where no other connection wrote anything, that is nothing."""
    version = read_version(store)
    if known is not None and known.version == version:
        return replace(known, rows=())
    rows = () if known is None else tuple(read_rows(store, "WHERE id > ?", (known.last,)))
    [[last]] = store.read("SELECT IFNULL(MAX(id), 0) FROM edits")
    return Watermark(version, max([last, *(row.id for row in rows)]), rows)


def read_net_rows(store: Store) -> list[EditRow]:
    """Return one or two rows a photo that together lead from its folder's label to today's state.

    A relabel if today's label is not the folder's, a remove if the photo is out; each with the reason, person
    and time of the last edit that said so, in the order of these.
    """
    last: dict[tuple[int, str], EditRow] = {}
    for row in read_rows(store):
        last[row.photo, RELABEL if row.action == RELABEL else REMOVE] = row
    net = []
    for photo in store.read(
        "SELECT id, sha256, path, label, folder_label, removed FROM photos"
        " WHERE present AND id IN (SELECT photo FROM edits)"
    ):
        relabel, removal = last.get((photo["id"], RELABEL)), last.get((photo["id"], REMOVE))
        if relabel is not None and photo["label"] != photo["folder_label"]:
            net.append(_net_row(photo, relabel, RELABEL, photo["folder_label"]))
        if removal is not None and photo["removed"]:
            net.append(_net_row(photo, removal, REMOVE, photo["label"]))
    # a photo's relabel before its removal, which names the new label
    latest: dict[int, int] = {}
    for row in net:
        latest[row.photo] = max(row.id, latest.get(row.photo, 0))
    return sorted(net, key=lambda row: (latest[row.photo], row.action != RELABEL))


def find_user() -> str:
    """Return the name of the system's user, or "unknown"."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _net_row(photo: sqlite3.Row, row: EditRow, action: str, old: str) -> EditRow:
    now = {"sha256": photo["sha256"], "path": photo["path"], "new": photo["label"]}
    return replace(row, action=action, old=old, **now)


def _was_moved_since(store: Store, row: EditRow) -> bool:
    """Tell whether somebody gave the photo another label by moving its file after the edit."""
    return row.action == RELABEL and bool(
        store.read(
            "SELECT 1 FROM edits JOIN steps ON steps.id = edits.step"
            " WHERE edits.photo = ? AND edits.id > ? AND steps.kind = 'scan' LIMIT 1",
            (row.photo, row.id),
        )
    )


def _write_edit(store: Store, edit: Edit, step: int, now: str, who: str) -> EditRow | None:
    found = store.read("SELECT sha256, path, label, removed FROM photos WHERE id = ?", (edit.photo,))
    if not found:
        raise UsageError("There is no photo number {photo:d} in this catalog.", photo=edit.photo)
    photo = found[0]
    new = unify_name(str(edit.label)) if edit.action == RELABEL else photo["label"]
    column, value = ("label", new) if edit.action == RELABEL else ("removed", int(edit.action == REMOVE))
    if photo[column] == value:
        return None
    store.write(f"UPDATE photos SET {column} = ? WHERE id = ?", (value, edit.photo))
    row = EditRow(
        sha256=photo["sha256"],
        path=photo["path"],
        action=edit.action,
        old=photo["label"],
        new=new,
        why=clean_text(edit.why, MAX_WHY),
        who=edit.who or who,
        time=now,
        photo=edit.photo,
    )
    return insert_row(store, step, row)


def insert_row(store: Store, step: int, row: EditRow) -> EditRow:
    """Append a row to a step and return it with its number; the photo's state is the caller's to change."""
    number = store.write(
        "INSERT INTO edits (step, photo, sha256, path, action, old, new, why, who, time)"
        " VALUES (:step, :photo, :sha256, :path, :action, :old, :new, :why, :who, :time)",
        {**vars(row), "step": step},
    )
    return replace(row, id=number)


def _invert(row: EditRow) -> Edit:
    why = f"undo: {row.why}" if row.why else "undo"
    if row.action == RELABEL:
        return Edit(row.photo, RELABEL, row.old, why)
    return Edit(row.photo, RESTORE if row.action == REMOVE else REMOVE, None, why)
