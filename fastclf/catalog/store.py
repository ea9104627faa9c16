"""The catalog's database: its tables, and the connection to them."""

from __future__ import annotations

from typing import ClassVar

from ..errors import CatalogError
from ..system import Database

# contents: what is known of a file's bytes, however many files hold them.
# photos:   a file in the folder; its number stays when it is renamed. One without a class folder never was in
#           it: a photo from outside that a step turned away.
# edits:    appended, never changed; steps are what one call did, and what undo and redo move over.
# drafts:   choices about photos, or by negative numbers about reports, that wait to become edits.
# fetches:  an address that was found for a class, and what became of it; never deleted.
# searches: which pages of which search were read.
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
CREATE TABLE drafts (
  photo INTEGER PRIMARY KEY, name TEXT NOT NULL, old TEXT NOT NULL, removed INTEGER NOT NULL,
  action TEXT NOT NULL, label TEXT, why TEXT NOT NULL, time TEXT NOT NULL, who TEXT NOT NULL
);
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
  a TEXT NOT NULL, b TEXT NOT NULL, score REAL NOT NULL, turn INTEGER NOT NULL, PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE TABLE looked_at (
  a TEXT NOT NULL, b TEXT NOT NULL, method TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE TABLE compared (sha256 TEXT PRIMARY KEY, method TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE results (name TEXT PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
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

# What a scan finds again is thrown away; what people said stays.
_UPGRADES = {
    2: """
DELETE FROM pairs;
DELETE FROM compared;
UPDATE contents SET measured = '', hashes = NULL, signature = NULL, comparable = 0 WHERE reason IS NULL;
ALTER TABLE pairs RENAME COLUMN mirrored TO turn;
""",
    3: """
CREATE TABLE drafts (
  photo INTEGER PRIMARY KEY, name TEXT NOT NULL, old TEXT NOT NULL, removed INTEGER NOT NULL,
  action TEXT NOT NULL, label TEXT, why TEXT NOT NULL, time TEXT NOT NULL, who TEXT NOT NULL
);
""",
}


class Store(Database):
    """One connection to a catalog; every fault is a `CatalogError`."""

    tables: ClassVar = _TABLES
    version: ClassVar = 4
    upgrades: ClassVar = _UPGRADES
    error: ClassVar = CatalogError
    variable: ClassVar = "FASTCLF_CATALOG"
    after_damage: ClassVar = (
        "fastclf then starts a new catalog, and `fastclf edits import` brings exported edits back."
    )
