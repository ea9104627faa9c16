"""Reasons to look at a photo, made of what a check found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ...check import CheckReport
from ...errors import Message
from ...issues import Finding, IssueKind, Today, list_kinds
from ...photos import TEST
from ..widgets import say_share
from .review import Reason, ReviewItem

_MOST_REMARKS = 3


def find_reasons(report: CheckReport, items: Mapping[str, ReviewItem]) -> dict[str, list[Reason]]:
    """Return the reasons that still hold: of photos that are in, under the labels that were checked."""
    reasons: dict[str, list[Reason]] = defaultdict(list)
    for name, reason in _find_answer_reasons(report, items):
        reasons[name].append(reason)
    today = {name: (item.label, item.split) for name, item in items.items()}
    sealed = {name for name, item in items.items() if item.split == TEST and item.answer is None}
    number = 0
    for kind in list_kinds():
        for finding in report.findings.get(kind.key, ()):
            number += 1
            for name, reason in _find_photo_reasons(kind, finding, today, number):
                # a sealed photo's answer and features are kept secret
                if not (kind.needs_open and name in sealed):
                    reasons[name].append(reason)
    return dict(reasons)


def list_remarks(report: CheckReport) -> list[str]:
    """Return what was found about whole classes, the worst first."""
    rows = [finding for found in report.findings.values() for finding in found if not finding.files]
    return [finding.words for finding in rows[:_MOST_REMARKS]]


def _find_answer_reasons(
    report: CheckReport, items: Mapping[str, ReviewItem]
) -> Iterator[tuple[str, Reason]]:
    """Yield the labels that the answer differs from, where the check does not doubt them."""
    doubtful = {finding.files[0] for finding in report.findings.get("label", ())}
    for name, item in items.items():
        if item.answer is not None and item.answer != item.label and name not in doubtful:
            share = item.probability or 0.0
            words = Message("looks like {label}, {share}", label=item.answer, share=say_share(share))
            # below what the check calls doubtful, above what is only a copy
            yield name, Reason("label", words, 0.94 * share, item.answer)


def _find_photo_reasons(
    kind: IssueKind, finding: Finding, today: Today, number: int
) -> Iterator[tuple[str, Reason]]:
    """Yield what a finding says of each of its photos today."""
    here = [name for name in finding.files if name in today]
    group = number if len(finding.files) > 1 else None
    # which label is right is not told by which file is larger
    best = here[0] if group and len({today[name][0] for name in here}) == 1 else None
    for name in here:
        words = kind.describe(finding, name, today)
        if words is not None:
            yield (
                name,
                Reason(
                    kind=kind.key,
                    text=words,
                    doubt=finding.score,
                    suggested=finding.suggested,
                    group=group,
                    best=name == best,
                ),
            )
