"""A small SQLite database, opened so that several processes and a kill do no harm."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from ..errors import FastclfError, Message

_BUSY_SECONDS = 30.0
_MANY_PAGES = 256  # a megabyte
# What to say of an error of SQLite whose text holds one of some words.
_SENTENCES = (
    (
        ("locked", "busy"),
        Message(
            "Another process has been writing to {file} for over {n:.0f} s. Wait for it or stop it, then "
            "try again; nothing was changed."
        ),
    ),
    (("full",), Message("The disk that holds {file} is full. Make room and try again; nothing was changed.")),
    (
        ("readonly", "unable to open"),
        Message(
            "{file} cannot be opened for writing ({text}). Mend its permissions, or name another place "
            "in {variable}."
        ),
    ),
    (
        ("malformed", "not a database", "decode"),
        Message("{file} is damaged ({text}). Put a copy of it back, or move it away: {then}"),
    ),
    (("disk I/O",), Message("{file} cannot be read or written ({text}). Check the disk, then try again.")),
    (("",), Message("{file} refused to work ({text}).")),
)
_FOREIGN = Message(
    "{file} holds a {kind} that fastclf did not make ({name}), so whoever made it may want to run something "
    "here. Move it away: {then}"
)
_GONE = Message(
    "{file} was moved or deleted while it was in use. Put it back, or start anew; nothing was changed."
)
_REPLACED = Message(
    "Another file stands where {file} was while it was in use. Start anew, or reload the page; nothing was "
    "changed."
)
_NEWER = Message("{file} was written by a newer fastclf (schema {a}; this one knows {b}). Update fastclf.")
_OLDER = Message(
    "{file} was written before the first release of fastclf (schema {a}; this one knows {b}). Move it away: "
    "{then}"
)


@functools.cache
def _list_schema(tables: str) -> frozenset[tuple[str, str]]:
    """Return name and statement of all that some statements make."""
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.executescript(tables)
        return frozenset(made.execute("SELECT name, sql FROM sqlite_master"))


class Database:
    """One connection to a database; threads take turns on it. A subclass says what is in it.

    Parameters
    ----------
    file
        The database; made if it is not there.
    wal
        Whether it lies on a disk of this machine, where the write-ahead log is safe.
    busy_seconds
        How long to wait for another process that writes.

    Attributes
    ----------
    tables
        The statements that fill an empty file; each ends a line, and no semicolon within one does.
    version
        Of these tables; a newer file is refused, and an older one that `upgrades` does not reach.
    upgrades
        {version: the statements that make it the next one, written as in `tables`}.
    error
        What is raised for whatever goes wrong.
    variable
        The environment variable that names another place.
    after_damage
        What is to be known before a damaged file is moved away.
    wipes
        Whether what is deleted is overwritten.

    Raises
    ------
    FastclfError
        An `error`, if it cannot be opened, is damaged, or of another version.
    """

    tables: ClassVar[str]
    version: ClassVar[int]
    upgrades: ClassVar[Mapping[int, str]] = MappingProxyType({})
    error: ClassVar[type[FastclfError]]
    variable: ClassVar[str]
    after_damage: ClassVar[str]
    wipes: ClassVar[bool] = False

    def __init__(self, file: Path, *, wal: bool = True, busy_seconds: float = _BUSY_SECONDS) -> None:
        self.file = file
        self._place = file.absolute()  # the working directory may be another one later
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
                self._identity = self._identify()
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

    @property
    def stamp(self) -> tuple[int, int]:
        """What differs once this connection, or another one, has written anything."""
        with self._lock:
            return int(self.read("PRAGMA data_version")[0][0]), self._connection.total_changes

    def write(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> int:
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
            self._check_place()
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

    def shrink(self) -> None:
        """Give the disk back what was emptied, where that is much and no other process writes."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            empty, pages = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("freelist_count", "page_count")
            )
            if empty > max(_MANY_PAGES, pages / 4):
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rewrite(self) -> None:
        """Write the file anew, so that nothing of what was deleted stays in it."""
        with self._lock, self._told():
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _prepare(self, wal: bool) -> None:
        self._connection.execute("PRAGMA trusted_schema = OFF")
        self._refuse_foreign()
        self._set_journal("WAL" if wal else "DELETE")
        # without a write-ahead log FULL would let a power cut undo what was the last to be committed
        self._connection.execute("PRAGMA synchronous = EXTRA")
        if self.wipes:
            self._connection.execute("PRAGMA secure_delete = ON")
        if self._read_version() in (0, *self.upgrades):
            self._connection.execute("BEGIN IMMEDIATE")
            # another process may have been faster
            while (version := self._read_version()) in (0, *self.upgrades):
                for statement in (self.upgrades[version] if version else self.tables).split(";\n"):
                    self._connection.execute(statement)
                reached = version + 1 if version else self.version
                self._connection.execute(f"PRAGMA user_version = {reached}")
            self._connection.execute("COMMIT")
        version = self._read_version()
        if version != self.version:
            words = _NEWER if version > self.version else _OLDER
            then = Message(self.after_damage)
            raise self.error(words, file=self.file, a=version, b=self.version, then=then)

    def _refuse_foreign(self) -> None:
        """Refuse what would run statements of others: triggers, views and tables of modules."""
        own = _list_schema(self.tables)
        for kind, name, sql in self._connection.execute("SELECT type, name, sql FROM sqlite_master"):
            is_run = kind in ("trigger", "view") or "VIRTUAL" in str(sql).upper().split("(")[0]
            if is_run and (name, sql) not in own:
                then = Message(self.after_damage)
                raise self.error(_FOREIGN, file=self.file, kind=kind, name=str(name)[:60], then=then)

    def _check_place(self) -> None:
        """Refuse to write to what nobody would find: SQLite goes on in a file that is there no more."""
        identity = self._identify()
        if identity != self._identity:
            raise self.error(_REPLACED if identity else _GONE, file=self.file)

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = self._place.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _read_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

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
        except (sqlite3.Error, UnicodeError) as e:  # a damaged file's names need not be text
            raise self.error(self._describe(e)) from e

    def _describe(self, error: Exception) -> Message:
        text = str(error)
        template = next(words for marks, words in _SENTENCES if any(mark in text for mark in marks))
        return Message(
            template,
            file=self.file,
            text=text,
            n=self._busy_seconds,
            variable=self.variable,
            then=Message(self.after_damage),
        )
