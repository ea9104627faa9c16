"""The catalog of a photo folder: what is there, what was decided about it, how it is split."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import Message, PhotosError, UsageError, join_messages, unpack_message
from ..issues import Quality
from ..model import FeatureCache
from ..photos import Photo, PhotoSet, Progress, refuse_early
from ..system import DATABASE, find_private_place, make_frozen, making_many, unify_name, utc_now
from .arrivals import Arrivals
from .damage import reads_rows
from .drafts import Drafts
from .edit_files import ImportReport, export_edits, import_edits
from .edits import (
    RELABEL,
    REMOVE,
    RESTORE,
    Edit,
    EditRow,
    Watermark,
    apply_edits,
    find_stacks,
    follow_edits,
    read_net_rows,
    read_rows,
    read_version,
    redo_step,
    undo_step,
)
from .fetches import FetchLedger
from .forged import refuse_forged, refuse_unnameable
from .given_splits import GivenSplits
from .label_files import write_label_studio, write_label_table
from .label_import import LabelReport, import_labels
from .labels import choose_label, describe_near_labels, refuse_unknown_class
from .materialize import Materialized, materialize
from .near_pairs import NearPairs, confirm_candidates, find_near_pairs
from .reading import find_stale
from .scan import ScanResult, scan_folder
from .splits import Assignment, adopt_splits, assign_splits, clear_splits
from .store import Store
from .thumbnails import unpack_thumbnail
from .unlabelled import describe_waiting

_PHOTOS = (
    "SELECT p.id, p.path AS name, p.sha256, p.label, p.folder_label, p.given_split, p.removed, p.size,"
    " COALESCE(p.trouble, c.reason) AS reason, c.pixel_hash, c.width, c.height, c.plain,"
    " COALESCE(s.split, '') AS split"
    # The limit, which is none, has contents read once from end to end, for these few columns alone: to look
    # for one after the other takes far longer.
    " FROM photos p LEFT JOIN"
    " (SELECT sha256, reason, pixel_hash, width, height, plain FROM contents LIMIT -1) c"
    " ON c.sha256 = p.sha256 LEFT JOIN splits s ON s.sha256 = p.sha256 WHERE p.present"
    " ORDER BY p.label, p.path"
)


@dataclass(frozen=True)
class UnreadableFile:
    """A file that is named like a photo and cannot be used, with the catalog's number of it."""

    id: int
    name: str
    label: str
    reason: str  # as a clause without the name
    removed: bool


@dataclass(frozen=True)
class _Files:
    """What a scan found, as of a state of the database."""

    stamp: tuple[int, int]
    photos: tuple[Photo, ...]
    unreadable: tuple[UnreadableFile, ...]


