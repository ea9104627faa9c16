"""Visitors' reports among the photos to review: taken into the set, dismissed, and back again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...catalog import Arrival, Copy, Edit, EditRow, describe_arrival
from ...errors import FastclfError, UsageProblem
from ...inbox import Inbox, Report, find_inbox
from ...photos import decode_photo, encode_jpeg, make_thumbnail
from ...system import hash_bytes
from ..texts import phrase
from .added_files import Origin, add_photos, find_origin, take_back_files
from .review import Decision, Reason, ReviewItem, ReviewStore
from .steps import say_applied, say_reopened, say_settled
from .store import CatalogDesk

_logger = logging.getLogger(__name__)

# a person has said that the answer is wrong: above what any check says
_DOUBT = 0.98


def build_store(desk: CatalogDesk) -> ReviewStore:
    """Return what the Clean panel works on: the desk, with the visitors' reports where there is an inbox.

    An inbox that cannot be read is said in the desk's note; the photos can be cleaned without it.
    """
    try:
        inbox = find_inbox()
        if inbox is None:
            return desk
        inbox.reports()
        return ReportStore(desk, inbox)
    except FastclfError as e:
        _logger.warning("The visitors' reports are left out. %s", e)
        desk.remark = e.message
        return desk


@dataclass(frozen=True)
class _Step:
    """A step of this session: the photos that the catalog recorded, and the reports that were dismissed."""

    photos: frozenset[int]
    dismissed: tuple[int, ...] = ()


class ReportStore:
    """A ReviewStore over a desk and an inbox.

    A report's key is negative. To take it, its photo is added to a class folder as a new file; that is a
    part of the catalog's step, so the catalog's undo takes the photo out of the set again.

    Parameters
    ----------
    desk
        Keeps the photos.
    inbox
        Keeps the reports.
    """

    def __init__(self, desk: CatalogDesk, inbox: Inbox) -> None:
        self.desk, self.inbox = desk, inbox
        self.vocab: list[str] = list(desk.vocab)
        self.has_inbox = True
        self._reports: dict[int, Report] = {}
        self._arrivals: dict[int, Arrival | None] = {}
        self._past: list[_Step] = []
        self._future: list[_Step] = []

    def load_items(self) -> list[ReviewItem]:
        """Return the desk's photos and the reports that wait."""
        items = self.desk.load_items()
        self.vocab = self.desk.vocab
        reports = self.inbox.reports()
        self._reports = {-report.id: report for report in reports}
        copies = self._find_copies(reports)
        return [*items, *(self._build_item(k, r, copies.get(k)) for k, r in self._reports.items())]

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return the JPEG of a photo or of a report, or None."""
        report = self._reports.get(key)
        if report is None:
            return self.desk.read_thumbnail(key)
        photo = decode_photo(self.inbox.read_photo(report.id), report.name)
        return encode_jpeg(make_thumbnail(photo.image))

    def apply(self, decisions: Sequence[Decision]) -> str:
        """Record decisions about photos and reports as one step, all or none; returns words."""
        own = [d for d in decisions if d.key in self._reports]
        edits = [Edit(d.key, d.action, d.label, d.why) for d in decisions if d.key >= 0]
        if len(own) + len(edits) < len(decisions) or not self._do_wait(own):
            raise UsageProblem(
                "A report was settled elsewhere meanwhile. Reload the page; nothing was changed."
            )
        taken = [d for d in own if d.action == "relabel"]
        dismissed = [self._reports[d.key].id for d in own if d.action == "remove"]
        rows = self._record(edits, taken, dismissed)
        self._past.append(_Step(frozenset(row.photo for row in rows), tuple(dismissed)))
        self._future.clear()
        others = [row for row in rows if not (row.action == "restore" and find_origin(row))]
        return say_applied(others, len(taken), len(dismissed))

    def undo(self) -> str | None:
        """Take the last step back; a report that it settled waits again, the file that it added stays."""
        step = self._past[-1] if self._past else None
        rows = None if step and not step.photos else self.desk.catalog.undo()
        if rows is None and (step is None or step.photos):
            return None
        step = self._move(self._past, self._future, rows)
        origins = _find_origins(rows, "remove")
        taken = [origin.report for origin in origins if self._keeps(origin.report, origin.digest)]
        dismissed = [report for report in step.dismissed if self._keeps(report)]
        lost = len(origins) + len(step.dismissed) - len(taken) - len(dismissed)
        try:
            self.inbox.reopen([*taken, *dismissed])
        except BaseException:
            self._move(self._future, self._past, rows)
            if rows is not None:
                self.desk.catalog.redo()
            raise
        return say_reopened(rows, len(taken), len(dismissed), lost)

    def redo(self) -> str | None:
        """Take the last undone step again."""
        step = self._future[-1] if self._future else None
        if step is None and self._past and not self._past[-1].photos:
            return None  # a dismissal came after what the catalog could do again
        rows = None if step and not step.photos else self.desk.catalog.redo()
        if rows is None and (step is None or step.photos):
            return None
        step = self._move(self._future, self._past, rows)
        origins = _find_origins(rows, "restore")
        taken = [origin.report for origin in origins if self._keeps(origin.report, origin.digest)]
        try:
            self._settle(taken, step.dismissed)
        except BaseException:
            self._move(self._past, self._future, rows)
            if rows is not None:
                self.desk.catalog.undo()
            raise
        return say_settled(rows, len(taken), len(step.dismissed))

    def export_edits(self) -> bytes:
        """Return the net edits of the photos as CSV."""
        return self.desk.export_edits()

    def _record(
        self, edits: Sequence[Edit], taken: Sequence[Decision], dismissed: Sequence[int]
    ) -> list[EditRow]:
        """Add files, record the step and settle the reports; on a fault nothing of that stays."""
        catalog = self.desk.catalog
        photos = [(self._reports[d.key], str(d.label)) for d in taken]
        added = add_photos(
            self.desk.folder, [(r.id, self.inbox.read_photo(r.id), label) for r, label in photos]
        )
        try:
            if added:
                catalog.scan()
            held = catalog.arrivals.hold(
                [file.name for file in added], "reported by a visitor; not taken yet"
            )
            let_in = [
                edit
                for file, d in zip(added, taken, strict=True)
                for edit in (
                    Edit(held[file.name], "relabel", d.label, d.why),
                    Edit(held[file.name], "restore", None, d.why),
                )
            ]
            rows = catalog.apply([*edits, *let_in])
            try:
                self._settle([report.id for report, _ in photos], dismissed)
            except BaseException:
                if rows:
                    catalog.undo()
                raise
        except BaseException:
            take_back_files(catalog, added)
            raise
        return rows

    def _settle(self, taken: Sequence[int], dismissed: Sequence[int]) -> None:
        """Settle reports, all or none."""
        if taken:
            self.inbox.settle(taken, "taken")
        try:
            if dismissed:
                self.inbox.settle(dismissed, "dismissed")
        except BaseException:
            self.inbox.reopen(taken)
            raise

    def _move(self, source: list[_Step], target: list[_Step], rows: Sequence[EditRow] | None) -> _Step:
        """Move the step that the rows belong to; one that was not made here is new."""
        photos = frozenset(row.photo for row in rows or ())
        is_own = bool(source) and (rows is None or photos <= source[-1].photos)
        step = source.pop() if is_own else _Step(photos)
        target.append(step)
        return step

    def _keeps(self, report: int, digest: str = "") -> bool:
        """Tell whether the inbox still has a report's photo; its file was maybe added from another inbox."""
        try:
            return hash_bytes(self.inbox.read_photo(report)).startswith(digest)
        except FastclfError:
            return False

    def _do_wait(self, decisions: Sequence[Decision]) -> bool:
        waiting = {report.id for report in self.inbox.reports()} if decisions else set()
        return all(self._reports[d.key].id in waiting for d in decisions)

    def _find_copies(self, reports: Sequence[Report]) -> dict[int, Copy]:
        for report in reports:
            if report.id not in self._arrivals:
                self._arrivals[report.id] = self._describe(report)
        known = [(-r.id, a) for r in reports if (a := self._arrivals[r.id]) is not None]
        copies = self.desk.catalog.arrivals.find_copies([arrival for _, arrival in known])
        return {key: copy for (key, _), copy in zip(known, copies, strict=True) if copy is not None}

    def _describe(self, report: Report) -> Arrival | None:
        try:
            return describe_arrival(self.inbox.read_photo(report.id), report.name)
        except FastclfError:
            return None  # its tile says so

    def _build_item(self, key: int, report: Report, copy: Copy | None) -> ReviewItem:
        claim = report.label if report.label in self.vocab else None
        if report.label is None:
            words = phrase("a visitor says: none of these")
        else:
            words = phrase("a visitor says: {label}", label=report.label)
        reasons = [Reason("report", words, _DOUBT, claim)]
        if copy is not None:
            words = phrase(
                "the same picture as {name}, which is in the set as {label}", name=copy.name, label=copy.label
            )
            reasons.append(Reason("copy", words, 0.0))
        return ReviewItem(
            key, Path(report.name), report.name, "", "", False, report.answer, report.probability,
            tuple(reasons), True, report.time[:10],
        )  # fmt: skip


def _find_origins(rows: Sequence[EditRow] | None, action: str) -> list[Origin]:
    """Return the reports whose photos the catalog took out, or let in."""
    return [origin for row in rows or () if row.action == action and (origin := find_origin(row))]
