"""The catalog of a photo folder: what is there, what was decided about it, how it is split."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy.typing as npt

from ..checks.report import CheckReport
from ..errors import PhotosError, UsageProblem
from ..features import FeatureCache
from ..files import utc_now
from ..photos import Photo, PhotoSet, Progress
from ..places import DATABASE, find_private_place
from . import assign, check, edits, materialize, pairs, scan, travel
from .store import Store

Array = npt.NDArray[Any]

_PHOTOS = (
    "SELECT p.id, p.path, p.sha256, p.label, p.folder_label, p.given_split, p.removed, p.trouble, p.size,"
    " c.reason, c.pixel_hash, c.width, c.height, c.plain, s.split"
    " FROM photos p LEFT JOIN contents c ON c.sha256 = p.sha256 LEFT JOIN splits s ON s.sha256 = p.sha256"
    " WHERE p.present"
)


@dataclass(frozen=True)
class UnreadableFile:
    """A file that is named like a photo and cannot be used.

    Attributes
    ----------
    id
        The catalog's number of it.
    name, label
        Path relative to the folder, and label of today.
    reason
        What is wrong, as a clause without the name.
    removed
        Whether an edit took it out.
    """

    id: int
    name: str
    label: str
    reason: str
    removed: bool


class Catalog:
    """Photos, edits and splits of one folder, in SQLite beside the photos.

    No file of the folder is ever moved, changed or deleted. The catalog may be used by several processes at
    once; killed at any point, it opens again with all that was committed.

    Parameters
    ----------
    folder
        One sub-folder a class.
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

    Raises
    ------
    PhotosError
        If there is no such folder.
    CatalogError
        If the catalog cannot be opened.

    Examples
    --------
    >>> with Catalog("photos/bears") as catalog:  # doctest: +SKIP
    ...     catalog.scan()
    ...     catalog.relabel(["black/17.jpg"], "grizzly", why="hump")
    ...     print(catalog.check().to_text())
    """

    def __init__(self, folder: str | Path, *, who: str | None = None) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise PhotosError(f"There is no folder {folder}. Name a folder with one sub-folder a class.")
        place = find_private_place(self.folder)
        self.private, self.note, self._who = place.path, place.note, who
        self._stray = place.stray
        self._store = Store(place.path / DATABASE, wal=place.inside)

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def scan(self, progress: Progress | None = None) -> scan.ScanResult:
        """Look at the folder; read and decode only what is not known yet.

        Parameters
        ----------
        progress
            Called with (done, all) after each file that had to be looked at.

        Raises
        ------
        PhotosError
            If there is no photo to be found.
        CatalogError
            If the catalog cannot be written.
        """
        result = scan.scan_folder(self._store, self.folder, progress)
        if result.lapsed:
            self.note = _join(
                self.note,
                f"{len(result.lapsed)} photos were rewritten, so edits of their old content no longer hold: "
                f"{', '.join(result.lapsed[:3])}{' ...' if len(result.lapsed) > 3 else ''}.",
            )
        if self._stray is not None:
            self._bring_home(self._stray)
        return result

    def _bring_home(self, stray: Path) -> None:
        """Take in the edits that were made while the folder could not be written."""
        self._stray = None
        with contextlib.closing(Store(stray, wal=False)) as other:
            data = travel.export_edits(other)
        report = travel.import_edits(self._store, data, self._who)
        stray.replace(stray.with_suffix(".merged"))
        words = f"{len(report.applied)} edits were brought in from {stray.parent}"
        doubt = len(report.missing) + len(report.conflicts)
        words += f", {doubt} in doubt were left there." if doubt else "."
        if report.applied or doubt:
            self.note = _join(self.note, words)

    def photos(self, *, removed: bool = False) -> PhotoSet:
        """Return the photos with today's labels, as of the last scan; with `removed` also those taken out."""
        photos, failures = [], []
        for row in self._store.read(_PHOTOS):
            reason = row["trouble"] or row["reason"]
            if row["removed"] and not removed:
                continue
            if reason:
                failures.append((row["path"], reason))
            else:
                photos.append(self._make_photo(row))
        photos.sort(key=lambda p: (p.label, p.name))
        return PhotoSet(self.folder, tuple(photos), tuple(sorted(failures)))

    def unreadable(self) -> list[UnreadableFile]:
        """Return the files that cannot be used, the removed ones too, by name."""
        return [
            UnreadableFile(r["id"], r["path"], r["label"], r["trouble"] or r["reason"], bool(r["removed"]))
            for r in self._store.read(f"{_PHOTOS} ORDER BY p.path")
            if r["trouble"] or r["reason"]
        ]

    def thumbnail(self, sha256: str) -> bytes | None:
        """Return a photo's thumbnail as JPEG, at most 256 pixels long; None where there is none."""
        rows = self._store.read("SELECT jpeg FROM thumbnails WHERE sha256 = ?", (sha256,))
        return bytes(rows[0]["jpeg"]) if rows else None

    def relabel(self, names: Iterable[str | Path], label: str, why: str = "") -> list[edits.EditRow]:
        """Give photos another label; returns what was recorded.

        Parameters
        ----------
        names
            Paths relative to the folder, with ``/``; or whole paths.
        label
            The new label; it need not be a folder.
        why
            For people.

        Raises
        ------
        UsageProblem
            If a name or the label is none. Nothing is changed then.
        """
        return self.apply([edits.Edit(i, edits.RELABEL, label, why) for i in self._find(names)])

    def remove(self, names: Iterable[str | Path], why: str = "") -> list[edits.EditRow]:
        """Take photos out; their files stay as they are."""
        return self.apply([edits.Edit(i, edits.REMOVE, None, why) for i in self._find(names)])

    def restore(self, names: Iterable[str | Path], why: str = "") -> list[edits.EditRow]:
        """Take removed photos in again."""
        return self.apply([edits.Edit(i, edits.RESTORE, None, why) for i in self._find(names)])

    def apply(self, decided: Sequence[edits.Edit]) -> list[edits.EditRow]:
        """Apply edits as one step: all of them or, if one is refused, none."""
        return edits.apply_edits(self._store, decided, self._who)

    def undo(self) -> list[edits.EditRow] | None:
        """Take back the last step that stands; returns the rows that do it, or None if none stands."""
        return edits.undo_step(self._store, self._who)

    def redo(self) -> list[edits.EditRow] | None:
        """Do the step again that was taken back last; returns its rows, or None if there is none."""
        return edits.redo_step(self._store, self._who)

    def edits(self, *, log: bool = False) -> list[edits.EditRow]:
        """Return the net edits in order, or with `log` every row that was ever written."""
        return edits.read_rows(self._store) if log else edits.read_net_rows(self._store)

    def export_edits(self, *, log: bool = False) -> bytes:
        """Return the net edits, or with `log` the whole history, as CSV."""
        return travel.export_edits(self._store, log=log)

    def import_edits(self, data: bytes) -> travel.ImportReport:
        """Replay exported edits as one step; see `fastclf.catalog.import_edits`."""
        return travel.import_edits(self._store, data, self._who)

    def materialize(self, dest: str | Path) -> materialize.Materialized:
        """Write a clean copy of the folder: today's labels, without removed and unreadable photos."""
        return materialize.materialize(self.photos(), Path(dest))

    def find_near_pairs(self) -> pairs.NearPairs:
        """Return the contents that are nearly the same picture; only new ones are compared."""
        return pairs.find_near_pairs(self._store)

    def assign_splits(
        self,
        photos: Sequence[Photo],
        *,
        seed: int = 0,
        valid: float = 0.2,
        test: float = 0.1,
        given: assign.GivenSplits | None = None,
    ) -> assign.Assignment:
        """Return the split of each photo and record new ones; see `fastclf.catalog.assign_splits`."""
        near = self.find_near_pairs().pairs
        return assign.assign_splits(self._store, photos, near, seed=seed, valid=valid, test=test, given=given)

    def adopt_splits(self, known: Mapping[str, tuple[str, str]]) -> None:
        """Record the splits that a model was trained with, for contents that have none on record.

        Parameters
        ----------
        known
            {sha256: (group, split)}.
        """
        assign.adopt_splits(self._store, known)

    def clear_splits(self) -> int:
        """Forget the recorded splits, so that the next training draws anew; returns how many there were.

        What was sealed may become a training photo: no model that was trained before may be judged on the
        new test photos.
        """
        with self._store.transaction():
            count = int(self._store.read("SELECT COUNT(*) AS n FROM splits")[0]["n"])
            self._store.write("DELETE FROM splits")
            self._store.write("DELETE FROM results WHERE name = ?", (assign.RULE,))
        return count

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
            self._store.write_many(
                "INSERT OR IGNORE INTO opened (opening, sha256) VALUES (?, ?)",
                [(number, sha) for sha in hashes],
            )

    def openings(self) -> list[dict[str, Any]]:
        """Return every opening of the test set: time, model, n and what was found."""
        rows = self._store.read(
            "SELECT o.time, o.model, o.facts, COUNT(x.sha256) AS n FROM openings o"
            " LEFT JOIN opened x ON x.opening = o.id GROUP BY o.id ORDER BY o.id"
        )
        return [{"time": r["time"], "model": r["model"], "n": r["n"], **json.loads(r["facts"])} for r in rows]

    def find_openings(self, hashes: Iterable[str]) -> list[dict[str, Any]]:
        """Return the openings in which one of these photos was looked at, marked as inherited."""
        wanted = set(hashes)
        rows = self._store.read("SELECT DISTINCT opening, sha256 FROM opened")
        numbers = {row["opening"] for row in rows if row["sha256"] in wanted}
        every = self._store.read("SELECT id FROM openings ORDER BY id")
        return [
            {**opening, "inherited": True}
            for row, opening in zip(every, self.openings(), strict=True)
            if row["id"] in numbers
        ]

    def opened_hashes(self) -> set[str]:
        """Return the sha256 of the test photos that were looked at in any opening."""
        return {row["sha256"] for row in self._store.read("SELECT DISTINCT sha256 FROM opened")}

    def feature_cache(self, features_id: str) -> FeatureCache:
        """Return the cached features of one network or descriptor."""
        return FeatureCache(self.private, features_id)

    def check(
        self,
        features: Array | None = None,
        pred_probs: Array | None = None,
        provenance: str = "",
        *,
        vocab: Sequence[str] | None = None,
        out_of_sample: bool = True,
        labels: bool = True,
        notes: Sequence[str] = (),
        sealed: Iterable[str] = (),
    ) -> CheckReport:
        """Check the photos of the last scan.

        Parameters
        ----------
        features
            (N, D) of the N photos in the order of `photos()`, NaN rows where there are none; by default a
            plain image descriptor is computed.
        pred_probs
            (N, K) answers about photos that whatever answers was never trained on, NaN rows elsewhere.
        provenance
            Where the features came from, in words.
        vocab
            (K,) labels of the columns of `pred_probs`.
        out_of_sample
            Whether whatever made the features had never seen these labels.
        labels
            Whether labels are checked, which takes the extra `clean` and a child process.
        notes
            Sentences to add to the report.
        sealed
            sha256 of photos that are sealed for the test, beside those whose recorded split says so.

        Raises
        ------
        ValueError
            If the arrays do not fit the photos.
        """
        source = check.Source(
            features, pred_probs, provenance, vocab, out_of_sample, tuple(notes), frozenset(sealed)
        )
        return check.check_photos(self, self._store, source, labels=labels)

    def _make_photo(self, row: sqlite3.Row) -> Photo:
        return Photo(
            self.folder / row["path"], row["path"], row["label"], row["sha256"], row["pixel_hash"],
            row["width"], row["height"], bool(row["plain"]), row["id"], row["folder_label"],
            row["given_split"], row["split"] or "", bool(row["removed"]), row["size"],
        )  # fmt: skip

    def _find(self, names: Iterable[str | Path]) -> list[int]:
        """Return the numbers of photos by name, or by path."""
        known = {r["path"]: r["id"] for r in self._store.read("SELECT path, id FROM photos WHERE present")}
        names = [self._name(n) for n in ([names] if isinstance(names, str | Path) else names)]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageProblem(
                f"There is no photo {unknown[0]} in {self.folder}. Names are relative to it, like "
                f"{next(iter(known), 'class/photo.jpg')}."
            )
        return [known[name] for name in names]

    def _name(self, photo: str | Path) -> str:
        path = Path(photo)
        if path.is_absolute() and not self.folder.is_absolute():
            path = self.folder / os.path.relpath(path, self.folder.absolute())
        if path.parent == self.private / "decoded":  # what fastai was given in the photo's stead
            rows = self._store.read("SELECT path FROM photos WHERE sha256 = ? AND present", (path.stem,))
            return str(rows[0]["path"]) if rows else str(photo)
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(photo)


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