class Catalog:
    """Photos, edits and splits of one folder, in SQLite beside the photos.

    No file of the folder is ever moved, changed or deleted. The catalog may be used by several processes at
    once; killed at any point, it opens again with all that was committed.

    Parameters
    ----------
    folder
        One sub-folder per class.
    who
        Whoever decides, for the record; by default the name of the system's user.

    Attributes
    ----------
    folder
        The photos' folder.
    private
        Where the catalog, the features and the decoded copies lie.
    note
        A sentence where they do not lie beside the photos; else "".
    scans
        How often this object has looked at the folder.

    Raises
    ------
    PhotosError
        If there is no such folder.
    CatalogError
        If the catalog cannot be opened.

    Examples
    --------
    >>> from fastclf import Catalog
    >>> with Catalog("photos/bears", who="ann") as catalog:
    ...     scanned = catalog.scan()
    ...     edits = catalog.relabel(["black/003.png"], "grizzly", why="hump")
    ...     removed = catalog.remove(["teddy/001.png"])
    ...     print(len(catalog.photos().photos), [(e.action, e.new) for e in catalog.edits()])
    ...     print(len(catalog.undo()), catalog.count_steps())
    23 [('relabel', 'grizzly'), ('remove', 'teddy')]
    1 (1, 1)
    """

    def __init__(self, folder: str | Path, *, who: str | None = None) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise PhotosError(
                "There is no folder {folder}. Name a folder with one sub-folder per class.", folder=folder
            )
        place = find_private_place(self.folder)
        self.private, self.note, self._who = place.path, place.note, who
        self._stray = place.stray
        self._remarks: tuple[Message, ...] = ()
        self._store = Store(place.path / DATABASE, wal=place.inside)
        self._files: _Files | None = None
        self.scans = 0

    @classmethod
    def of_photos(cls, folder: str | Path, *, who: str | None = None) -> Self:
        """Open the catalog of a folder that has to hold photos; where it does not, nothing is written.

        Raises
        ------
        PhotosError
            As `walk_photos` does.
        CatalogError
            If the catalog cannot be opened.
        """
        refuse_early(folder)
        return cls(folder, who=who)

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def remarks(self) -> tuple[Message, ...]:
        """Of the last scan: what was concluded about the folders, what waits for a label or was left out."""
        return (*self._remarks, *describe_waiting(self)) if self.scans else ()

    @reads_rows
    def scan(self, progress: Progress | None = None, *, empty_ok: bool = False) -> ScanResult:
        """Look at the folder; read and decode only what is not known yet.

        Parameters
        ----------
        progress
            Called with (done, all) after each file that had to be looked at.
        empty_ok
            Whether a folder without photos is no error.

        Raises
        ------
        PhotosError
            If there is no photo to be found.
        CatalogError
            If the catalog cannot be written.
        """
        refuse_unnameable(self._store, self.folder)
        result = scan_folder(self._store, self.folder, progress, empty_ok=empty_ok)
        if result.decoded:
            self._store.shrink()
        self._note_scan(result)
        if self._stray is not None:
            self._bring_home(self._stray)
        return result

    def _note_scan(self, result: ScanResult) -> None:
        self.scans += 1
        self._remarks = (*result.notes, *describe_near_labels(self.folder, self._list_labels()))
        if result.lapsed:
            lapsed = Message(
                "{n} photos were rewritten, so edits of their old content no longer hold: {names}.",
                n=len(result.lapsed),
                names=", ".join(result.lapsed[:3]) + (" ..." if len(result.lapsed) > 3 else ""),
            )
            self.note = join_messages([self.note, lapsed])

    def _bring_home(self, stray: Path) -> None:
        """Take in the edits that were made while the folder could not be written."""
        self._stray = None
        with contextlib.closing(Store(stray, wal=False)) as other:
            data = export_edits(other)
        report = import_edits(self._store, data, self._who)
        stray.replace(stray.with_suffix(".merged"))
        n, doubt = len(report.applied), len(report.missing) + len(report.conflicts)
        words = Message("{n} edits were brought in from {place}.")
        if doubt:
            words = Message("{n} edits were brought in from {place}, {m} in doubt were left there.")
        if n or doubt:
            message = Message(words, n=n, m=doubt, place=stray.parent)
            self.note = join_messages([self.note, message])

    @reads_rows
    def list_files(self) -> int:
        """Take note of the folder's files without decoding new ones; returns how many wait for a scan."""
        self._note_scan(scan_folder(self._store, self.folder, decode=False))
        return len(find_stale(self._store))

    @reads_rows
    def photos(self, *, removed: bool = False) -> PhotoSet:
        """Return the photos with current labels, as of the last scan; with `removed` also those taken out."""
        known = self._read_files()
        photos = tuple(photo for photo in known.photos if removed or not photo.removed)
        failures = ((file.name, file.reason) for file in known.unreadable if removed or not file.removed)
        return PhotoSet(self.folder, photos, tuple(failures))

    def _read_files(self) -> _Files:
        """Return all photos and unreadable files; they are read once more when anything was written."""
        stamp = self._store.stamp
        if self._files is None or self._files.stamp != stamp:
            with making_many():
                rows = self._store.read(_PHOTOS)
                photos = _make_photos([row for row in rows if not row["reason"]], self.folder)
            bad = sorted((row for row in rows if row["reason"]), key=itemgetter("name"))
            self._files = _Files(stamp, tuple(photos), tuple(map(_make_unreadable, bad)))
        return self._files

    @reads_rows
    def unreadable(self) -> list[UnreadableFile]:
        """Return the files that cannot be used, the removed ones too, by name."""
        return list(self._read_files().unreadable)

    @reads_rows
    def thumbnail(self, sha256: str) -> bytes | None:
        """Return a photo's thumbnail as JPEG, at most 256 pixels long; None where there is none."""
        rows = self._store.read("SELECT jpeg FROM thumbnails WHERE sha256 = ?", (sha256,))
        return unpack_thumbnail(rows[0]["jpeg"]) if rows else None

    @reads_rows
    def measures(self) -> dict[str, Quality]:
        """Return {sha256: what was measured on it} of all readable contents."""
        rows = self._store.read("SELECT sha256, quality FROM contents WHERE quality IS NOT NULL")
        return {row["sha256"]: Quality(**json.loads(row["quality"])) for row in rows}

    def relabel(
        self, names: Iterable[str | Path], label: str, why: str = "", *, new_class: bool = False
    ) -> list[EditRow]:
        """Give photos another label; returns what was recorded.

        Parameters
        ----------
        names
            Paths relative to the folder, with ``/``; or whole paths.
        label
            The new label; it need not be a folder. Blanks around it do not count.
        why
            For people.
        new_class
            Whether a label that is nearly that of a class, "Hat" beside "hat", makes another class.

        Raises
        ------
        UsageError
            If a name or the label is none. Nothing is changed then.
        """
        known = self._list_labels()
        label = choose_label(label, [*known, label] if new_class else known)
        return self.apply([Edit(i, RELABEL, label, why) for i in self._find(names)])

    def merge_classes(self, old: str, new: str, why: str = "") -> list[EditRow]:
        """Give all photos of a class the label of another one, as one step; returns what was recorded.

        Parameters
        ----------
        old
            The class that goes.
        new
            The class that stays; it need not be there yet.
        why
            For people.

        Raises
        ------
        UsageError
            If no photo has the label `old`, or `new` is no label. Nothing is changed then.
        """
        wanted = unify_name(old)
        rows = self._store.read("SELECT id FROM photos WHERE present AND label = ?", (wanted,))
        known = self._list_labels()
        if not rows:
            refuse_unknown_class(self.folder, old, known)
        label = unify_name(new) if unify_name(new) in known else unify_name(new).strip()
        return self.apply([Edit(row["id"], RELABEL, label, why) for row in rows])

    def _list_labels(self) -> list[str]:
        query = "SELECT DISTINCT label FROM photos WHERE present AND NOT removed ORDER BY label"
        return [row["label"] for row in self._store.read(query)]

    def remove(self, names: Iterable[str | Path], why: str = "") -> list[EditRow]:
        """Take photos out; their files stay as they are."""
        return self.apply([Edit(i, REMOVE, None, why) for i in self._find(names)])

    def restore(self, names: Iterable[str | Path], why: str = "") -> list[EditRow]:
        """Take removed photos in again."""
        return self.apply([Edit(i, RESTORE, None, why) for i in self._find(names)])

    def apply(self, decided: Sequence[Edit], *, ask: Callable[[], object] | None = None) -> list[EditRow]:
        """Apply edits as one step: all of them or, if one is refused, none.

        `ask` is called first, while nobody else can write: what it raises leaves all as it is.
        """
        return apply_edits(self._store, decided, self._who, ask)

    @reads_rows
    def undo(self) -> list[EditRow] | None:
        """Take back the last step that stands; returns the rows that do it, or None if none stands."""
        return undo_step(self._store, self._who)

    @reads_rows
    def redo(self) -> list[EditRow] | None:
        """Do the step again that was taken back last; returns its rows, or None if there is none."""
        return redo_step(self._store, self._who)

    @reads_rows
    def count_steps(self) -> tuple[int, int]:
        """Return how many steps `undo` could take back, and how many `redo` could do again."""
        done, undone = find_stacks(self._store)
        return len(done), len(undone)

    @reads_rows
    def edits(self, *, log: bool = False) -> list[EditRow]:
        """Return the net edits in order, or with `log` every row that was ever written."""
        return read_rows(self._store) if log else read_net_rows(self._store)

    @reads_rows
    def read_states(self, photos: Iterable[int]) -> dict[int, tuple[str, bool]]:
        """Return {number: (current label, whether it is taken out)} of some photos that are there."""
        query = "SELECT label, removed FROM photos WHERE id = ? AND present"
        found = ((number, self._store.read(query, (number,))) for number in photos)
        return {number: (str(rows[0]["label"]), bool(rows[0]["removed"])) for number, rows in found if rows}

    @property
    def version(self) -> int:
        """A number that differs once another process, or another connection, has written anything."""
        return read_version(self._store)

    @reads_rows
    def follow(self, known: Watermark | None = None) -> Watermark:
        """Return where the record of edits stands, with the rows that other processes wrote since `known`."""
        return follow_edits(self._store, known)

    @reads_rows
    def export_edits(self, *, log: bool = False) -> bytes:
        """Return the net edits, or with `log` the whole history, as CSV."""
        return export_edits(self._store, log=log)

    @reads_rows
    def import_edits(self, data: bytes) -> ImportReport:
        """Replay exported edits as one step; see `fastclf.catalog.import_edits`."""
        return import_edits(self._store, data, self._who)

    @reads_rows
    def export_labels(self, target: str = "csv") -> bytes:
        """Return today's labels of all photos that are not removed, "csv" or for "label-studio"."""
        rows = [(photo.name, photo.label, photo.sha256) for photo in self.photos().photos]
        return write_label_table(rows) if target == "csv" else write_label_studio(rows)

    @reads_rows
    def import_labels(self, data: bytes) -> LabelReport:
        """Give photos the labels of another tool's file as one step; see `fastclf.catalog.import_labels`."""
        return import_labels(self._store, data, self._who)

    def materialize(self, dest: str | Path) -> Materialized:
        """Write a clean copy of the folder: current labels, without removed and unreadable photos."""
        return materialize(self.photos(), Path(dest))

    @reads_rows
    def find_near_pairs(self) -> NearPairs:
        """Return the contents that are nearly the same picture; only new ones are compared."""
        return find_near_pairs(self._store)

    @reads_rows
    def confirm_pairs(self, candidates: Sequence[tuple[str, str]]) -> list[float]:
        """Return how surely each two contents (sha256), alike by their features, are one picture."""
        return confirm_candidates(self._store, candidates)

    @reads_rows
    def assign_splits(
        self,
        photos: Sequence[Photo],
        *,
        seed: int = 0,
        valid: float = 0.2,
        test: float = 0.1,
        given: GivenSplits | None = None,
    ) -> Assignment:
        """Return the split of each photo and record new ones; see `fastclf.catalog.assign_splits`."""
        near = self.find_near_pairs().pairs
        return assign_splits(self._store, photos, near, seed=seed, valid=valid, test=test, given=given)

    def adopt_splits(self, known: Mapping[str, tuple[str, str]]) -> None:
        """Record {sha256: (group, split)} of a model's training, for contents that have none on record."""
        adopt_splits(self._store, known)

    def clear_splits(self) -> int:
        """Forget the recorded splits, so that the next training draws anew; returns how many there were.

        What was sealed may become a training photo: no model that was trained before may be judged on the
        new test photos.
        """
        return clear_splits(self._store)

    def record_opening(self, model: str, hashes: Iterable[str], facts: Mapping[str, Any]) -> None:
        """Record that the sealed test set was opened.

        Parameters
        ----------
        model
            What opened it, in words.
        hashes
            sha256 of the photos that were looked at.
        facts
            JSON values: what was found.
        """
        with self._store.transaction():
            number = self._store.write(
                "INSERT INTO openings (time, model, facts) VALUES (?, ?, ?)",
                (utc_now(), model, json.dumps(dict(facts))),
            )
            rows = [(number, sha) for sha in hashes]
            self._store.write_many("INSERT OR IGNORE INTO opened (opening, sha256) VALUES (?, ?)", rows)

    def openings(self) -> list[dict[str, Any]]:
        """Return every opening of the test set: time, model, n and what was found."""
        return list(self._read_openings().values())

    def find_openings(self, hashes: Iterable[str]) -> list[dict[str, Any]]:
        """Return the openings in which one of these photos was looked at, marked as inherited."""
        wanted = set(hashes)
        rows = self._store.read("SELECT opening, sha256 FROM opened")
        numbers = {row["opening"] for row in rows if row["sha256"] in wanted}
        openings = self._read_openings().items()
        return [{**opening, "inherited": True} for number, opening in openings if number in numbers]

    def opened_hashes(self) -> set[str]:
        """Return the sha256 of the test photos that were looked at in any opening."""
        return {row["sha256"] for row in self._store.read("SELECT DISTINCT sha256 FROM opened")}

    @property
    def fetches(self) -> FetchLedger:
        """The record of what was searched and fetched for this folder."""
        return FetchLedger(self._store)

    @property
    def arrivals(self) -> Arrivals:
        """What joins these photos from outside."""
        return Arrivals(self._store)

    @property
    def drafts(self) -> Drafts:
        """The choices about these photos that wait to be applied."""
        return Drafts(self._store, self._who)

    def feature_cache(self, features_id: str) -> FeatureCache:
        """Return the cached features of one network or descriptor."""
        return FeatureCache(self.private, features_id)

    def keep_result(self, name: str, key: str, value: bytes) -> None:
        """Keep a result in place of an earlier one of this name; `key` names all that it follows from."""
        query = "INSERT OR REPLACE INTO results (name, key, value) VALUES (?, ?, ?)"
        with self._store.transaction():
            self._store.write(query, (name, key, value))

    def read_result(self, name: str, key: str) -> bytes | None:
        """Return a result that was kept under this name and key, or None."""
        rows = self._store.read("SELECT value FROM results WHERE name = ? AND key = ?", (name, key))
        value = rows[0]["value"] if rows else None
        # a column of a stranger's catalog holds a number, too, of which bytes() would make so many zeros
        return value if isinstance(value, bytes) else None

    def _read_openings(self) -> dict[int, dict[str, Any]]:
        rows = self._store.read(
            "SELECT o.id, o.time, o.model, o.facts, COUNT(x.sha256) AS n FROM openings o"
            " LEFT JOIN opened x ON x.opening = o.id GROUP BY o.id ORDER BY o.id"
        )
        return {
            r["id"]: {"time": r["time"], "model": r["model"], "n": r["n"], **json.loads(r["facts"])}
            for r in rows
        }

    def _find(self, photos: Iterable[str | Path]) -> list[int]:
        """Return the catalog's numbers of photos, by name or by path; refuse the first that is none."""
        rows = self._store.read("SELECT path, id FROM photos WHERE present")
        exact = {row["path"]: row["id"] for row in rows}
        known = {**{unify_name(path): number for path, number in exact.items()}, **exact}
        photos = [photos] if isinstance(photos, str | Path) else photos
        names = [self._find_name(Path(photo)) for photo in photos]
        names = [name if name in known else unify_name(name) for name in names]
        for name in names:
            if name not in known:
                raise UsageError(
                    "There is no photo {name} in {folder}. Names are relative to it, like {example}.",
                    name=name,
                    folder=self.folder,
                    example=next(iter(known), "class/photo.jpg"),
                )
        return [known[name] for name in names]

    def _find_name(self, path: Path) -> str:
        if path.is_absolute() and not self.folder.is_absolute():
            path = self.folder / os.path.relpath(path, self.folder.absolute())
        if path.parent == self.private / "decoded":  # what fastai was given in the photo's stead
            query = "SELECT path FROM photos WHERE sha256 = ? AND present"
            rows = self._store.read(query, (path.stem,))
            return str(rows[0]["path"]) if rows else str(path)
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(path)


def _make_unreadable(row: sqlite3.Row) -> UnreadableFile:
    return UnreadableFile(
        row["id"], row["name"], row["label"], unpack_message(row["reason"]), bool(row["removed"])
    )


def _make_photos(rows: Sequence[sqlite3.Row], folder: Path) -> list[Photo]:
    """Return the readable photos of rows."""
    refuse_forged(rows, folder)
    names = rows[0].keys() if rows else []
    photos = []
    for row in rows:
        facts = dict(zip(names, row, strict=True))
        facts.pop("reason")
        facts.update(path=folder / facts["name"], plain=bool(facts["plain"]), removed=bool(facts["removed"]))
        photos.append(make_frozen(Photo, facts))
    return photos
