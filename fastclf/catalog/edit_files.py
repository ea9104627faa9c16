"""Edits as a file that travels: written as CSV, replayed on another copy of the photos."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import UsageError
from ..system import ShortRepr, csv_bytes, decode_text, read_table, unify_name
from .edits import RELABEL, REMOVE, Edit, EditRow, check_edit, read_net_rows, read_rows, write_step
from .store import Store

COLUMNS = ("sha256", "path", "action", "from", "to", "why", "who", "time")
MAX_EDIT_BYTES = 200 * 2**20


@dataclass(frozen=True, repr=False)
class ImportReport(ShortRepr):
    """What an import did.

    Attributes
    ----------
    applied
        The edits that were made.
    already
        How many rows said what was so already.
    missing
        (path, reason) of rows whose photo is not here.
    conflicts
        (path, reason) of rows that were left alone because something is in doubt.
    """

    applied: tuple[EditRow, ...]
    already: int
    missing: tuple[tuple[str, str], ...]
    conflicts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Photo:
    """A photo's state while rows are replayed."""

    id: int
    sha256: str
    path: str
    label: str
    removed: bool


def export_edits(store: Store, *, log: bool = False) -> bytes:
    """Return the net edits as CSV, or with `log` every edit that was ever made, undone ones and undos too.

    What is removed goes ``to`` nowhere, and what is restored is said to have its label.
    """
    rows = read_rows(store) if log else read_net_rows(store)
    table = [
        (r.sha256, r.path, r.action, r.old, "" if r.action == REMOVE else r.new, r.why, r.who, r.time)
        for r in rows
    ]
    return csv_bytes(COLUMNS, table)


def import_edits(store: Store, data: bytes, who: str | None = None) -> ImportReport:
    """Replay exported edits as one step; what is in doubt is skipped and reported.

    A row is about the photo of the same path and bytes; else about the one unclaimed photo with these bytes
    whose label equals the row's ``from``.

    Parameters
    ----------
    store
        The catalog's database.
    data
        The CSV file.
    who
        Whoever imports, for rows that name nobody.

    Raises
    ------
    UsageError
        If it is no file of edits. Nothing is changed then.
    """
    rows = parse_edits(data)
    with store.transaction():
        replay = _Replay(store)
        for number, row in enumerate(rows, 2):
            replay.play(row, number)
        applied = write_step(store, replay.edits, "do", who) if replay.edits else []
    return ImportReport(tuple(applied), replay.already, tuple(replay.missing), tuple(replay.conflicts))


class _Replay:
    """Replays rows on the photos' states in memory; `edits` is what is to be written."""

    def __init__(self, store: Store) -> None:
        self.edits: list[Edit] = []
        self.already = 0
        self.missing: list[tuple[str, str]] = []
        self.conflicts: list[tuple[str, str]] = []
        self._states: dict[int, _Photo] = {}
        self._by_hash: dict[str, list[int]] = defaultdict(list)
        self._claims: dict[tuple[str, str], int] = {}
        self._claimed: set[int] = set()
        for row in store.read("SELECT id, sha256, path, label, removed FROM photos WHERE present"):
            self._states[row["id"]] = _Photo(
                row["id"], row["sha256"], row["path"], row["label"], bool(row["removed"])
            )
            self._by_hash[row["sha256"]].append(row["id"])

    def play(self, row: dict[str, str], number: int) -> None:
        path, reason = row["path"], _find_fault(row)
        if reason:
            self.conflicts.append((path or f"line {number}", reason))
            return
        photo = self._match(row)
        if photo is None:
            return
        label = unify_name(row["to"]) if row["action"] == RELABEL else None
        state = replace(photo, label=label) if label else replace(photo, removed=row["action"] == REMOVE)
        if state == photo:
            self.already += 1
        elif photo.label != unify_name(row["from"]):
            words = f"is labelled {photo.label} here; the edit expects {row['from']}, so it was left alone"
            self.conflicts.append((path, words))
        else:
            self._states[photo.id] = state
            self.edits.append(Edit(photo.id, row["action"], label, row["why"], row["who"] or None))

    def _match(self, row: dict[str, str]) -> _Photo | None:
        key = (row["sha256"], row["path"])
        if key in self._claims:
            return self._states[self._claims[key]]
        same = [self._states[i] for i in self._by_hash.get(row["sha256"], ())]
        if not same:
            self.missing.append((row["path"], "is not among these photos (by its bytes)"))
            return None
        claimed = self._claimed
        path, old, new = (unify_name(row[column]) for column in ("path", "from", "to"))
        path = path.replace("\\", "/") if "/" not in path else path
        exact = [p for p in same if unify_name(p.path) == path and p.id not in claimed]
        free = [p for p in same if p.id not in claimed and old == p.label]
        # a second import finds the photo where the first one put it
        settled = [p for p in same if p.id not in claimed and new == p.label]
        for candidates in (exact, free, settled):
            if len(candidates) == 1:
                self._claims[key] = candidates[0].id
                self._claimed.add(candidates[0].id)
                return candidates[0]
            if candidates:
                break
        self._leave_alone(row, same)
        return None

    def _leave_alone(self, row: dict[str, str], same: Sequence[_Photo]) -> None:
        places = ", ".join(sorted(p.path for p in same)[:3])
        self.conflicts.append(
            (row["path"], f"could be any of {places}; none has that path and the label {row['from']} alone")
        )


def is_edits(data: bytes) -> bool:
    """Return whether a file's first lines name the columns of edits; else it may be one of labels."""
    head = decode_text(data[:4096]).lower().splitlines()[:3]  # a spreadsheet's "sep=;" may stand first
    return any(all(column in line for column in COLUMNS) for line in head)


def parse_edits(data: bytes) -> list[dict[str, str]]:
    """Return the rows of a file of edits, {column: cell} each.

    Raises
    ------
    UsageError
        If it is none, or too large.
    """
    if len(data) > MAX_EDIT_BYTES:
        raise UsageError(
            "The file of edits has {size:,} bytes; at most {most:,} are read. Import it in parts.",
            size=len(data),
            most=MAX_EDIT_BYTES,
        )
    table = read_table(data, "The file of edits", COLUMNS)
    if set(COLUMNS) - set(table.columns):
        raise UsageError(
            "This is no file of edits: its first line is not {columns}. Write one with "
            "`fastclf edits export DIR FILE`.",
            columns=",".join(COLUMNS),
        )
    return [{column: row[column] for column in COLUMNS} for _, row in table.rows]


def _find_fault(row: dict[str, str]) -> str:
    """Return why a row makes no sense, or ""."""
    if not re.fullmatch(r"[0-9a-f]{64}", row["sha256"]):
        return f"has {row['sha256'][:20]!r} where a sha256 is expected"
    try:
        check_edit(Edit(0, row["action"], row["to"] if row["action"] == RELABEL else None))
    except UsageError as e:
        return f"was left alone: {str(e).rstrip('.')}"
    return ""


def count_words(rows: Sequence[EditRow]) -> str:
    """Return what rows do in words, "2 relabelled, 1 removed" for example."""
    words = {RELABEL: "relabelled", REMOVE: "removed", "restore": "restored"}
    counts = [(sum(r.action == action for r in rows), word) for action, word in words.items()]
    return ", ".join(f"{n} {word}" for n, word in counts if n) or "nothing changed"
