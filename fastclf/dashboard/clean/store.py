"""What the Clean tab works on: a folder's catalog, the check of it, and the model to retrain."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ...catalog import SCAN, Catalog, Draft, Edit, EditRow, Watermark, is_about_waiting
from ...check import (
    CheckInputs,
    CheckReport,
    KeptReport,
    SimilarPhotos,
    check_catalog,
    choose_inputs,
    find_bundle,
    find_first_answers,
    find_judge,
    judge_some,
    keep_report,
    read_report,
)
from ...errors import FastclfError, Message, UsageError
from ...head import (
    EarlierModel,
    Refit,
    RefitProgress,
    discard_refit,
    find_obstacle,
    list_earlier,
    refit_head,
    use_earlier,
    use_refit,
)
from ...inbox import Inbox
from ...model import ModelBundle
from ...photos import NEW_FOLDER, decode_photo, encode_jpeg, make_thumbnail
from ..texts import say, translate
from ..widgets import encode_large
from .doubts import list_remarks
from .items import Items
from .new_copies import NewCopies, count_moved
from .new_decisions import NewDecisions
from .new_photos import NewPhotos, is_new
from .new_ranking import choose_body
from .reports import Followed, Reports
from .review import Decision, ReviewItem, ReviewStore, Waiting
from .wording import say_applied, say_learned, say_news, say_ranking, say_redone, say_undone

_logger = logging.getLogger(__name__)

Tell = Callable[[str], None]

# From so many new photos on the model answers before they are read, and for how long: the rest of ten seconds
# is for the files' hashes and for drawing the page.
_MANY, _FIRST_SECONDS = 500, 4.0
# So many labels of new photos, and the head is fitted again.
_RETRAIN_AFTER = 10
# From so many known photos on the list begins as it was left, and the folder is looked through behind it.
_KNOWN = 5000


class CatalogStore(ReviewStore):
    """Keeps the photos of a folder in its catalog, and retrains the model beside it.

    What it tells about progress is in the page's language; what it returns is English, to be translated. The
    reports of the inbox and the photos without a label, by default those in `_new` beside the classes, stand
    among the photos.
    """

    keeps_drafts = True
    finds_similar = True

    def __init__(
        self, folder: Path, model: Path, inbox: Inbox | None = None, new: Path | None = None
    ) -> None:
        self.folder, self.model = folder, model
        self._new_folder = new or folder / NEW_FOLDER
        self.vocab: list[str] = []
        self.has_inbox = inbox is not None
        # on the null device lies an inbox that stays empty
        self._inbox = inbox or Inbox(os.devnull)
        self._remark = ""
        self._ranking: str = ""
        # whether the list began before all photos were read
        self.is_hurried = False
        self._checked: CheckReport | None = None
        # the last check that was kept, and of which photos it was
        self._left: KeptReport | None = None
        self._similar: SimilarPhotos | None = None
        # the last items, and the numbers of those that were edited since; None where all are to be read
        self._items: Items | None = None
        self._edited: set[int] | None = None
        # how many labels of new photos the last retraining did not see, and whether their ranking did not
        self._unlearned, self._unranked = 0, False
        self._lock = threading.Lock()
        self._stamp: str | None = None
        # how far the record of edits is known, which of them are this session's, and the reports that wait
        self._mark: Watermark | None = None
        self._own: set[int] = set()
        self._reported: frozenset[int] = frozenset()
        self._turn = threading.RLock()

    @cached_property
    def catalog(self) -> Catalog:
        """The folder's catalog; opened at the first use."""
        return Catalog(self.folder)

    @cached_property
    def reports(self) -> Reports:
        """What visitors reported."""
        return Reports(self.catalog, self._inbox)

    @cached_property
    def new(self) -> NewPhotos:
        """The photos that have no label yet."""
        return NewPhotos(self.catalog, self._new_folder, self._inbox.path)

    @cached_property
    def new_copies(self) -> NewCopies:
        """What the catalog holds of those that were decided about."""
        return NewCopies(self.catalog)

    @property
    def new_remarks(self) -> Sequence[str]:  # type: ignore[override]
        """What is to be known about the photos without a label."""
        return self.new.remarks

    @property
    def note(self) -> str:
        """What has to be said about the folder, in the page's language."""
        notes = (self.catalog.note, self._remark, self.new.fault)
        return " ".join(translate(note) for note in notes if note)

    def open(self, tell: Tell) -> None:
        """Look through the folder for enough to begin with.

        Where many photos are new, that is what the model says of some of them; else what needs no network.

        Raises
        ------
        FastclfError
            If the folder or its catalog cannot be used.
        """
        with self._lock:
            tell(say("Looking through the photos ..."))
            self.is_hurried = self._begin_as_left() or self._begin_with_model(tell)
        if not self.is_hurried:
            self.finish_opening(tell)
        self._recover_reports()
        self._read_new(tell)
        self._mark = self.catalog.follow()
        self._reported = self._list_reported()

    def _begin_as_left(self) -> bool:
        """Begin with the last check of many known photos, before files are looked at; tell whether it did."""
        self._left = read_report(self.catalog) if self._has_many() else None
        self._checked = found = self._select_left()
        if found is not None:
            self.remarks = _leave_waiting_out((*list_remarks(found), *found.notes))
            self.summary = say_ranking("model" if found.answers else "", found.sealed)
        return found is not None

    def _has_many(self) -> bool:
        return len(self.catalog.photos().photos) > _KNOWN

    def _select_left(self) -> CheckReport | None:
        """Return what the last check found about photos that are still the same."""
        return None if self._left is None else self._left.select(self.catalog.photos(removed=True).photos)

    def _begin_with_model(self, tell: Tell) -> bool:
        """Have the model answer on some of many new photos, before they are all read; tell whether it did."""
        catalog = self.catalog
        bundle = find_judge(self.model, catalog.photos().photos) if catalog.list_files() > _MANY else None
        if bundle is None:
            return False
        first = judge_some(
            catalog,
            bundle,
            _FIRST_SECONDS,
            lambda i, n: tell(say("Looking at photo {i} of {n} ...", i=i, n=n)),
        )
        self._checked = CheckReport(folder=self.folder.name, photos=0, answers=first)
        self.summary = say_ranking("model", 0)
        return bool(first)

    def finish_opening(self, tell: Tell) -> None:
        """Read all photos and look for what needs no network; what the model said so far stays."""
        with self._lock:
            catalog = self.catalog
            found = catalog.scan(
                lambda i, n: tell(say("Reading photo {i} of {n} ...", i=i, n=n)) if i % 25 == 0 else None
            )
            self.new_copies.recover()
            self._edited = None
            photos = catalog.photos(removed=True).photos
            is_old = self._left is not None and not self._left.is_of(photos)
            if self._checked is not None and self._checked.photos and not found.differs and not is_old:
                return  # the list as it was left stands
            self._checked = self._select_left() or self._checked
            nothing = np.zeros((len(catalog.photos().photos), 0), np.float32)
            report = check_catalog(catalog, CheckInputs(nothing), labels=False)
            bundle = find_bundle(self.model, catalog.photos().photos)
            before = self._checked.answers if self._checked else {}
            first = {**before, **(find_first_answers(catalog, bundle) if bundle else {})}
            self._checked = replace(report, answers=first)
            if self._left is None and self._has_many():
                self._left = keep_report(catalog, self._checked, photos)
            self.remarks = _leave_waiting_out(catalog.remarks)
            self.summary = say_ranking("model" if first else "", report.sealed)

    def _read_new(self, tell: Tell) -> None:
        """Look which photos wait for a label; without them the others are cleaned all the same."""
        self.new.read(
            lambda i, n: tell(say("Reading new photo {i} of {n} ...", i=i, n=n)) if i % 25 == 0 else None
        )
        self._unranked = bool(len(self.new))
        if self.new.fault:
            _logger.warning("The photos without a label are not shown. %s", self.new.fault)

    def rank_new(self, tell: Tell, show: Callable[[], None]) -> bool:
        """Rank the photos without a label by today's labels; tell whether there was anything to do.

        `show` is called when some of many are ranked. Blocks; one call at a time is of use.
        """
        if not self._unranked:
            return False
        self._unranked = False
        self.new.rank(
            lambda: choose_body(self.model),
            lambda i, n: tell(say("Looking at new photo {i} of {n} ...", i=i, n=n)) if i % 5 == 0 else None,
            show,
        )
        return True

    @property
    def wants_retraining(self) -> bool:  # type: ignore[override]
        """Whether ten labels of new photos, or more, have come since the last retraining."""
        return self._unlearned >= _RETRAIN_AFTER

    def _recover_reports(self) -> None:
        """Mend what a kill left; an inbox that cannot be read is said, and the photos cleaned without it."""
        try:
            self.reports.recover()
        except FastclfError as e:
            _logger.warning("The visitors' reports are not shown. %s", e)
            self._remark, self.has_inbox = e.message, False
            self._inbox = Inbox(os.devnull)
            self.reports = Reports(self.catalog, self._inbox)

    def prepare(self, tell: Tell) -> None:
        """Check the labels as well, with the best features at hand; takes seconds the first time."""
        with self._lock:
            tell(say("Begin already; doubtful labels are still being looked for ..."))
            photos = self.catalog.photos(removed=True).photos
            self._checked = self._check(tell)
            self._edited = None
            self._left = keep_report(self.catalog, self._checked, photos)
            self.remarks = _leave_waiting_out((*list_remarks(self._checked), *self._checked.notes))
            self.summary = say_ranking(self._ranking, self._checked.sealed)

    def _check(self, tell: Tell, attempts: int = 3) -> CheckReport:
        """Check all photos; once more if some were changed while their features were computed."""
        catalog = self.catalog
        while True:
            before = _list_photos(catalog)
            attempts -= 1
            try:
                bundle = find_judge(self.model, catalog.photos().photos)
                inputs = choose_inputs(
                    catalog, bundle, lambda i, n: tell(say("Looking at photo {i} of {n} ...", i=i, n=n))
                )
                report = check_catalog(catalog, inputs)
                self._similar = SimilarPhotos(catalog, inputs.features_id, inputs.sealed)
                self._ranking = (
                    "plain" if inputs.features is None else "network" if bundle is None else "model"
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
        """Return all photos with current labels and the reasons to look at them.

        After edits of this session only what they touch is looked at: the other items are the same objects.
        """
        edited, self._edited = self._edited, set()
        if self._items is None or edited is None or not self._items.can_follow(edited, self._checked):
            self._items = Items(self.catalog, self._checked)
        elif edited:
            self._items.follow(edited, self.catalog.read_states(edited))
        self.vocab = sorted({*self._items.labels, *self._read_vocab()})
        return [*self._items.every, *self.reports.load_items(self.vocab), *self.new.load_items()]

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return the JPEG of a photo, also of one outside the set, or None."""
        if key < 0:
            return (self.new if is_new(key) else self.reports).read_thumbnail(key)
        photo = self._items.photos.get(key) if self._items else None
        if photo is None:
            return None
        # one that no scan has read yet is made of its file
        return self.catalog.thumbnail(photo.sha256) or _make_thumbnail(photo.path)

    def read_large(self, key: int) -> bytes | None:
        """Return a photo large, also one outside the set; raises UnreadablePhotoError with the reason."""
        if key < 0:
            return (self.new if is_new(key) else self.reports).read_large(key)
        photo = self._items.photos.get(key) if self._items else None
        return None if photo is None else encode_large(photo.path)

    def find_similar(self, key: int, n: int) -> list[int]:
        """Return the photos most like one by the features of the check; raises UsageError with the reason."""
        if self._similar is None:
            raise UsageError("Photos can be compared when the check of all photos is done.")
        found = self._similar.find([*self._items.photos.values()] if self._items else [], key, n)
        if found is None:
            raise UsageError(
                "Nothing can be compared with this photo: it is sealed, waits in the inbox, or was not read."
            )
        return found

    def apply(self, decisions: Sequence[Decision]) -> str:
        """Record decisions about photos, in the set and outside, as one step, all or none; returns words."""
        edits = [Edit(d.key, d.action, d.label, d.why) for d in decisions if d.key >= 0]
        reports = [d for d in decisions if d.key < 0 and not is_new(d.key)]
        new = [d for d in decisions if is_new(d.key)]
        decided = NewDecisions(self.catalog, self.new_copies, self.new.photos)
        with self._turn, self.reports.adopt(reports) as adopted, decided.adopt(new) as joined:
            rows = self._own_rows(self.catalog.apply([*edits, *adopted, *joined.edits], ask=joined.ask))
            self._follow(rows, self.catalog.undo)
        held = {edit.photo for edit in (*adopted, *joined.edits)}
        actions = Counter(d.action for d in reports)
        self._unlearned += joined.taken
        return say_applied(
            [row for row in rows if row.photo not in held],
            actions["relabel"] + joined.taken,
            actions["remove"] + joined.dismissed,
            joined.left,
        )

    def count_steps(self) -> tuple[int, int]:
        """Return how many recorded steps can be taken back, and how many recorded again."""
        return self.catalog.count_steps()

    def undo(self) -> str | None:
        """Take the last recorded step back; returns words, or None if there is none."""
        with self._turn:
            before = self.new_copies.read_actions()
            rows = self.catalog.undo()
            if rows is None:
                return None
            followed = self._follow(self._own_rows(rows), self.catalog.redo, before)
            self._unlearned = max(0, self._unlearned - followed.labelled)
            return say_undone(followed)

    def redo(self) -> str | None:
        """Record the last undone step again; returns words, or None if there is none."""
        with self._turn:
            before = self.new_copies.read_actions()
            rows = self.catalog.redo()
            if rows is None:
                return None
            followed = self._follow(self._own_rows(rows), self.catalog.undo, before)
            self._unlearned += followed.labelled
            return say_redone(followed)

    def _own_rows(self, rows: list[EditRow]) -> list[EditRow]:
        self._own.update(row.id for row in rows)
        if self._edited is not None:
            self._edited.update(row.photo for row in rows)
        return rows

    def look(self) -> object:
        """Return what differs once another process has written to the catalog or to the inbox."""
        return self.catalog.version, self._inbox.stamp

    def find_news(self) -> str:
        """Return words of what others edited and visitors reported since the last call; "" for nothing."""
        with self._turn:
            self._mark = self.catalog.follow(self._mark)
            rows = [row for row in self._mark.rows if row.id not in self._own and row.who != SCAN]
            before, self._reported = self._reported, self._list_reported()
        return say_news(rows, len(self._reported - before))

    def _list_reported(self) -> frozenset[int]:
        return frozenset(report.id for report in self._inbox.reports())

    def read_drafts(self) -> list[Waiting]:
        """Return the decisions that an earlier session left waiting."""
        return [
            Waiting(Decision(d.photo, d.action, d.label, d.why), d.name, d.old, d.removed, d.time)
            for d in self.catalog.drafts.read()
        ]

    def keep_drafts(self, waiting: Sequence[Waiting], dropped: Collection[int]) -> None:
        """Keep decisions that wait in the catalog."""
        drafts = [
            Draft(
                photo=one.decision.key, name=one.name, old=one.label, removed=one.removed,
                action=one.decision.action, label=one.decision.label, why=one.decision.why, time=one.time,
            )
            for one in waiting
        ]  # fmt: skip
        self.catalog.drafts.keep(drafts, dropped)

    def _follow(
        self, rows: Sequence[EditRow], revert: Callable[[], object], before: Mapping[str, str] | None = None
    ) -> Followed:
        try:
            followed = self.reports.follow(rows)
        except BaseException:
            revert()
            raise
        # any label may change what new photos are guessed to be
        self._unranked |= bool(rows and len(self.new))
        if before is None:
            return followed
        labelled, turned_away = count_moved(rows, before, self.new_copies.read_actions())
        return replace(followed, labelled=labelled, turned_away=turned_away)

    def export_edits(self) -> bytes:
        """Return the net edits as CSV."""
        return self.catalog.export_edits()

    def retrain(self, progress: Callable[[RefitProgress], object]) -> Refit:
        """Refit the model's head on current labels; what `progress` raises ends it."""
        learned = [row.sha256 for row in ModelBundle.load(self.model, verify=False).read_photos()]
        seen = self._unlearned
        result = refit_head(self.model, self.folder, progress)
        self._stamp = result.stamp
        self._unlearned -= seen
        n = self.new_copies.count_unlearned(learned)
        return replace(result, notes=(*say_learned(result, n), *result.notes)) if n else result

    def use_new(self) -> str:
        """Put the refitted model in the old one's place."""
        use_refit(self.model, self._stamp)
        return Message("The new model answers from now on. The old one is kept among the earlier models.")

    def keep_old(self) -> str:
        """Forget the refitted model."""
        discard_refit(self.model, self._stamp)
        return Message("The old model stays in use.")

    def list_earlier(self) -> list[EarlierModel]:
        """Return the models that were in use before, the last one first."""
        return list_earlier(self.model)

    def use_earlier(self, stamp: str) -> str:
        """Put one of them back into its place."""
        use_earlier(self.model, stamp)
        return Message(
            "The earlier model answers from now on. The one that did before is among the earlier models."
        )

    def _read_vocab(self) -> list[str]:
        try:
            return ModelBundle.load(self.model, verify=False).vocab
        except FastclfError:
            return []


def _leave_waiting_out(notes: Iterable[str]) -> tuple[str, ...]:
    """Leave out how many new photos there were: the queue of them says how many there are."""
    return tuple(note for note in notes if not is_about_waiting(note))


def _make_thumbnail(path: Path) -> bytes:
    return encode_jpeg(make_thumbnail(decode_photo(path).image))


def _list_photos(catalog: Catalog) -> list[tuple[int, str, str]]:
    return [(photo.id, photo.label, photo.sha256) for photo in catalog.photos().photos]
