"""The catalog of a photo folder: what is there, what was decided about it, how it is split."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy.typing as npt

from ..check import CheckReport
from ..check import findings as check
from ..errors import PhotosError
from ..model import FeatureCache
from ..photos import Photo, PhotoSet, Progress
from ..system import DATABASE, find_private_place
from . import arrivals, edits, fetches, listing, materialize, openings, reconcile, scan
from . import edit_files as travel
from . import given_splits as given
from . import near_pairs as pairs
from . import splits as assign
from .store import Store

Array = npt.NDArray[Any]


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
            raise PhotosError(
                "There is no folder {folder}. Name a folder with one sub-folder a class.", folder=folder
            )
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

    def scan(self, progress: Progress | None = None, *, empty_ok: bool = False) -> reconcile.ScanResult:
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
        result = scan.scan_folder(self._store, self.folder, progress, empty_ok=empty_ok)
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
        return listing.read_photos(self._store, self.folder, removed=removed)

    def unreadable(self) -> list[listing.UnreadableFile]:
        """Return the files that cannot be used, the removed ones too, by name."""
        return listing.read_unreadable(self._store)

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
        given: given.GivenSplits | None = None,
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
        return assign.clear_splits(self._store)

    def record_opening(self, model: str, hashes: Iterable[str], facts: Mapping[str, Any]) -> None:
        """Record that the sealed test set was opened; see `fastclf.catalog.openings.record_opening`."""
        openings.record_opening(self._store, model, hashes, facts)

    def openings(self) -> list[dict[str, Any]]:
        """Return every opening of the test set: time, model, n and what was found."""
        return openings.read_openings(self._store)

    def find_openings(self, hashes: Iterable[str]) -> list[dict[str, Any]]:
        """Return the openings in which one of these photos was looked at, marked as inherited."""
        return openings.find_openings(self._store, hashes)

    def opened_hashes(self) -> set[str]:
        """Return the sha256 of the test photos that were looked at in any opening."""
        return openings.read_opened(self._store)

    @property
    def fetches(self) -> fetches.FetchLedger:
        """The record of what was searched and fetched for this folder."""
        return fetches.FetchLedger(self._store)

    @property
    def arrivals(self) -> arrivals.Arrivals:
        """What joins these photos from outside."""
        return arrivals.Arrivals(self._store)

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

    def _find(self, photos: Iterable[str | Path]) -> list[int]:
        return listing.find_numbers(self._store, self.folder, self.private, photos)


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
