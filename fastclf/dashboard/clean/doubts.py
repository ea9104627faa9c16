"""Reasons to look at a photo, made of what a check found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from ...check import CheckReport
from ...errors import Message
from ...issues import Finding, IssueKind, Today, list_kinds
from ...photos import TEST
from ..widgets import say_share
from .review import Reason, ReviewItem

_MOST_REMARKS = 3


class Doubts:
    """What a check found, by photo.

    The reasons are those that still hold: of photos that are in, under the labels that were checked.
    """

    def __init__(self, report: CheckReport) -> None:
        self._of: dict[str, list[tuple[int, IssueKind, Finding]]] = defaultdict(list)
        self._doubtful = {finding.files[0] for finding in report.findings.get("label", ())}
        self._now: dict[int, _Now] = {}
        number = 0
        for kind in list_kinds():
            for finding in report.findings.get(kind.key, ()):
                number += 1
                for name in finding.files:
                    self._of[name].append((number, kind, finding))

    def list_related(self, names: Iterable[str]) -> set[str]:
        """Return photos and all that something was found about together with them."""
        found = set(names)
        together = {number: finding for name in found for number, _, finding in self._of.get(name, ())}
        return found.union(*(finding.files for finding in together.values()))

    def find_reasons(
        self, names: Iterable[str], items: Mapping[str, ReviewItem]
    ) -> dict[str, tuple[Reason, ...]]:
        """Return the reasons to look at some photos, of {name: item} of all that are in."""
        # of each finding once, however many photos it is about
        self._now = {}
        there = (items[name] for name in names if name in items)
        found = {i.name: tuple(self._list_reasons(i, items)) for i in there if self._may_doubt(i)}
        return {name: reasons for name, reasons in found.items() if reasons}

    def _may_doubt(self, item: ReviewItem) -> bool:
        return item.name in self._of or (item.answer is not None and item.answer != item.label)

    def _list_reasons(self, item: ReviewItem, items: Mapping[str, ReviewItem]) -> Iterator[Reason]:
        if item.answer is not None and item.answer != item.label and item.name not in self._doubtful:
            share = item.probability or 0.0
            words = Message("looks like {label}, {share}", label=item.answer, share=say_share(share))
            # below what the check calls doubtful, above what is only a copy
            yield Reason("label", words, 0.94 * share, item.answer)
        is_sealed = item.split == TEST and item.answer is None
        for number, kind, finding in self._of.get(item.name, ()):
            # a sealed photo's answer and features are kept secret
            if kind.needs_open and is_sealed:
                continue
            now = self._now.get(number) or self._now.setdefault(number, _Now.of(finding, items))
            said = kind.describe(finding, item.name, now.today)
            if said is not None:
                group = number if len(finding.files) > 1 else None
                yield Reason(
                    kind=kind.key, text=said, doubt=finding.score, suggested=finding.suggested, group=group,
                    best=item.name == now.best,
                )  # fmt: skip


def list_remarks(report: CheckReport) -> list[str]:
    """Return what was found about whole classes, the worst first."""
    rows = [finding for found in report.findings.values() for finding in found if not finding.files]
    return [finding.words for finding in rows[:_MOST_REMARKS]]


@dataclass(frozen=True)
class _Now:
    """What a finding is about today: its photos that are in, and the one to keep, if one is named."""

    today: Today
    best: str | None

    @classmethod
    def of(cls, finding: Finding, items: Mapping[str, ReviewItem]) -> Self:
        """Look at the photos of a finding."""
        today = {file: (items[file].label, items[file].split) for file in finding.files if file in items}
        # which label is right is not told by which file is larger
        is_one = len({label for label, _ in today.values()}) == 1
        return cls(today, next(iter(today)) if is_one and len(finding.files) > 1 else None)
