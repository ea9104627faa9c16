"""Drafts in the catalog, an older catalog that has none, and what other processes have edited."""

from __future__ import annotations

from pathlib import Path

from fastclf import Catalog
from fastclf.catalog import Draft


def open_scanned(folder: Path) -> Catalog:
    catalog = Catalog(folder, who="ada")
    catalog.scan()
    return catalog


def test_drafts_are_kept_one_a_photo_and_dropped(photo_folder: Path) -> None:
    one = Draft(7, "red/7.png", "red", False, "relabel", "blue", "looks\nblue", "2026-01-02T10:42:00+00:00")
    with open_scanned(photo_folder) as catalog:
        catalog.drafts.keep([one, Draft(-3, "visitor.jpg", "", False, "remove", time="2026-01-01")])
        catalog.drafts.keep([Draft(7, "red/7.png", "red", False, "remove", time="2026-01-03", who="eve")])
    with open_scanned(photo_folder) as catalog:
        found = catalog.drafts.read()
        assert [(d.photo, d.action, d.who) for d in found] == [(-3, "remove", "ada"), (7, "remove", "eve")]
        catalog.drafts.keep([one], dropped=[-3])
        [found] = catalog.drafts.read()
        assert (found.label, found.why, found.removed, found.who) == ("blue", "looks blue", False, "ada")


def test_a_catalog_without_drafts_gets_them_and_keeps_its_edits(photo_folder: Path) -> None:
    with open_scanned(photo_folder) as catalog:
        catalog.relabel(["red/000.png"], "blue")
        edits = catalog.edits()
        with catalog._store.transaction():
            catalog._store.write("DROP TABLE drafts")
            catalog._store.write("PRAGMA user_version = 3")
    with open_scanned(photo_folder) as catalog:
        assert catalog.edits() == edits
        assert catalog.drafts.read() == []


def test_what_another_process_edited_is_told_apart_from_what_it_only_wrote(photo_folder: Path) -> None:
    with open_scanned(photo_folder) as here, open_scanned(photo_folder) as there:
        mark, version = here.follow(), here.version
        here.relabel(["red/001.png"], "blue")
        assert here.version == version
        there.drafts.keep([Draft(1, "a", "red", False, "remove", time="2026-01-03")])
        assert here.version != version
        there.relabel(["red/000.png"], "blue")
        found = here.follow(mark)
        assert [row.path for row in found.rows] == ["red/001.png", "red/000.png"]
        assert here.follow(found).rows == ()
