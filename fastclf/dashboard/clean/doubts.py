"""Reasons to look at a photo, made of what a check found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ...check import CheckReport, Group
from ...errors import Message
from ...photos import TEST
from ..widgets import say_share
from .review import Reason, ReviewItem
from .wording import SPLIT_WORDS

# How doubtful a photo is for the queue, beside doubtful labels, which are ranked by their quality.
_DOUBT = {
    "conflict": 0.95, "unreadable": 0.9, "leak": 0.85, "duplicate": 0.7, "near-duplicate": 0.6, "odd": 0.5,
    "quality": 0.45,
}  # fmt: skip
_QUALITY_WORDS = {
    "dark": Message("dark"), "light": Message("light"), "blurred": Message("blurred"),
    "empty": Message("empty"), "grey": Message("grey"),
    "odd size": Message("odd size"), "odd shape": Message("odd shape"),
}  # fmt: skip


def find_reasons(report: CheckReport, items: dict[str, ReviewItem]) -> dict[str, list[Reason]]:
    """Return the reasons that still hold: of photos that are in, under the labels that were checked."""
    reasons: dict[str, list[Reason]] = defaultdict(list)
    for name, reason in _find_label_reasons(report, items):
        reasons[name].append(reason)
    tables = (
        ("conflict", report.conflicting_labels), ("leak", report.leaks), ("duplicate", report.duplicates),
        ("near-duplicate", report.near_duplicates),
    )  # fmt: skip
    number = 0
    for kind, groups in tables:
        for group in groups:
            number += 1
            for name, reason in _find_group_reasons(kind, group, items, number):
                reasons[name].append(reason)
    for quality in report.low_quality:
        kind = _QUALITY_WORDS.get(quality.kind, quality.kind)
        value, limit = f"{quality.value:.2f}", f"{quality.threshold:.2f}"
        words = Message("{kind} ({value}, limit {limit})", kind=kind, value=value, limit=limit)
        reasons[quality.file].append(Reason("quality", words, _DOUBT["quality"]))
    sealed = {name for name, i in items.items() if i.split == TEST and i.answer is None}
    for odd in report.odd:
        if odd.file in sealed:
            continue
        reasons[odd.file].append(Reason("odd", Message("unlike all the other photos"), _DOUBT["odd"]))
    for file in report.unreadable:
        reasons[file.file].append(Reason("unreadable", file.reason, _DOUBT["unreadable"]))
    return {name: found for name, found in reasons.items() if name in items}


def _find_label_reasons(report: CheckReport, items: dict[str, ReviewItem]) -> Iterable[tuple[str, Reason]]:
    """Return doubtful labels, and labels that the answer differs from."""
    doubtful = {issue.file: issue for issue in report.label_issues}
    for name, item in items.items():
        issue = doubtful.get(name)
        if item.split == TEST and item.answer is None:
            continue  # sealed
        if issue is not None and issue.label == item.label:
            words = Message(
                "more likely {suggested} than {label}", suggested=issue.suggested, label=issue.label
            )
            yield name, Reason("label", words, 1 - issue.label_quality, issue.suggested)
        elif item.answer is not None and item.answer != item.label and issue is None:
            share = item.probability or 0.0
            words = Message("looks like {label}, {share}", label=item.answer, share=say_share(share))
            # below what the check calls doubtful, above what is only a copy
            yield name, Reason("label", words, 0.94 * share, item.answer)


def _find_group_reasons(
    kind: str, group: Group, items: dict[str, ReviewItem], number: int
) -> Iterable[tuple[str, Reason]]:
    here = [name for name in group.files if name in items]
    labels = {items[name].label for name in here}
    if len(here) < 2 or (kind == "conflict" and len(labels) < 2):
        return
    best = group.best if group.best in here else here[0]
    for name in here:
        other = best if name != best else next(n for n in here if n != best)
        words: str = _say_copy(group.tier, other)
        if kind == "conflict":
            label = items[other].label
            words = Message("{copy}, which is labelled {label}", copy=words, label=label)
        elif kind == "leak":
            split = SPLIT_WORDS[items[other].split] if items[other].split else Message("another split")
            words = Message("{copy}, which is in {split}", copy=words, split=split)
        # which label is right is not told by which file is larger
        is_best = name == best and len(labels) == 1
        yield name, Reason(kind, words, _DOUBT[kind], None, number, is_best)


def _say_copy(tier: str, name: str) -> Message:
    if tier == "bytes":
        return Message("the same file as {name}", name=name)
    if tier == "pixels":
        return Message("the same picture as {name}", name=name)
    if tier == "aligned":
        return Message("nearly the same picture as {name}", name=name)
    return Message("cut from the same picture as {name}", name=name)
