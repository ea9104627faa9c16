"""What was found, searched and fetched for a folder: every address with what became of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ..files import csv_bytes, utc_now
from .store import Store

WAITING, STORED, DUPLICATE, REFUSED = "waiting", "stored", "duplicate", "refused"
_FACTS = ("source", "query", "page", "licence", "creator", "title")
_RESULTS = ("status", "reason", "lasting", "received", "stored", "path", "bytes", "time")
_COLUMNS = (
    "label", "url", "status", "reason", "path", *_FACTS, "received", "stored", "bytes", "time",
)  # fmt: skip
_GONE = "stored NOT IN (SELECT sha256 FROM photos WHERE present)"
_LISTED_FOR = "was found for {} too"


@dataclass(frozen=True)
class Fetch:
    """An address that was found for a class.

    Attributes
    ----------
    id
        Its number.
    label, url
        The class and the address; of a file in an archive or a folder, that one's address, "#" and its name.
    status
        "waiting", "stored", "duplicate" or "refused".
    reason
        A clause: why it was refused, what it is a duplicate of, or why it waits.
    lasting
        Whether fetching it again is pointless.
    path
        The stored file relative to the folder, or "".
    source, query, page, licence, creator, title
        Where it was found, with which words, the page that shows it, and what is known of its rights.
    received, stored
        Hashes of what came and of the stored file; or "".
    bytes
        How many came.
    time
        When this was last changed.
    """

    id: int
    label: str
    url: str
    status: str
    reason: str
    lasting: bool
    path: str
    source: str
    query: str
    page: str
    licence: str
    creator: str
    title: str
    received: str
    stored: str
    bytes: int
    time: str


@dataclass(frozen=True)
class Outcome:
    """What became of an address.

    Attributes
    ----------
    id
        The number of the `Fetch`.
    status, reason, lasting, received, stored, path, bytes
        As there.
    """

    id: int
    status: str
    reason: str = ""
    lasting: bool = False
    received: str = ""
    stored: str = ""
    path: str = ""
    bytes: int = 0


class FetchLedger:
    """The record of what was found and fetched; obtained from `Catalog.fetches`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, label: str, found: Iterable[Mapping[str, str]]) -> int:
        """Record addresses for a class; returns how many of them are new and can be fetched.

        Parameters
        ----------
        label
            The class.
        found
            Mappings with ``url`` and any of source, query, page, licence, creator and title. One that is
            listed for another class is a duplicate, so that no photo gets two labels.
        """
        new = 0
        with self._store.transaction():
            for one in found:
                url = one["url"]
                others = [
                    row["label"]
                    for row in self._store.read("SELECT label FROM fetches WHERE url = ? ORDER BY id", (url,))
                ]
                if label in others:
                    continue
                status, reason = (DUPLICATE, _LISTED_FOR.format(others[0])) if others else (WAITING, "")
                self._insert(label, one, status, reason)
                new += not others
        return new

    def _insert(self, label: str, one: Mapping[str, str], status: str, reason: str) -> None:
        self._store.write(
            f"INSERT INTO fetches (label, url, {', '.join(_FACTS)}, status, reason, lasting, time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                label, one["url"], *(one.get(fact) or "" for fact in _FACTS), status, reason,
                int(status != WAITING), utc_now(),
            ),
        )  # fmt: skip

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Record what became of addresses, all of them or none."""
        now = utc_now()
        with self._store.transaction():
            self._store.write_many(
                f"UPDATE fetches SET {', '.join(f'{name} = :{name}' for name in _RESULTS)} WHERE id = :id",
                [{**asdict(outcome), "time": now} for outcome in outcomes],
            )

    def reopen(self) -> None:
        """Let what failed for a passing reason be tried again."""
        self._reopen("status = 'refused' AND NOT lasting")

    def reopen_all(self) -> None:
        """Let everything be searched and tried again that is not in the folder now."""
        self._reopen(f"status = 'refused' OR status = 'stored' AND {_GONE}")
        with self._store.transaction():
            self._store.write("DELETE FROM searches")

    def _reopen(self, which: str) -> None:
        with self._store.transaction():
            self._store.write(
                f"UPDATE fetches SET status = 'waiting', reason = '', lasting = 0 WHERE {which}"
            )

    def count_gone(self, label: str) -> int:
        """Return how many stored photos of a class are no longer in the folder, as of the last scan."""
        query = f"SELECT COUNT(*) AS n FROM fetches WHERE label = ? AND status = 'stored' AND {_GONE}"
        return int(self._store.read(query, (label,))[0]["n"])

    def rows(self, label: str | None = None, status: str | None = None, after: int = 0) -> list[Fetch]:
        """Return what is recorded, in the order in which it was found.

        Parameters
        ----------
        label, status
            Of one class, or with one status; None is all.
        after
            Only those with a greater number.
        """
        rows = self._store.read(
            "SELECT * FROM fetches WHERE label = COALESCE(?1, label) AND status = COALESCE(?2, status)"
            " AND id > ?3 ORDER BY id",
            (label, status, after),
        )
        return [_make_fetch(row) for row in rows]

    def find(self, urls: Sequence[str]) -> list[Fetch]:
        """Return the rows of some addresses."""
        marks = ", ".join("?" * len(urls))
        rows = self._store.read(f"SELECT * FROM fetches WHERE url IN ({marks}) ORDER BY id", urls)
        return [_make_fetch(row) for row in rows]

    def licences(self) -> dict[str, str]:
        """Return {sha256: licence} of the stored photos; "" where nobody says."""
        rows = self._store.read("SELECT stored, licence FROM fetches WHERE status = 'stored'")
        return {row["stored"]: row["licence"] for row in rows}

    def note_search(self, label: str, source: str, query: str, page: int, found: int) -> None:
        """Record that a page of a search was read."""
        with self._store.transaction():
            self._store.write(
                "INSERT OR REPLACE INTO searches VALUES (?, ?, ?, ?, ?, ?)",
                (label, source, query, page, found, utc_now()),
            )

    def searched(self, label: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Return {(source, query): (last page read, results on it)} of a class."""
        rows = self._store.read("SELECT * FROM searches WHERE label = ? ORDER BY page", (label,))
        return {(row["source"], row["query"]): (row["page"], row["found"]) for row in rows}

    def to_csv(self) -> bytes:
        """Return all rows as CSV with a header."""
        rows = [[getattr(row, column) for column in _COLUMNS] for row in self.rows()]
        return csv_bytes(_COLUMNS, rows)


def _make_fetch(row: sqlite3.Row) -> Fetch:
    texts = ("received", "stored", "path")
    values = {key: row[key] for key in row.keys() if key not in texts}  # noqa: SIM118 - a Row is no mapping
    values |= {key: row[key] or "" for key in texts}
    values["lasting"] = bool(row["lasting"])
    values["bytes"] = row["bytes"] or 0
    return Fetch(**values)
