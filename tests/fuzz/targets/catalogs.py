"""A catalog that came with a folder of photos: any bytes as its file, and good tables with hostile rows."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import cache
from pathlib import Path

from fastclf.catalog import Catalog, Edit
from fastclf.system import DATABASE, find_private_place

from ...drawing import draw_photos
from ..tape import Tape
from ..target import Target, make_folder

TABLES = ("photos", "contents", "edits", "steps", "drafts", "splits", "pairs", "looked_at", "compared", "results",
          "openings", "opened", "thumbnails", "fetches", "searches")  # fmt: skip


@cache
def make_folder_of_photos() -> tuple[Path, bytes]:
    """A folder of six photos with edits, splits and pairs, and its catalog's bytes."""
    folder = draw_photos(make_folder() / "photos", per_class=2, size=(16, 12))
    with Catalog(folder, who="ann") as catalog:
        catalog.scan()
        photos = catalog.photos().photos
        catalog.assign_splits(photos)
        catalog.apply([Edit(photos[0].id, "relabel", "red", "hump"), Edit(photos[1].id, "remove")])
        catalog.undo()
        catalog.record_opening("model", [photos[0].sha256], {"accuracy": 1.0})
    return folder, _file(folder).read_bytes()


def _file(folder: Path) -> Path:
    return find_private_place(folder).path / DATABASE


def take_file(data: bytes) -> None:
    """Open the folder with these bytes as its catalog; much of it is good, since the start is kept short."""
    folder, _ = make_folder_of_photos()
    _put(folder, data)
    _use(folder)


def take_rows(data: bytes) -> None:
    """Write hostile values into some cells, past every check of the tables."""
    folder, good = make_folder_of_photos()
    _put(folder, good)
    tape = Tape(data)
    with contextlib.closing(sqlite3.connect(_file(folder), isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")
        for trigger in ("edits_stay", "edits_kept"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for _ in range(1 + tape.number(4)):
            _spoil(connection, tape)
    _use(folder)


def _spoil(connection: sqlite3.Connection, tape: Tape) -> None:
    table = tape.choose(TABLES)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column, value = (
        tape.choose(columns),
        tape.value('{"kind": "x"}', "[1", '{"a": NaN}', "é", "train", "relabel"),
    )
    every = tape.number(2)
    with contextlib.suppress(sqlite3.Error, OverflowError, UnicodeEncodeError):
        value = value if isinstance(value, str | bytes | int | float | None) else repr(value)
        where = "" if every else f" WHERE rowid = (SELECT min(rowid) FROM {table})"
        connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ?{where}", (value,))


def _put(folder: Path, data: bytes) -> None:
    file = _file(folder)
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    file.write_bytes(data)


def _use(folder: Path) -> None:
    """Do what check, train, the Clean tab and `edits export` do with a catalog."""
    with Catalog(folder, who="ann") as catalog:
        catalog.scan()
        photos = catalog.photos(removed=True).photos
        catalog.unreadable(), catalog.measures(), catalog.count_steps(), catalog.follow()
        catalog.edits(log=True), catalog.export_edits(), catalog.export_edits(log=True)
        for photo in photos[:3]:
            catalog.thumbnail(photo.sha256)
        catalog.find_near_pairs()
        catalog.assign_splits(catalog.photos().photos)
        catalog.undo(), catalog.redo()


TARGETS = [
    Target(
        "catalog-file",
        take_file,
        lambda: [make_folder_of_photos()[1]],
        (b"CREATE TABLE", b"CREATE VIEW", b"\0\0"),
    ),
    Target("catalog-rows", take_rows, lambda: [bytes(range(n, n + 10)) for n in range(0, 200, 8)]),
]
