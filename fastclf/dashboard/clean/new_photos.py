"""Photos without a label among the photos to review: which of them wait, and what is said of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ...backbone import Backbone
from ...catalog import Catalog, Unlabelled, list_unlabelled
from ...errors import FastclfError, Message, count_message
from ...head import Suggestion
from ...photos import (
    MAX_FOLDER_BYTES,
    NEW_FOLDER,
    Photo,
    Progress,
    check_new_folder,
    decode_photo,
    encode_jpeg,
    make_thumbnail,
)
from ..widgets import encode_large, say_share
from .new_ranking import NewRanking
from .reports import describe_copy
from .review import NEW, Reason, ReviewItem

# below every report's key, and still a whole number in a browser
_FIRST_KEY = -(2**52)
_NOTHING = Unlabelled((), 0)


def is_new(key: int) -> bool:
    """Tell whether a key is that of a photo without a label."""
    return key <= _FIRST_KEY


class NewPhotos:
    """The photos of a folder that wait for a label; `_new` beside the classes need not be there.

    Attributes
    ----------
    folder
        Where they lie.
    photos
        {key: photo}, as of the last look.
    fault
        Why none of them can be shown, or "".
    """

    def __init__(self, catalog: Catalog, folder: Path, inbox: Path | None = None) -> None:
        self.folder, self.fault = folder, ""
        self.photos: dict[int, Photo] = {}
        self._catalog, self._inbox = catalog, inbox
        # where the folder led when it was found to hold no photos with a label
        self._checked: str | None = None
        self._waiting = _NOTHING
        self._ranking = NewRanking(catalog, folder)

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def remarks(self) -> list[str]:
        """What is to be said of them beside how many there are."""
        known = count_message(
            self._waiting.known, "1 other has a label already.", "{n} others have a label already."
        )
        n = len({*self._ranking.unread, *dict(self._waiting.failures)})
        unread = count_message(n, "1 file cannot be read.", "{n} files cannot be read.")
        counted = [words for words in (known, unread) if words.fields["n"]]
        fault = self._ranking.fault
        unranked = [Message("They are not ranked."), fault] if fault and len(self) else []
        return [*counted, *unranked]

    def read(self, progress: Progress | None = None) -> None:
        """Look which photos wait; where the folder cannot be used, none does."""
        waiting, fault = _NOTHING, ""
        try:
            if self.folder != self._catalog.folder / NEW_FOLDER or self.folder.is_dir():
                waiting = self._look(progress)
        except FastclfError as e:
            fault = e.message
        self._waiting, self.fault = waiting, fault
        self.photos = {_make_key(photo.sha256): photo for photo in waiting.photos}

    def _look(self, progress: Progress | None) -> Unlabelled:
        # a link may lead elsewhere by now
        if (place := os.path.realpath(self.folder)) != self._checked:
            check_new_folder(self.folder, self._catalog.folder, self._inbox)
            self._checked = place
        return list_unlabelled(self._catalog, self.folder, progress)

    def load_items(self) -> list[ReviewItem]:
        """Return the photos that wait, as of now."""
        self.read()
        places = {name: place for place, name in enumerate(self._ranking.found)}
        last, n = len(places), len(places) + len(self.photos) + 1
        return [
            _build_item(
                key,
                photo,
                doubt=1 - places.get(photo.name, last + i) / n,
                reasons=self._find_reasons(photo),
                found=self._ranking.found.get(photo.name),
            )
            for i, (key, photo) in enumerate(self.photos.items())
        ]

    def _find_reasons(self, photo: Photo) -> list[Reason]:
        found, unread = self._ranking.found.get(photo.name), self._ranking.unread.get(photo.name)
        if unread is not None:
            return [Reason(NEW, unread, 0.0)]
        if found is None:
            return [Reason(NEW, Message("not looked at yet"), 0.0)]
        words = Message(
            "{label}, {share}, or {other}, {other_share}",
            label=found.guess,
            share=say_share(found.probability),
            other=found.other,
            other_share=say_share(found.other_probability),
        )
        copy = self._ranking.copies.get(photo.sha256)
        return [Reason(NEW, words, 0.0, found.guess), *([describe_copy(copy)] if copy else [])]

    def rank(self, body: Callable[[], Backbone], progress: Progress, show: Callable[[], None]) -> None:
        """Rank those that wait now, as `NewRanking.rank` does; why they cannot be is among the `remarks`."""
        self.read()
        self._ranking.rank(self._waiting, body, progress, show)

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return a photo's JPEG, or None."""
        photo = self.photos.get(key)
        if photo is None:
            return None
        return encode_jpeg(make_thumbnail(decode_photo(photo.path, max_bytes=MAX_FOLDER_BYTES).image))

    def read_large(self, key: int) -> bytes | None:
        """Return a photo large, or None."""
        photo = self.photos.get(key)
        return None if photo is None else encode_large(photo.path)


def _make_key(sha256: str) -> int:
    return _FIRST_KEY - int(sha256[:12], 16)


def _build_item(
    key: int, photo: Photo, *, doubt: float, reasons: Sequence[Reason], found: Suggestion | None
) -> ReviewItem:
    first, *others = reasons
    return ReviewItem(
        key=key, fn=photo.path, name=photo.name, label="", outside=NEW,
        answer=found.guess if found else None, probability=found.probability if found else None,
        reasons=(replace(first, doubt=doubt), *others),
    )  # fmt: skip
