"""A folder of photos that a stranger made may bring a catalog: what it names and runs is looked at first."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from fastclf.catalog import Catalog
from fastclf.errors import CatalogError

from ..drawing import draw_photo


@pytest.fixture(scope="module")
def given_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos with its catalog."""
    folder = tmp_path_factory.mktemp("strange") / "given"
    for label in ("blue", "red"):
        (folder / label).mkdir(parents=True)
        for n in range(2):
            draw_photo(label, n, (64, 48)).save(folder / label / f"{n}.png")
    with Catalog(folder) as catalog:
        catalog.scan()
        catalog.remove([f"red/{n}.png" for n in range(1)])
    return folder


@pytest.fixture
def given(given_once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(given_once, tmp_path / "deep" / "given")


def forge(folder: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / ".fastclf" / "catalog.sqlite")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


LONG = "printf('%.*c', 4000, 'a')"
OUTSIDE = (
    "photos SET label = '../../escaped'", "photos SET label = '..'", "photos SET label = '/tmp/escaped'",
    "photos SET label = x'2e2e'", "photos SET folder_label = 'a/b'",
    "photos SET given_split = '../up'", "photos SET given_split = '/up'", "photos SET path = 'x/../../y' || id",
    "photos SET path = '/etc/passwd' || id", "photos SET path = 'a' || char(0) || id",
    "photos SET sha256 = '../' || id", "contents SET pixel_hash = '../escaped'", "photos SET label = 'a\\..\\..\\b'",
    "photos SET label = printf('%.*c', 20000, 'a')", "photos SET path = printf('%.*c', 10000000, 'a') || id",
    # each is short enough to be a name
    f"photos SET label = {LONG}, folder_label = {LONG}, given_split = {LONG}, path = {LONG} || id, sha256 = {LONG} || id",
    "contents SET width = ''", "contents SET height = 'tall'", "contents SET pixel_hash = x''",
)  # fmt: skip


@pytest.mark.parametrize("change", OUTSIDE)
def test_a_catalog_that_names_something_outside_is_refused(given: Path, change: str, tmp_path: Path) -> None:
    forge(given, f"UPDATE {change}")
    with (
        Catalog(given) as catalog,
        pytest.raises(CatalogError, match="names something outside of its folder"),
    ):
        catalog.photos()
    with contextlib.suppress(CatalogError), Catalog(given) as catalog:
        catalog.scan()  # which mends what the folder itself says
        catalog.materialize(tmp_path / "deep" / "copy")
    assert not [path for path in (tmp_path / "deep" / "copy").rglob("*") if "escaped" in path.name]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]


def test_photos_that_were_not_read_yet_are_no_forgery(given: Path) -> None:
    forge(given, "UPDATE contents SET width = NULL, height = NULL, pixel_hash = NULL")
    with Catalog(given) as catalog:
        assert len(catalog.photos().photos) > 1


def test_a_scan_does_not_go_through_a_name_without_end(given: Path) -> None:
    forge(given, "UPDATE photos SET label = printf('%.*c', 5000, 'a')")
    with Catalog(given) as catalog, pytest.raises(CatalogError, match=r"'a{80}'"):
        catalog.scan()


@pytest.mark.parametrize("name", ["a\n..\nb.png", "x\\..\\y.png", "a\n.\nb.png", "a\n\\b.png"])
def test_a_name_that_a_forged_catalog_would_hold_spoils_no_folder(given: Path, name: str) -> None:
    draw_photo("blue", 7, (64, 48)).save(given / "blue" / name)
    with Catalog(given) as catalog:
        catalog.scan()
        assert len(catalog.photos(removed=True).photos) == 4
        [bad] = catalog.unreadable()
        assert bad.name == f"blue/{name}"
        assert "rename it" in bad.reason
    (given / "blue" / name).rename(given / "blue" / "better.png")
    with Catalog(given) as catalog:
        catalog.scan()
        assert len(catalog.photos(removed=True).photos) == 5
        assert not catalog.unreadable()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON steps BEGIN DELETE FROM photos; END",
        "CREATE VIEW searches_more AS SELECT * FROM photos",
        "CREATE VIRTUAL TABLE docs USING fts5(a)",
    ],
)
def test_what_would_run_in_a_catalog_is_refused(given: Path, statement: str) -> None:
    forge(given, statement)
    with pytest.raises(CatalogError, match="that fastclf did not make"):
        Catalog(given)


def test_a_trigger_under_a_known_name_is_refused(given: Path) -> None:
    forge(
        given,
        "DROP TRIGGER edits_stay",
        "CREATE TRIGGER edits_stay AFTER INSERT ON steps BEGIN SELECT 1; END",
    )
    with pytest.raises(CatalogError, match="that fastclf did not make"):
        Catalog(given)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("kind", ["folder", "database", "log", "copies", "pipe"])
def test_links_and_pipes_in_the_place_of_our_files_are_not_followed(
    given: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_CATALOG", str(tmp_path / "own"))
    private, other = given / ".fastclf", tmp_path / "other"
    private.rename(other)
    before = (other / "catalog.sqlite").read_bytes()
    if kind == "folder":
        private.symlink_to(other)
    else:
        private.mkdir()
        name = {"database": "catalog.sqlite", "log": "catalog.sqlite-wal"}.get(kind, kind)
        os.mkfifo(private / name) if kind == "pipe" else (private / name).symlink_to(other / "catalog.sqlite")
    with Catalog(given) as catalog:
        catalog.scan()
        assert catalog.private.is_relative_to(tmp_path / "own")
        assert "not followed" in catalog.note
    assert (other / "catalog.sqlite").read_bytes() == before
