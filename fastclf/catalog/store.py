"""The catalog's database: SQLite, opened so that two processes and a kill do no harm."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import CatalogError

SCHEMA = 2
_BUSY_SECONDS = 30.0

# contents: what is known of a file's bytes, however many files hold them.
# photos:   a file in the folder; its number stays when it is renamed.
# edits:    appended, never changed; steps are what one call did, and what undo and redo move over.
_TABLES = """
CREATE TABLE contents (
  sha256 TEXT PRIMARY KEY, reason TEXT, measured TEXT NOT NULL, bytes INTEGER NOT NULL,
  width INTEGER, height INTEGER, format TEXT, plain INTEGER, pixel_hash TEXT,
  hashes BLOB, signature BLOB, comparable INTEGER, quality TEXT
) WITHOUT ROWID;
CREATE TABLE thumbnails (sha256 TEXT PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE photos (
  id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL, folder_label TEXT NOT NULL, given_split TEXT NOT NULL, label TEXT NOT NULL,
  removed INTEGER NOT NULL DEFAULT 0, present INTEGER NOT NULL DEFAULT 1, trouble TEXT, added TEXT NOT NULL
);
CREATE UNIQUE INDEX photos_path ON photos (path) WHERE present;
CREATE INDEX photos_sha256 ON photos (sha256);
CREATE TABLE steps (
  id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, kind TEXT NOT NULL, target INTEGER
);
CREATE TABLE edits (
  id INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL REFERENCES steps (id),
  photo INTEGER NOT NULL REFERENCES photos (id), sha256 TEXT NOT NULL, path TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('relabel', 'remove', 'restore')),
  old TEXT NOT NULL, new TEXT NOT NULL, why TEXT NOT NULL, who TEXT NOT NULL, time TEXT NOT NULL
);
CREATE INDEX edits_photo ON edits (photo);
CREATE INDEX edits_step ON edits (step);
CREATE TRIGGER edits_stay BEFORE UPDATE ON edits BEGIN SELECT RAISE (ABORT, 'edits are never changed'); END;
CREATE TRIGGER edits_kept BEFORE DELETE ON edits BEGIN SELECT RAISE (ABORT, 'edits are never deleted'); END;
CREATE TABLE splits (
  sha256 TEXT PRIMARY KEY, grp TEXT NOT NULL, split TEXT NOT NULL CHECK (split IN ('train', 'valid', 'test')),
  origin TEXT NOT NULL, seed INTEGER NOT NULL, time TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE openings (
  id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, model TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE TABLE opened (
  opening INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (opening, sha256)
) WITHOUT ROWID;
CREATE TABLE pairs (
  a TEXT NOT NULL, b TEXT NOT NULL, score REAL NOT NULL, mirrored INTEGER NOT NULL, PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE TABLE looked_at (
  a TEXT NOT NULL, b TEXT NOT NULL, method TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE TABLE compared (sha256 TEXT PRIMARY KEY, method TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE results (name TEXT PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
"""
# fetches:  an address that was found for a class, and what became of it; never deleted.
# searches: which pages of which search were read.
_FETCHES = """
CREATE TABLE fetches (
  id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, url TEXT NOT NULL, source TEXT NOT NULL,
  query TEXT NOT NULL, page TEXT NOT NULL, licence TEXT NOT NULL, creator TEXT NOT NULL, title TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'stored', 'duplicate', 'refused')),
  reason TEXT NOT NULL DEFAULT '', lasting INTEGER NOT NULL DEFAULT 0, received TEXT, stored TEXT,
  path TEXT, bytes INTEGER, time TEXT NOT NULL
);
CREATE UNIQUE INDEX fetches_url ON fetches (label, url);
CREATE INDEX fetches_stored ON fetches (stored);
CREATE INDEX fetches_by_url ON fetches (url);
CREATE TABLE searches (
  label TEXT NOT NULL, source TEXT NOT NULL, query TEXT NOT NULL, page INTEGER NOT NULL,
  found INTEGER NOT NULL, time TEXT NOT NULL, PRIMARY KEY (label, source, query, page)
) WITHOUT ROWID;
"""
_DROP_UNUSED = "ALTER TABLE photos DROP COLUMN source_url; ALTER TABLE photos DROP COLUMN licence;"
# What brings an empty file, or a catalog of an earlier schema, to today's.
_UPGRADES = {0: _TABLES + _FETCHES, 1: _DROP_UNUSED + _FETCHES}


class Store:
    """One connection to a catalog's database; threads take turns on it.

    Parameters
    ----------
    file
        The database; made if it is not there.
    wal
        Whether it lies on a disk of this machine, where the write-ahead log is safe.
    busy_seconds
        How long to wait for another process that writes.

    Raises
    ------
    CatalogError
        If it cannot be opened, is damaged, or of a newer fastclf.
    """

    def __init__(self, file: Path, *, wal: bool = True, busy_seconds: float = _BUSY_SECONDS) -> None:
        self.file = file
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        self._open = False
        with self._told():
            self._connection = sqlite3.connect(
                file, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            try:
                self._prepare(wal)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def read(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock, self._told():
            return self._connection.execute(query, values).fetchall()

    def write(self, query: str, values: Sequence[Any] = ()) -> int:
        """Execute a statement inside `transaction` and return the number of the last inserted row."""
        with self._told():
            return self._connection.execute(query, values).lastrowid or 0

    def write_many(self, query: str, rows: Sequence[Sequence[Any] | Mapping[str, Any]]) -> None:
        """Execute a statement for each row, inside `transaction`."""
        with self._told():
            self._connection.executemany(query, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all of the block or nothing of it; other writers wait. Blocks do not nest."""
        with self._lock:
            with self._told():
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                with self._told():
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _prepare(self, wal: bool) -> None:
        self._set_journal("WAL" if wal else "DELETE")
        self._connection.execute("PRAGMA synchronous = FULL")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise CatalogError(
                f"{self.file} was written by a newer fastclf (schema {version}; this one knows {SCHEMA}). "
                "Update fastclf."
            )
        if version == SCHEMA:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        # another process may have been faster
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version < SCHEMA:
            for statement in _split_statements(_UPGRADES[version]):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA}")
        self._connection.execute("COMMIT")

    def _set_journal(self, mode: str) -> None:
        """Set the journal; changing it needs the database alone, and SQLite does not wait for that."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                found = self._connection.execute("PRAGMA journal_mode").fetchone()[0]
                if found.upper() != mode:
                    self._connection.execute(f"PRAGMA journal_mode = {mode}")
                return
            except sqlite3.OperationalError as e:
                if "locked" not in str(e) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn SQLite's errors into sentences."""
        try:
            yield
        except sqlite3.Error as e:
            raise CatalogError(self._describe(e)) from e

    def _describe(self, error: sqlite3.Error) -> str:
        text = str(error)
        if "locked" in text or "busy" in text:
            return (
                f"Another process has been writing to {self.file} for over {self._busy_seconds:.0f} s. "
                "Wait for it or stop it, then try again; nothing was changed."
            )
        if "full" in text:
            return f"The disk that holds {self.file} is full. Make room and try again; nothing was changed."
        if "readonly" in text or "unable to open" in text:
            return (
                f"{self.file} cannot be opened for writing ({text}). Mend its permissions, or name another "
                "place in FASTCLF_CATALOG."
            )
        if "malformed" in text or "not a database" in text:
            return (
                f"{self.file} is damaged ({text}). Put a copy of it back, or move it away: fastclf then "
                "starts a new catalog, and `fastclf edits import` brings exported edits back."
            )
        if "disk I/O" in text:
            return f"{self.file} cannot be read or written ({text}). Check the disk, then try again."
        return f"{self.file} refused to work ({text})."


def _split_statements(script: str) -> list[str]:
    """Return the statements of a script; a trigger's body holds a semicolon of its own."""
    statements, current = [], ""
    for part in script.split(";"):
        current += part + ";"
        if sqlite3.complete_statement(current):
            statements.append(current.strip())
            current = ""
    return [s for s in statements if s.strip("; \n")]
