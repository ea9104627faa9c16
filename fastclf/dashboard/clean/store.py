"""What the Clean tab works on: a folder's catalog, the check of it, and the model to retrain."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ...catalog import Catalog, Edit, EditRow
from ...check import CheckInputs, CheckReport, check_catalog, check_folder, find_bundle, find_first_answers
from ...errors import FastclfError, Message
from ...head import Refit, discard_refit, find_obstacle, find_previous, refit_head, use_refit
from ...inbox import Inbox
from ...model import ModelBundle
from ...photos import TEST, Photo
from ..texts import say, translate
from ..widgets import encode_large
from .doubts import find_reasons, list_remarks
from .reports import Followed, Reports
from .review import Decision, ReviewItem, ReviewStore
from .wording import say_applied, say_redone, say_undone

_logger = logging.getLogger(__name__)

Tell = Callable[[str], None]


class CatalogStore(ReviewStore):
    """Keeps the photos of a folder in its catalog, and retrains the model beside it.

    What it tells about progress is in the page's language; what it returns is English, to be translated. The
    reports of the inbox stand among the photos.
    """

    def __init__(self, folder: Path, model: Path, inbox: Inbox | None = None) -> None:
        self.folder, self.model = folder, model
        self.vocab = []
        self.has_inbox = inbox is not None
        # on the null device lies an inbox that stays empty
        self._inbox = inbox or Inbox(os.devnull)
        self._remark = ""
        self._notes: tuple[str, ...] = ()
        self._checked: CheckReport | None = None
        self._hashes: dict[int, str] = {}
        self._paths: dict[int, Path] = {}
        self._lock = threading.Lock()
        self._stamp: str | None = None

    @cached_property
    def catalog(self) -> Catalog:
        """The folder's catalog; opened at the first use."""
        return Catalog(self.folder)

    @cached_property
    def reports(self) -> Reports:
        """What visitors reported."""
        return Reports(self.catalog, self._inbox)

    @property
    def note(self) -> str:
        """What is to be said about the folder and the check, in the page's language."""
        return " ".join(translate(note) for note in (*self._notes, self._remark) if note)

    def open(self, tell: Tell) -> None:
        """Scan the folder and look for what needs no network: enough to begin with.

        Raises
        ------
        FastclfError
            If the folder or its catalog cannot be used.
        """
        with self._lock:
            catalog = self.catalog
            tell(say("Looking through the photos ..."))
            catalog.scan(
                lambda i, n: tell(say("Reading photo {i} of {n} ...", i=i, n=n)) if i % 25 == 0 else None
            )
            nothing = np.zeros((len(catalog.photos().photos), 0), np.float32)
            report = check_catalog(catalog, CheckInputs(nothing), labels=False)
            bundle = find_bundle(self.model, catalog.photos().photos)
            first = find_first_answers(catalog, bundle) if bundle else {}
            self._checked = replace(report, answers=first)
            self._notes = (catalog.note, *catalog.remarks)
            self._recover_reports()

    def _recover_reports(self) -> None:
        """Mend what a kill left; an inbox that cannot be read is said, and the photos cleaned without it."""
        try:
            self.reports.recover()
        except FastclfError as e:
            _logger.warning("The visitors' reports are not shown. %s", e)
            self._remark, self.has_inbox = e.message, False
            self.reports = Reports(self.catalog, Inbox(os.devnull))

    def prepare(self, tell: Tell) -> None:
        """Check the labels as well, with the best features at hand; takes seconds the first time."""
        with self._lock:
            tell(say("Begin already; doubtful labels are still being looked for ..."))
            self._checked = self._check(tell)
            self._notes = (self.catalog.note, *list_remarks(self._checked), *self._checked.notes)

    def _check(self, tell: Tell, attempts: int = 3) -> CheckReport:
        """Check all photos; once more if some were changed while their features were computed."""
        catalog = self.catalog
        while True:
            before = _list_photos(catalog)
            attempts -= 1
            try:
                report = check_folder(
                    catalog,
                    find_bundle(self.model, catalog.photos().photos),
                    progress=lambda i, n: tell(say("Looking at photo {i} of {n} ...", i=i, n=n)),
                )
            except ValueError:
                if not attempts or _list_photos(catalog) == before:
                    raise
            else:
                if not attempts or _list_photos(catalog) == before:
                    return report

    def find_obstacle(self) -> str:
        """Return why the model cannot be retrained on these photos, or ""."""
        try:
            bundle = ModelBundle.load(self.model, verify=False)
        except FastclfError as e:
            return e.message
        if obstacle := find_obstacle(bundle):
            return obstacle
        if find_bundle(self.model, self.catalog.photos().photos) is None:
            return Message(
                "The model was trained on other photos than these, so there is nothing to retrain."
            )
        return ""

    def load_items(self) -> list[ReviewItem]:
        """Return all photos with current labels and the reasons to look at them."""
        catalog = self.catalog
        photos = catalog.photos(removed=True).photos
        self._hashes = {p.id: p.sha256 for p in photos}
        self._paths = {p.id: p.path for p in photos}
        opened = catalog.opened_hashes()
        answers = dict(self._checked.answers) if self._checked else {}
        for photo in photos:
            # it may have been sealed after it was judged
            if photo.split == TEST and photo.sha256 not in opened:
                answers.pop(photo.name, None)
        items = [_build_item(photo, *answers.get(photo.name, (None, None))) for photo in photos]
        for file in catalog.unreadable():
            fn = self.folder / file.name
            items.append(
                ReviewItem(key=file.id, fn=fn, name=file.name, label=file.label, removed=file.removed)
            )
        self.vocab = sorted({i.label for i in items} | set(self._read_vocab()))
        here = {i.name: i for i in items if not i.removed}
        reasons = find_reasons(self._checked, here) if self._checked else {}
        items = [replace(i, reasons=tuple(reasons.get(i.name, ()))) for i in items]
        return [*items, *self.reports.load_items(self.vocab)]

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return the JPEG of a photo or of a report, or None."""
        if key < 0:
            return self.reports.read_thumbnail(key)
        sha256 = self._hashes.get(key)
        return self.catalog.thumbnail(sha256) if sha256 else None

    def read_large(self, key: int) -> bytes | None:
        """Return a photo or a report large; raises UnreadablePhotoError with the reason."""
        if key < 0:
            return self.reports.read_large(key)
        return encode_large(self._paths[key]) if key in self._paths else None

    def apply(self, decisions: Sequence[Decision]) -> str:
        """Record decisions about photos and reports as one step, all or none; returns words."""
        edits = [Edit(d.key, d.action, d.label, d.why) for d in decisions if d.key >= 0]
        with self.reports.adopt([d for d in decisions if d.key < 0]) as adopted:
            rows = self.catalog.apply([*edits, *adopted])
            self._follow(rows, self.catalog.undo)
        held = {edit.photo for edit in adopted}
        actions = Counter(d.action for d in decisions if d.key < 0)
        return say_applied(
            [row for row in rows if row.photo not in held], actions["relabel"], actions["remove"]
        )

    def count_steps(self) -> tuple[int, int]:
        """Return how many recorded steps can be taken back, and how many recorded again."""
        return self.catalog.count_steps()

    def undo(self) -> str | None:
        """Take the last recorded step back; returns words, or None if there is none."""
        rows = self.catalog.undo()
        return None if rows is None else say_undone(self._follow(rows, self.catalog.redo))

    def redo(self) -> str | None:
        """Record the last undone step again; returns words, or None if there is none."""
        rows = self.catalog.redo()
        return None if rows is None else say_redone(self._follow(rows, self.catalog.undo))

    def _follow(self, rows: Sequence[EditRow], revert: Callable[[], object]) -> Followed:
        try:
            return self.reports.follow(rows)
        except BaseException:
            revert()
            raise

    def export_edits(self) -> bytes:
        """Return the net edits as CSV."""
        return self.catalog.export_edits()

    def retrain(self) -> Refit:
        """Refit the model's head on current labels."""
        result = refit_head(self.model, self.folder)
        self._stamp = result.stamp
        return result

    def use_new(self) -> str:
        """Put the refitted model in the old one's place."""
        use_refit(self.model, self._stamp)
        kept = find_previous(self.model).name
        return Message(
            "The new model answers from now on. The old one is kept beside it as {name}.", name=kept
        )

    def keep_old(self) -> str:
        """Forget the refitted model."""
        discard_refit(self.model, self._stamp)
        return Message("The old model stays in use.")

    def _read_vocab(self) -> list[str]:
        try:
            return ModelBundle.load(self.model, verify=False).vocab
        except FastclfError:
            return []


def _build_item(photo: Photo, answer: str | None, probability: float | None) -> ReviewItem:
    return ReviewItem(
        key=photo.id, fn=photo.path, name=photo.name, label=photo.label, split=photo.split,
        removed=photo.removed, answer=answer, probability=probability,
    )  # fmt: skip


def _list_photos(catalog: Catalog) -> list[tuple[int, str, str]]:
    return [(photo.id, photo.label, photo.sha256) for photo in catalog.photos().photos]
