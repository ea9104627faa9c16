"""The class folders of a collection: each picture is stored once, no class gets more than was asked for."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..catalog import DUPLICATE, REFUSED, STORED, WAITING, Catalog, Fetch, Outcome
from ..errors import UnreadablePhotoError
from ..system import make_folder, sync_file, sync_folder, write_atomic_with
from .prepare import Prepared, prepare_photo

_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{20}\..*\..*")
ENOUGH = "was not needed; the class had as many photos as were asked for"


class PhotoStore:
    """Stores photos in the folder of a catalog that was scanned; threads may share it.

    `wanted` are the most photos of each class that has a limit of its own, `most` those of every other one.
    `labels` are the classes that are collected: what was stored for others that are no more does not count.
    """

    def __init__(
        self,
        catalog: Catalog,
        wanted: Mapping[str, int],
        most: int | None = None,
        labels: Collection[str] | None = None,
    ) -> None:
        self.ledger = catalog.fetches
        self._folder = catalog.folder
        self._wanted, self._most = wanted, most
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        # files that a run wrote which was killed before it recorded them
        self._unrecorded: dict[str, str] = {}
        self._read(catalog, labels)

    def count(self, label: str) -> int:
        """Return how many photos a class has."""
        with self._lock:
            return self._counts[label]

    def is_full(self, label: str) -> bool:
        """Return whether a class has as many photos as were asked for."""
        return self.missing(label) == 0

    def missing(self, label: str) -> int | None:
        """Return how many photos a class lacks; None where it has no limit."""
        limit = self._wanted.get(label, self._most)
        return None if limit is None else max(0, limit - self.count(label))

    def labels(self) -> set[str]:
        """Return the classes that have photos."""
        with self._lock:
            return {label for label, count in self._counts.items() if count}

    def full(self) -> set[str]:
        """Return the classes that have as many photos as were asked for."""
        return {label for label in {*self._wanted, *self._counts} if self.is_full(label)}

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Put outcomes on record, after the photos that were stored have reached the disk."""
        stored = [self._folder / outcome.path for outcome in outcomes if outcome.status == STORED]
        for file in stored:
            sync_file(file)
        for folder in {file.parent for file in stored}:
            sync_folder(folder)
        if outcomes:
            self.ledger.finish(outcomes)

    def keep(self, row: Fetch, data: bytes, largest_side: int) -> Outcome:
        """Judge the bytes that an address gave, and store the photo that they are."""
        try:
            photo = prepare_photo(data, largest_side)
        except UnreadablePhotoError as e:
            # what to do about it is for the owner of a file, not for who found it
            reason = e.reason.partition(";")[0]
            return Outcome(row.id, REFUSED, reason, lasting=True, bytes=len(data))
        outcome = self.put(row.label, photo)
        return replace(outcome, id=row.id, received=photo.received, bytes=len(data))

    def put(self, label: str, photo: Prepared) -> Outcome:
        """Store a photo in its class folder, unless the folder has it or the class is full."""
        name = f"{label}/{photo.name}"
        with self._lock:
            twin = next((self._names[h] for h in _hashes(photo) if h in self._names), None)
            if name in self._unrecorded:
                self._names.update(dict.fromkeys(_hashes(photo), name))
                return _stored(name, self._unrecorded.pop(name))
            if twin is not None:
                return Outcome(0, DUPLICATE, f"is the same picture as {twin}", lasting=True)
            limit = self._wanted.get(label, self._most)
            if limit is not None and self._counts[label] >= limit:
                return Outcome(0, WAITING, ENOUGH)
            self._names.update(dict.fromkeys(_hashes(photo), name))
            self._counts[label] += 1
        target = self._folder / label / photo.name
        make_folder(target.parent)
        write_atomic_with(target, lambda f: f.write(photo.data), sync=False)
        return _stored(name, photo.stored)

    def _read(self, catalog: Catalog, labels: Collection[str] | None) -> None:
        """Learn what the folder holds; what a killed run left half-written goes."""
        present = catalog.photos(removed=True)
        for photo in present.photos:
            self._names[photo.sha256] = photo.name
            self._counts[photo.label] += not photo.removed
            self._unrecorded[photo.name] = photo.sha256
        names = {photo.sha256: photo.name for photo in present.photos}
        alive = None if labels is None else {*labels, *(label for label, n in self._counts.items() if n)}
        for row in catalog.fetches.rows(status=STORED):
            if alive is not None and row.label not in alive:
                continue
            # a photo that was stored and is gone was thrown away by hand: it does not come back
            name = names.get(row.stored, f"{row.path}, which is no longer there")
            self._unrecorded.pop(row.path, None)
            for known in (row.received, row.stored):
                self._names.setdefault(known, name)
        for left in self._folder.glob("*/.*.*"):
            if is_half_written(left):
                left.unlink(missing_ok=True)


def is_half_written(path: Path) -> bool:
    """Return whether a hidden file is what `write_atomic` had begun to write for a `PhotoStore`."""
    return _HALF_WRITTEN.fullmatch(path.name) is not None


def _stored(name: str, sha256: str) -> Outcome:
    return Outcome(0, STORED, lasting=True, stored=sha256, path=name)


def _hashes(photo: Prepared) -> tuple[str, ...]:
    return photo.received, photo.stored
