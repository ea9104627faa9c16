"""The photos of a folder as the cleaner shows them; after edits only what they touch is made anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from ...catalog import Catalog
from ...check import CheckReport
from ...photos import TEST, Photo
from ...system import make_frozen, making_many
from .doubts import Doubts
from .review import ReviewItem


class Items:
    """Items of photos and of unreadable files.

    Attributes
    ----------
    every
        All of them, the photos in the catalog's order.
    photos
        {number: photo} of the readable ones.
    labels
        {label: how many items have it}.
    """

    def __init__(self, catalog: Catalog, report: CheckReport | None) -> None:
        self._catalog, self._report = catalog, report
        self._state = catalog.version, catalog.scans
        self._doubts = Doubts(report) if report is not None else None
        photos = catalog.photos(removed=True).photos
        self.photos = {photo.id: photo for photo in photos}
        with making_many():
            self.every = [*_build_items(photos, catalog.opened_hashes(), report)]
        for file in catalog.unreadable():
            fn = catalog.folder / file.name
            item = ReviewItem(key=file.id, fn=fn, name=file.name, label=file.label, removed=file.removed)
            self.every.append(item)
        self.labels = Counter(item.label for item in self.every)
        self._place = {item.key: place for place, item in enumerate(self.every)}
        self._inside = {item.name: item for item in self.every if not item.removed}
        self._set_reasons(self._inside)

    def can_follow(self, edited: Collection[int], report: CheckReport | None) -> bool:
        """Tell whether these edits are all that changed: nobody wrote or scanned, under the same check."""
        now = self._catalog.version, self._catalog.scans
        is_same = report is self._report and now == self._state
        return is_same and all(key in self._place for key in edited)

    def follow(self, edited: Collection[int], states: Mapping[int, tuple[str, bool]]) -> None:
        """Bring edited items up to date, by {number: (label, removed)}, and what is said of their copies."""
        names = set()
        for key in edited:
            before = self.every[self._place[key]]
            label, removed = states.get(key, (before.label, before.removed))
            self.labels.subtract([before.label])
            self.labels.update([label])
            self._put(replace(before, label=label, removed=removed, reasons=()))
            names.add(before.name)
            if key in self.photos:
                self.photos[key] = replace(self.photos[key], label=label, removed=removed)
        self.labels = +self.labels
        self._set_reasons(self._doubts.list_related(names) if self._doubts else ())

    def _put(self, item: ReviewItem) -> None:
        self.every[self._place[item.key]] = item
        if item.removed:
            self._inside.pop(item.name, None)
        else:
            self._inside[item.name] = item

    def _set_reasons(self, names: Collection[str]) -> None:
        if self._doubts is None:
            return
        found = self._doubts.find_reasons(names, self._inside)
        for name in list(names):
            item = self._inside.get(name)
            if item is not None and item.reasons != found.get(name, ()):
                self._put(replace(item, reasons=found.get(name, ())))


def _build_items(
    photos: Sequence[Photo], opened: Collection[str], report: CheckReport | None
) -> Iterator[ReviewItem]:
    answers = report.answers if report is not None else {}
    for photo in photos:
        # it may have been sealed after it was judged
        is_sealed = photo.split == TEST and photo.sha256 not in opened
        answer, probability = (None, None) if is_sealed else answers.get(photo.name, (None, None))
        facts = {
            "key": photo.id, "fn": photo.path, "name": photo.name, "label": photo.label,
            "split": photo.split, "removed": photo.removed, "answer": answer, "probability": probability,
        }  # fmt: skip
        yield make_frozen(ReviewItem, facts)
