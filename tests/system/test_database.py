"""A database of our own: opened by several at once, refused with a sentence, never left half made."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastclf.catalog import Store
from fastclf.errors import CatalogError

from ..conftest import ROOT

_CHILD = """
import sys
from pathlib import Path
from fastclf.catalog import FetchLedger, Store
print("ready", flush=True)
store = Store(Path(sys.argv[1]))
print(FetchLedger(store).add("red", [{"url": "http://a/1"}]), store.read("SELECT COUNT(*) FROM photos")[0][0])
store.close()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


def describe(file: Path) -> tuple[int, set[str]]:
    """Return the version and the names of the tables, indexes and triggers."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        [(version,)] = connection.execute("PRAGMA user_version")
        return version, {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


@pytest.mark.slow
def test_two_processes_that_open_a_new_database_at_once_make_it_once(file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    # both see the empty file and wait for the same lock
    connection.execute("BEGIN IMMEDIATE")
    command = [sys.executable, "-c", _CHILD, str(file)]
    children = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in "ab"
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    time.sleep(0.3)
    connection.execute("COMMIT")
    connection.close()
    answers = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], answers
    assert sorted(out for out, _ in answers) == ["0 0\n", "1 0\n"]
    assert describe(file)[0] == Store.version


def test_tables_that_cannot_all_be_made_leave_an_empty_database(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "tables", Store.tables + "CREATE TABLE photos (id INTEGER);")
    with pytest.raises(CatalogError):
        Store(file)
    assert describe(file) == (0, set())
    monkeypatch.undo()
    Store(file).close()
    assert describe(file)[0] == Store.version


@pytest.mark.parametrize(("version", "words"), [(99, "newer fastclf"), (1, "before the first release")])
def test_a_database_of_another_version_is_refused_and_stays_as_it_is(
    file: Path, version: int, words: str
) -> None:
    Store(file).close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = describe(file)
    with pytest.raises(CatalogError, match=rf"{words}.*\(schema {version}; this one knows {Store.version}\)"):
        Store(file)
    assert describe(file) == before


def test_a_damaged_database_is_a_sentence(file: Path) -> None:
    file.write_bytes(b"this is no database" * 500)
    with pytest.raises(CatalogError, match="damaged"):
        Store(file)


def test_a_locked_database_is_a_sentence(file: Path) -> None:
    Store(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = Store(file, busy_seconds=0.2)
    with pytest.raises(CatalogError, match="Another process"), store.transaction():
        pass
    other.execute("ROLLBACK")
    with store.transaction():
        pass
    store.close()
    other.close()


def test_a_file_whose_own_names_are_no_text_is_told_as_damaged(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    Store(file).close()
    data = file.read_bytes()
    assert b"tablephotos" in data
    file.write_bytes(data.replace(b"tablephotos", b"table\xff\xfeotos"))

    def use() -> None:
        with contextlib.closing(Store(file)) as store:
            store.read("SELECT * FROM photos")

    with pytest.raises(CatalogError, match=r"catalog\.sqlite is damaged"):
        use()
