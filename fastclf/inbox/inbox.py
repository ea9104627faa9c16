"""The inbox: photos that visitors report as answered wrongly, waiting for the owner."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from ..errors import InboxError, UsageError
from ..system import Database, expand_home, lies_on_network, make_folder
from .claim import Claim, KeptReport, Report, build_report, encode_report_photo

VARIABLE = "FASTCLF_INBOX"
_OUTCOMES = ("taken", "dismissed")
_NEW_FILE = os.O_CREAT | os.O_RDWR
# Of how many settled reports the photos stay, for undoing, and how many are remembered at all.
_UNDO, _REMEMBERED = 50, 10_000
_FULL = "The owner's inbox is full. Nothing was sent; please try again another day."

_TABLES = """
CREATE TABLE reports (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, answer TEXT, probability REAL, label TEXT,
  model TEXT NOT NULL, time TEXT NOT NULL, sha256 TEXT NOT NULL, jpeg BLOB, bytes INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'taken', 'dismissed')),
  settled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX reports_sha256 ON reports (sha256);
CREATE INDEX reports_state ON reports (state, settled);
"""
_COLUMNS = ", ".join(field.name for field in fields(Report))


class _Store(Database):
    tables: ClassVar = _TABLES
    version: ClassVar = 1
    error: ClassVar = InboxError
    variable: ClassVar = VARIABLE
    after_damage: ClassVar = "fastclf then starts a new inbox."
    wipes: ClassVar = True


class Inbox:
    """Reports in one SQLite file, which every visitor's process may write to.

    It is made, private to its user, when the first report comes.

    Parameters
    ----------
    path
        The file.
    max_reports, max_bytes
        How many reports, and how many bytes of their photos, may wait.

    Examples
    --------
    >>> from PIL import Image
    >>> from fastclf.inbox import Claim
    >>> inbox = Inbox("inbox.sqlite")
    >>> claim = Claim(name="bear.jpg", answer="black", probability=0.6, label="grizzly")
    >>> inbox.add(Image.open("bear.jpg"), claim)
    1
    >>> [report] = inbox.reports()
    >>> report.name, report.label, inbox.erase([report.id])
    ('bear.jpg', 'grizzly', 1)
    """

    def __init__(self, path: str | Path, *, max_reports: int = 1000, max_bytes: int = 500 * 2**20) -> None:
        self.path = Path(path)
        self._max_reports, self._max_bytes = max_reports, max_bytes

    def add(self, image: Image.Image, claim: Claim) -> int:
        """Keep a report and return its number; the same photo with the same claim is kept once.

        The photo is stored anew, at most 1600 pixels long and without metadata, and the claim is cleaned.

        Raises
        ------
        InboxError
            If the inbox is full or cannot be written.
        """
        jpeg = encode_report_photo(image)
        report = build_report(claim, jpeg)
        self._make_file()
        with self._open() as store, store.transaction():
            known = store.read(
                "SELECT id FROM reports WHERE sha256 = ? AND label IS ?", (report.sha256, report.label)
            )
            if known:
                return int(known[0]["id"])
            [waiting] = store.read(
                "SELECT COUNT(*) AS n, TOTAL(bytes) AS bytes FROM reports WHERE state = 'waiting'"
            )
            if waiting["n"] >= self._max_reports or waiting["bytes"] + len(jpeg) > self._max_bytes:
                raise InboxError(_FULL)
            values = {**asdict(report), "id": None, "jpeg": jpeg, "bytes": len(jpeg)}
            places = ", ".join("?" * len(values))
            return store.write(
                f"INSERT INTO reports ({', '.join(values)}) VALUES ({places})", list(values.values())
            )

    @property
    def stamp(self) -> tuple[tuple[int, int], ...]:
        """What differs once anybody has written to the inbox: times and sizes of its files."""
        return tuple(_read_stamp(self.path.with_name(f"{self.path.name}{end}")) for end in ("", "-wal"))

    def reports(self) -> list[Report]:
        """Return the reports that wait, the oldest first."""
        rows = self._read(f"SELECT {_COLUMNS} FROM reports WHERE state = 'waiting' ORDER BY id")
        return [Report(**dict(row)) for row in rows]

    def list_kept(self) -> list[KeptReport]:
        """Return all that is kept of reports, the oldest first: those that wait, and settled ones."""
        rows = self._read(
            f"SELECT {_COLUMNS}, state, LENGTH(IFNULL(jpeg, '')) AS bytes FROM reports ORDER BY id"
        )
        return [KeptReport(**dict(row)) for row in rows]

    def erase(self, ids: Iterable[int]) -> int:
        """Erase reports with their photos, whatever became of them; returns how many there were.

        Nothing of them stays in the inbox's file. A photo that the owner has taken into the set stays there.

        Raises
        ------
        InboxError
            If the inbox cannot be written; then every report is still there.
        """
        wanted = set(ids)
        found = [report.id for report in self.list_kept() if report.id in wanted]
        if found:
            with self._open() as store:
                with store.transaction():
                    store.write_many("DELETE FROM reports WHERE id = ?", [(id,) for id in found])
                store.rewrite()
        return len(found)

    def read_photo(self, id: int) -> bytes:
        """Return a report's photo as JPEG.

        Raises
        ------
        InboxError
            If there is no such report, or it was settled long ago.
        """
        rows = self._read("SELECT jpeg FROM reports WHERE id = ? AND jpeg IS NOT NULL", (id,))
        if not rows:
            raise InboxError(
                "The photo of report {id:d} is no longer in the inbox. Go on with the next one.", id=id
            )
        return bytes(rows[0]["jpeg"])

    def read_states(self) -> dict[int, tuple[str, str]]:
        """Return {number: (sha256, state)} of the reports whose photos are still here.

        The state is "waiting", "taken" or "dismissed".
        """
        rows = self._read("SELECT id, sha256, state FROM reports WHERE jpeg IS NOT NULL")
        return {row["id"]: (row["sha256"], row["state"]) for row in rows}

    def settle(self, outcomes: Mapping[int, str]) -> None:
        """Take reports out of the queue, all or none: {number: "taken" or "dismissed"}.

        Those that do not wait are left as they are; the photos of those settled long ago are freed.

        Raises
        ------
        UsageError
            If an outcome is another one.
        InboxError
            If the inbox cannot be written.
        """
        for outcome in outcomes.values():
            if outcome not in _OUTCOMES:
                raise UsageError(
                    "A report is {outcomes}, not {outcome!r}.",
                    outcomes=" or ".join(_OUTCOMES),
                    outcome=outcome,
                )
        if not self._is_there():
            return
        with self._open() as store, store.transaction():
            [last] = store.read("SELECT IFNULL(MAX(settled), 0) AS n FROM reports")
            store.write_many(
                "UPDATE reports SET state = ?, settled = ? WHERE id = ? AND state = 'waiting'",
                [
                    (outcome, last["n"] + number, id)
                    for number, (id, outcome) in enumerate(outcomes.items(), 1)
                ],
            )
            older = (
                "state != 'waiting' AND settled < (SELECT MIN(settled) FROM (SELECT settled FROM reports"
                " WHERE state != 'waiting' ORDER BY settled DESC LIMIT ?))"
            )
            store.write(f"UPDATE reports SET jpeg = NULL WHERE jpeg IS NOT NULL AND {older}", (_UNDO,))
            store.write(f"DELETE FROM reports WHERE {older}", (_REMEMBERED,))

    def reopen(self, ids: Iterable[int]) -> None:
        """Put settled reports back into the queue.

        Raises
        ------
        InboxError
            If the photo of one of them is freed already; nothing is changed then.
        """
        if not self._is_there():
            return
        with self._open() as store, store.transaction():
            for id in ids:
                if not store.read("SELECT 1 FROM reports WHERE id = ? AND jpeg IS NOT NULL", (id,)):
                    raise InboxError(
                        "Report {id:d} was settled too long ago to be brought back: the inbox keeps the "
                        "photos of the last {most} settled reports.",
                        id=id,
                        most=_UNDO,
                    )
                store.write("UPDATE reports SET state = 'waiting', settled = 0 WHERE id = ?", (id,))

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        if not self._is_there():
            return []
        with self._open() as store:
            return store.read(query, values)

    @contextlib.contextmanager
    def _open(self) -> Iterator[_Store]:
        with contextlib.closing(_Store(self.path, wal=not lies_on_network(self.path.parent))) as store:
            yield store

    def _is_there(self) -> bool:
        try:
            return self.path.stat().st_size > 0
        except FileNotFoundError:
            return False
        except OSError as e:
            raise InboxError(
                "The inbox {path} cannot be read ({reason}).", path=self.path, reason=e.strerror
            ) from None

    def _make_file(self) -> None:
        try:
            make_folder(self.path.parent, 0o700)
            # SQLite gives its own files beside it the same permissions
            os.close(os.open(self.path, _NEW_FILE, 0o600))
        except OSError as e:
            raise InboxError(
                "The inbox {path} cannot be written ({reason}). Mend its permissions, or name "
                "another file in {variable}.",
                path=self.path,
                reason=e.strerror,
                variable=VARIABLE,
            ) from None


def _read_stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def find_inbox() -> Inbox | None:
    """Return the inbox that FASTCLF_INBOX names, or None where it names none."""
    value = os.environ.get(VARIABLE, "").strip()
    return Inbox(expand_home(value)) if value else None
