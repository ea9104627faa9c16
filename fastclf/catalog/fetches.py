"""What was found, searched and fetched for a folder: every address with what became of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ..system import clean_text, csv_bytes, defuse_formula, utc_now
from .store import Store

WAITING, STORED, DUPLICATE, REFUSED = "waiting", "stored", "duplicate", "refused"
_FACTS = ("source", "query", "page", "licence", "creator", "title")
_RESULTS = ("status", "reason", "lasting", "received", "stored", "path", "bytes", "time")
_COLUMNS = (
    "label", "url", "status", "reason", "path", *_FACTS, "received", "stored", "bytes", "time",
)  # fmt: skip
_GONE = "stored NOT IN (SELECT sha256 FROM photos WHERE present)"
_NOTE_SEARCH = "INSERT OR REPLACE INTO searches VALUES (?, ?, ?, ?, ?, ?)"
_MAX_TEXT = 4000
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

    def add(
        self, label: str, found: Iterable[Mapping[str, str | None]], rivals: Collection[str] | None = None
    ) -> int:
        """Record addresses for a class; returns how many of them are new and can be fetched.

        Parameters
        ----------
        label
            The class.
        found
            Mappings with ``url`` and any of source, query, page, licence, creator and title. One that is
            listed for a rival is a duplicate, so that no photo gets two labels.
        rivals
            The classes that may claim an address; None is all.
        """
        with self._store.transaction():
            return self._add(label, found, rivals)

    def add_page(
        self,
        label: str,
        source: str,
        query: str,
        page: int,
        found: Sequence[Mapping[str, str | None]],
        rivals: Collection[str] | None = None,
    ) -> int:
        """Record a page of a search with its addresses, both or neither; returns how many results count.

        None do where the page is empty, or is a later one that brings nothing new: that search has no more.
        """
        with self._store.transaction():
            new = self._add(label, found, rivals)
            count = len(found) if new or page == 1 else 0
            self._store.write(_NOTE_SEARCH, (label, source, query, page, count, utc_now()))
        return count

    def _add(
        self, label: str, found: Iterable[Mapping[str, str | None]], rivals: Collection[str] | None
    ) -> int:
        new = 0
        for one in found:
            facts = {key: clean_text(value, _MAX_TEXT) for key, value in one.items()}
            url = facts.get("url", "")
            rows = self._store.read("SELECT label, status FROM fetches WHERE url = ? ORDER BY id", (url,))
            if not url or label in {row["label"] for row in rows}:
                continue
            claims = [
                row["label"]
                for row in rows
                if row["status"] != REFUSED and (rivals is None or row["label"] in rivals)
            ]
            status, reason = (DUPLICATE, _LISTED_FOR.format(claims[0])) if claims else (WAITING, "")
            self._insert(label, facts, status, reason)
            new += not claims
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

    def reopen(self, classes: Collection[str] | None = None) -> None:
        """Let what failed for a passing reason be tried again, and what a class claimed that is no more.

        Parameters
        ----------
        classes
            The classes that there are; None is all that were ever recorded.
        """
        self._reopen("status = 'refused' AND NOT lasting")
        if classes is None:
            return
        marks = ", ".join("?" * len(classes))
        self._reopen(
            "status = 'duplicate' AND received IS NULL AND NOT EXISTS (SELECT 1 FROM fetches other"
            " WHERE other.url = fetches.url AND other.id <> fetches.id AND other.status <> 'refused'"
            f" AND other.status <> 'duplicate' AND other.label IN ({marks}))",
            tuple(classes),
        )

    def reopen_all(self) -> None:
        """Let everything be tried again that is not in the folder now, and every search be continued."""
        self._reopen(f"status IN ('refused', 'duplicate') OR status = 'stored' AND {_GONE}")
        with self._store.transaction():
            self._store.write("UPDATE searches SET found = 1 WHERE found = 0")

    def _reopen(self, which: str, values: Sequence[str] = ()) -> None:
        with self._store.transaction():
            self._store.write(
                f"UPDATE fetches SET status = 'waiting', reason = '', lasting = 0 WHERE {which}", values
            )

    def forget_other_labels(self, labels: Mapping[str, str]) -> None:
        """Drop the rows of addresses under another label than today's, unless their photo is in the folder.

        Parameters
        ----------
        labels
            {address: today's label}.
        """
        with self._store.transaction():
            self._store.write_many(
                "DELETE FROM fetches WHERE url = ? AND label <> ?"
                f" AND NOT (status = 'stored' AND NOT {_GONE})",
                list(labels.items()),
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

    def searched(self, label: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Return {(source, query): (last page read, results on it)} of a class."""
        rows = self._store.read("SELECT * FROM searches WHERE label = ? ORDER BY page", (label,))
        return {(row["source"], row["query"]): (row["page"], row["found"]) for row in rows}

    def to_csv(self) -> bytes:
        """Return all rows as CSV with a header; a quote defuses what a spreadsheet would compute."""
        rows = [[defuse_formula(getattr(row, column)) for column in _COLUMNS] for row in self.rows()]
        return csv_bytes(_COLUMNS, rows)


def _make_fetch(row: sqlite3.Row) -> Fetch:
    texts = ("received", "stored", "path")
    values = {key: row[key] for key in row.keys() if key not in texts}  # noqa: SIM118 - a Row is no mapping
    values |= {key: row[key] or "" for key in texts}
    values["lasting"] = bool(row["lasting"])
    values["bytes"] = row["bytes"] or 0
    return Fetch(**values)
