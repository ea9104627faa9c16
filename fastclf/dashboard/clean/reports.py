"""Visitors' reports among the photos to review: held photos that a step of the catalog lets in or turns away.

A report that is taken becomes a file in its class's folder, which the catalog holds out of the set until the
step lets it in; one that is dismissed is turned away without a file. So there is one way back, the
catalog's, and the inbox follows it: what a standing step decided is settled, the rest waits.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ...catalog import Arrival, Catalog, Copy, Edit, EditRow, Held, describe_arrival
from ...errors import FastclfError, Message, UsageError
from ...inbox import Inbox, Report
from ...photos import decode_photo, encode_jpeg, make_thumbnail
from ...system import unify_name
from ..widgets import encode_large
from .added_files import Addition, hold_files
from .review import REPORT, Decision, Reason, ReviewItem

# a person has said that the answer is wrong: above what any check says
_DOUBT = 0.98
_OUTCOMES = {"restore": "taken", "remove": "dismissed"}
_NAME = re.compile(r"(?:^|/)reported-(?P<report>\d+)-(?P<digest>[0-9a-f]{16})(?:-\d+)?\.jpg$")
_HELD = "reported by a visitor; not taken yet"


class Origin(NamedTuple):
    """The report that a photo came from: its number, and the beginning of the hash of its bytes."""

    report: int
    digest: str

    @property
    def file_name(self) -> str:
        """What a file for that report is called, so that the report is found again."""
        return f"reported-{self.report}-{self.digest}.jpg"


@dataclass(frozen=True)
class Followed:
    """A step's rows about files, how many reports moved with it, and how many the inbox no longer has.

    `labelled` and `turned_away` photos without a label moved, too.
    """

    rows: tuple[EditRow, ...]
    taken: int = 0
    dismissed: int = 0
    lost: int = 0
    labelled: int = 0
    turned_away: int = 0


class Reports:
    """What visitors reported, as photos to review; a report's key is negative."""

    def __init__(self, catalog: Catalog, inbox: Inbox) -> None:
        self._catalog, self._inbox = catalog, inbox
        self._waiting: dict[int, Report] = {}
        self._arrivals: dict[int, Arrival | None] = {}

    def load_items(self, vocab: Collection[str]) -> list[ReviewItem]:
        """Return the reports that wait."""
        self._waiting = self._read_waiting()
        copies = self._find_copies()
        return [_build_item(key, one, vocab, copies.get(key)) for key, one in self._waiting.items()]

    def read_thumbnail(self, key: int) -> bytes | None:
        """Return a report's JPEG, or None."""
        report = self._waiting.get(key)
        if report is None:
            return None
        photo = decode_photo(self._inbox.read_photo(report.id), report.name)
        return encode_jpeg(make_thumbnail(photo.image))

    def read_large(self, key: int) -> bytes | None:
        """Return a report's photo large, or None."""
        report = self._waiting.get(key)
        return None if report is None else encode_large(self._inbox.read_photo(report.id), report.name)

    @contextlib.contextmanager
    def adopt(self, decisions: Sequence[Decision]) -> Iterator[list[Edit]]:
        """Hold the photos of reports and give the edits that decide about them; on a fault no file stays."""
        if not {d.key for d in decisions} <= self._waiting.keys() & self._read_waiting().keys():
            raise UsageError(
                "A report was settled elsewhere meanwhile. Reload the page; nothing was changed."
            )
        taken = [d for d in decisions if d.action == "relabel"]
        with hold_files(self._catalog, [self._describe_file(d) for d in taken], _HELD) as numbers:
            edits = self._dismiss([d for d in decisions if d.action == "remove"])
            for photo, d in zip(numbers, taken, strict=True):
                edits += [Edit(photo, "relabel", d.label, d.why), Edit(photo, "restore", None, d.why)]
            yield edits

    def follow(self, rows: Sequence[EditRow]) -> Followed:
        """Settle the reports that the step of these rows decided, or let those wait that it gave back."""
        files = tuple(row for row in rows if "/" in row.path)
        has_file = {origin: "/" in row.path for row in rows if (origin := find_origin(row.path))}
        if not has_file:
            return Followed(files)
        moved, lost = self._settle(has_file)
        taken = sum(has_file[origin] for origin in moved)
        return Followed(files, taken, len(moved) - taken, len(lost))

    def recover(self) -> None:
        """Mend what a kill between files, catalog and inbox has left."""
        waiting = {_get_origin(report) for report in self._read_waiting().values()}
        stray = [
            photo.name
            for photo, origin in self._find_held()
            if photo.in_set and not photo.action and origin in waiting
        ]
        if stray:
            self._catalog.arrivals.hold(stray, _HELD)
        self._settle()

    def _settle(self, asked: Iterable[Origin] | None = None) -> tuple[list[Origin], list[Origin]]:
        """Bring the inbox to what the standing steps say; returns the reports that moved, and the lost."""
        decided: dict[Origin, str] = {}
        for photo, origin in self._find_held():
            decided[origin] = _OUTCOMES.get(photo.action) or decided.get(origin, "")
        asked = decided if asked is None else asked
        here = {Origin(id, sha[:16]): state for id, (sha, state) in self._inbox.read_states().items()}
        settled = {o: decided[o] for o in asked if here.get(o) == "waiting" and decided[o]}
        reopened = [o for o in asked if here.get(o, "waiting") != "waiting" and not decided[o]]
        if settled:
            self._inbox.settle({origin.report: outcome for origin, outcome in settled.items()})
        if reopened:
            self._inbox.reopen([origin.report for origin in reopened])
        return [*settled, *reopened], [o for o in asked if o not in here and not decided[o]]

    def _find_held(self) -> list[tuple[Held, Origin]]:
        found = self._catalog.arrivals.find_held("reported-")
        return [(photo, origin) for photo in found if (origin := find_origin(photo.name))]

    def _read_waiting(self) -> dict[int, Report]:
        return {-report.id: report for report in self._inbox.reports()}

    def _dismiss(self, decisions: Sequence[Decision]) -> list[Edit]:
        reports = [self._waiting[d.key] for d in decisions]
        numbers = self._catalog.arrivals.register({_get_origin(r).file_name: r.sha256 for r in reports})
        return [
            Edit(number, "remove", None, d.why) for number, d in zip(numbers.values(), decisions, strict=True)
        ]

    def _describe_file(self, decision: Decision) -> Addition:
        report = self._waiting[decision.key]
        return Addition(
            decision.label, _get_origin(report).file_name, lambda: self._inbox.read_photo(report.id)
        )

    def _find_copies(self) -> dict[int, Copy]:
        for key, report in self._waiting.items():
            if key not in self._arrivals:
                self._arrivals[key] = self._describe(report)
        known = [(key, found) for key in self._waiting if (found := self._arrivals[key]) is not None]
        copies = self._catalog.arrivals.find_copies([arrival for _, arrival in known])
        return {key: copy for (key, _), copy in zip(known, copies, strict=True) if copy is not None}

    def _describe(self, report: Report) -> Arrival | None:
        try:
            return describe_arrival(self._inbox.read_photo(report.id), report.name)
        except FastclfError:
            return None  # its tile says so


def find_origin(path: str) -> Origin | None:
    """Return the report that a photo was added for, or None."""
    match = _NAME.search(path)
    return Origin(int(match["report"]), match["digest"]) if match else None


def _get_origin(report: Report) -> Origin:
    return Origin(report.id, report.sha256[:16])


def _build_item(key: int, report: Report, vocab: Collection[str], copy: Copy | None) -> ReviewItem:
    label = None if report.label is None else unify_name(report.label)
    claim = label if label in vocab else None
    if report.label is None:
        words = Message("a visitor says: none of these")
    else:
        words = Message("a visitor says: {label}", label=report.label)
    reasons = [Reason(REPORT, words, _DOUBT, claim), *([describe_copy(copy)] if copy else [])]
    return ReviewItem(
        key=key, fn=Path(report.name), name=report.name, label="", answer=report.answer,
        probability=report.probability, reasons=tuple(reasons), outside=REPORT, noted=report.time[:10],
    )  # fmt: skip


def describe_copy(copy: Copy) -> Reason:
    """Return that the same picture is in the set already."""
    words = Message(
        "the same picture as {name}, which is in the set as {label}", name=copy.name, label=copy.label
    )
    return Reason("copy", words, 0.0)
