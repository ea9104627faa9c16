"""Photos that have names already: out of an archive, a folder or a cloud path, into class folders."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatchcase
from itertools import islice

from ..catalog import REFUSED, WAITING, Fetch, Outcome
from ..errors import ArchiveError, PhotosError
from ..photos import HEAD_BYTES, sniff_format
from ..system import hash_bytes
from .archives import Member, is_photo_name, may_be_photo
from .named_splits import NamedSplits
from .photo_store import ENOUGH, PhotoStore
from .progress import ProgressBars
from .recipes import FileSource

# Files that are decoded together while the next ones are read; so many are in memory twice over.
_LOT = 32
_NO_CLASS = "has a name that the labelling rule gives no class"
Read = Callable[[Callable[[str], bool]], Iterable[Member]]


class Unpacker:
    """Stores the photos of one source, each in the class that its original name says.

    What is finished in the ledger is not read again.
    """

    def __init__(
        self,
        store: PhotoStore,
        source: FileSource,
        largest_side: int,
        progress: ProgressBars,
        adopt: Callable[[Mapping[str, tuple[str, str]]], None] | None = None,
    ) -> None:
        self._ledger, self._store, self._source = store.ledger, store, source
        self._side, self._progress = largest_side, progress
        self._refused: Counter[str] = Counter()
        self._not_needed: list[str] = []
        self.passed_over = 0
        self.flat: list[str] = []
        self._splits = NamedSplits((), source.rule, source.place)
        self._adopt = adopt
        # a waiting row was not needed in an earlier run, or not finished by one that was killed
        self._finished = {(row.label, row.url) for row in store.ledger.rows() if row.status != WAITING}

    def run(self, read: Read) -> None:
        """Store what is wanted of the source, of which `read` yields the files whose names are wanted."""
        members = iter(read(self._is_wanted))
        lots: Iterator[list[Member]] = iter(lambda: list(islice(members, _LOT)), [])
        running: list[tuple[str, Future[Outcome]]] = []
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="unpack") as pool:
            try:
                # one lot is decoded while the next one is read
                for lot in lots:
                    rows = self._record(lot)
                    started = [(member.name, pool.submit(self._keep, row, member)) for row, member in rows]
                    self._finish(running)
                    running = started
            finally:
                self._finish(running)
        self._record_not_needed()

    def survey(self, read: Read) -> None:
        """Learn which splits the folders of the source name, by the names of all its photos alone.

        Raises
        ------
        PhotosError
            If the classes would be called train, test and the like.
        """
        names: list[str] = []

        def note(name: str) -> bool:
            if self._counts(name) and is_photo_name(name):
                names.append(name)
            return False

        # what is damaged is told when it is read
        with contextlib.suppress(ArchiveError, PhotosError):
            for _ in read(note):
                pass
        self._splits = NamedSplits(names, self._source.rule, self._source.place)

    def _counts(self, name: str) -> bool:
        only = self._source.only
        return may_be_photo(name) and (not only or any(fnmatchcase(name, pattern) for pattern in only))

    def _address(self, name: str) -> str:
        return f"{self._source.place}#{name}"

    def _is_wanted(self, name: str) -> bool:
        if not self._counts(name):
            self.passed_over += 1
            return False
        if name.rpartition("/")[0] in self._splits.flat:
            self.flat.append(name)
            return False
        label = self._source.rule.find_label(name)
        if (label or "", self._address(name)) in self._finished:
            return False
        if label is not None and self._store.is_full(label):
            self._not_needed.append(name)
            return False
        return True

    def _record(self, lot: list[Member]) -> list[tuple[Fetch, Member]]:
        """Give each photo a row; return those that are in the record as waiting."""
        photos = [m for m in lot if is_photo_name(m.name) or sniff_format((m.data or b"")[:HEAD_BYTES])]
        self.passed_over += len(lot) - len(photos)
        lot = photos
        rows = {(row.label, row.url): row for row in self._list([m.name for m in lot])}
        keys = [(self._label(m.name), self._address(m.name)) for m in lot]
        found = []
        for key, member in zip(keys, lot, strict=True):
            # a name that stands in an archive twice counts once
            if rows[key].status == WAITING and key not in self._finished:
                self._finished.add(key)
                found.append((rows[key], member))
        return found

    def _list(self, names: list[str]) -> list[Fetch]:
        """Give files rows under the current labels's rule, and return these."""
        labels = {self._address(name): self._label(name) for name in names}
        self._ledger.forget_other_labels(labels)
        for label in dict.fromkeys(labels.values()):
            found = [self._describe(name) for name in names if self._label(name) == label]
            self._ledger.add(label, found, rivals=())
        return self._ledger.find(list(labels))

    def _label(self, name: str) -> str:
        return self._source.rule.find_label(name) or ""

    def _describe(self, name: str) -> dict[str, str]:
        source = self._source
        return {
            "url": self._address(name),
            "source": source.place,
            "page": source.page,
            "licence": source.licence,
            "title": name.rpartition("/")[2],
        }

    def _keep(self, row: Fetch, member: Member) -> Outcome:
        if member.data is None:
            return Outcome(row.id, REFUSED, member.reason, lasting=True)
        if not row.label:
            received = hash_bytes(member.data)
            return Outcome(
                row.id, REFUSED, _NO_CLASS, lasting=True, received=received, bytes=len(member.data)
            )
        return self._store.keep(row, member.data, self._side)

    def _finish(self, futures: list[tuple[str, Future[Outcome]]]) -> None:
        """Record what became of files, given by name, and of the splits that these are in."""
        outcomes = [future.result() for _, future in futures]
        self._store.record(outcomes)
        if self._adopt is not None:
            named = zip(outcomes, (self._splits.find(name) for name, _ in futures), strict=True)
            self._adopt({o.stored: (o.stored, split) for o, split in named if o.stored and split})
        labels = [self._label(name) for name, _ in futures]
        for label, outcome in zip(labels, outcomes, strict=True):
            self._refused[label] += outcome.status == REFUSED
        for label in {*labels} - {""}:
            self._progress.counted(label, self._store.count(label), self._refused[label])

    def _record_not_needed(self) -> None:
        names = self._not_needed
        for start in range(0, len(names), 500):
            rows = self._list(names[start : start + 500])
            self._store.record([Outcome(r.id, WAITING, ENOUGH) for r in rows if r.status == WAITING])
