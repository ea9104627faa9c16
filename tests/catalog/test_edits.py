"""Edits: appended, refused together, undone and redone without end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from fastclf.catalog import Catalog, Edit
from fastclf.errors import UsageError
from fastclf.system import hash_file

from ..scanned import hash_folder, labels_of, scanned


def test_undo_and_redo_go_without_end(catalog: Catalog) -> None:
    states = [labels_of(catalog)]
    for step in (
        lambda: catalog.relabel(["red/000.png", "red/001.png"], "blue"),
        lambda: catalog.remove(["red/000.png"]),
        lambda: catalog.restore(["red/000.png"]),
        lambda: catalog.apply(
            [Edit(p.id, "relabel", "green") for p in catalog.photos().photos if p.label == "blue"]
        ),
    ):
        step()
        states.append(labels_of(catalog))
    for state in reversed(states[:-1]):
        assert catalog.undo()
        assert labels_of(catalog) == state
    assert catalog.undo() is None
    for state in states[1:]:
        assert catalog.redo()
        assert labels_of(catalog) == state
    assert catalog.redo() is None
    catalog.undo()
    catalog.remove(["blue/009.png"])
    assert catalog.redo() is None
    # nothing is ever taken out of the log
    assert len(catalog.edits(log=True)) > len(states)


def test_edits_cannot_be_changed_or_deleted_even_in_the_database(photo_folder: Path) -> None:
    with scanned(photo_folder) as catalog:
        catalog.remove(["red/000.png"])
    database = sqlite3.connect(photo_folder / ".fastclf" / "catalog.sqlite")
    for statement in ("UPDATE edits SET who = 'x'", "DELETE FROM edits"):
        with pytest.raises(sqlite3.Error, match="never"):
            database.execute(statement)
    database.close()


def test_an_edit_records_who_and_why_and_what_was_before(catalog: Catalog, photo_folder: Path) -> None:
    [row] = catalog.relabel(["red/000.png"], "blue", why="hump")
    assert (row.action, row.old, row.new, row.why, row.who) == ("relabel", "red", "blue", "hump", "ann")
    assert row.sha256 == hash_file(photo_folder / "red" / "000.png")
    assert row.time.endswith("+00:00")
    assert catalog.relabel(["red/000.png"], "blue") == []


def test_one_refused_edit_refuses_the_whole_step(catalog: Catalog) -> None:
    photo = catalog.photos().photos[0].id
    # no folder could have one of these labels
    labels = ("", "  ", "a/b", "..", ".hidden", "a\nb", "x" * 300, "\udcff")
    for edit, words in (
        (Edit(999, "remove"), "number 999"),
        (Edit(photo, "explode"), "explode"),
        *((Edit(photo, "relabel", label), "label") for label in labels),
    ):
        with pytest.raises(UsageError, match=words):
            catalog.apply([Edit(photo, "remove"), edit])
    with pytest.raises(UsageError, match=r"red/none\.png"):
        catalog.remove(["red/none.png"])
    assert len(catalog.photos().photos) == 30
    assert catalog.edits(log=True) == []
    assert catalog.undo() is None


def test_no_byte_of_a_photo_changes(photo_folder: Path, tmp_path: Path) -> None:
    before = hash_folder(photo_folder)
    with scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        catalog.remove(["red/001.png"])
        catalog.undo()
        catalog.assign_splits(catalog.photos().photos)
        catalog.materialize(tmp_path / "clean")
    assert hash_folder(photo_folder) == before
