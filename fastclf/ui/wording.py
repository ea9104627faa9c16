"""The cleaner's words; nothing here is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .review import Decision, ReviewItem

VIEW_WORDS = {
    "doubts": "All doubts",
    "label": "Label doubts",
    "conflict": "Same photo, two labels",
    "duplicate": "Exact copies",
    "near-duplicate": "Near copies",
    "quality": "Poor quality",
    "odd": "Odd photos",
    "unreadable": "Unreadable files",
    "leak": "Copies across the split",
    "all": "All photos",
    "removed": "Removed photos",
}
KIND_WORDS = {
    "label": "Label?",
    "conflict": "Two labels",
    "duplicate": "Exact copy",
    "near-duplicate": "Near copy",
    "quality": "Quality",
    "odd": "Odd",
    "unreadable": "Unreadable",
    "leak": "Across the split",
}
SPLIT_WORDS = {"train": "training", "valid": "validation", "test": "test (sealed)", "": "no split"}


@dataclass(frozen=True)
class Change:
    """One photo of a preview: what it is and what it will be."""

    key: int
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Preview:
    """What applying the pending choices will change."""

    words: str
    changes: tuple[Change, ...]


def count_photos(n: int) -> str:
    """Return "1 photo" or "7 photos".

    Examples
    --------
    >>> count_photos(1), count_photos(12000)
    ('1 photo', '12,000 photos')
    """
    return f"{n:,} photo{'' if n == 1 else 's'}"


def say_fate(decision: Decision) -> str:
    """Return what will become of a photo."""
    if decision.action == "relabel":
        return f"will become {decision.label}"
    return "will be removed" if decision.action == "remove" else "will come back"


def say_step(action: str, label: str | None, items: Sequence[ReviewItem]) -> str:
    """Return a sentence about one action on one photo or on many."""
    who = items[0].name if len(items) == 1 else count_photos(len(items))
    if action in ("relabel", "remove", "restore"):
        return f"{who} {say_fate(Decision(0, action, label))}."
    if action == "skip":
        return f"{who} {'stays' if len(items) == 1 else 'stay'} as before and {_leaves(items)} the list."
    return f"{who} {'stays' if len(items) == 1 else 'stay'} as before."


def say_kept(losers: int, groups: int, left: int) -> str:
    """Return a sentence about groups of copies of which the best is kept."""
    words = f"{count_photos(losers)} will be removed; the best of {_count_groups(groups)} is kept."
    if left:
        words += (
            f" {_count_groups(left)} {'was' if left == 1 else 'were'} left alone: no copy to keep is named."
        )
    return words if groups or left else "There are no groups of copies here."


def build_preview(pairs: Sequence[tuple[ReviewItem, Decision]]) -> Preview:
    """Return counts in words and the list of what will change."""
    changes = tuple(
        Change(item.key, item.name, "removed" if item.removed else item.label, _after(item, decision))
        for item, decision in pairs
    )
    actions = Counter(decision.action for _, decision in pairs)
    to = Counter(decision.label for _, decision in pairs if decision.action == "relabel")
    parts = []
    if actions["relabel"]:
        named = ", ".join(f"{n} to {label}" for label, n in sorted(to.items(), key=lambda pair: str(pair[0])))
        one = actions["relabel"] == 1
        parts.append(f"{count_photos(actions['relabel'])} {'gets' if one else 'get'} another label ({named})")
    if actions["remove"]:
        one = actions["remove"] == 1
        parts.append(f"{count_photos(actions['remove'])} {'is' if one else 'are'} removed")
    if actions["restore"]:
        one = actions["restore"] == 1
        parts.append(f"{count_photos(actions['restore'])} {'comes' if one else 'come'} back")
    return Preview("; ".join(parts) + "." if parts else "Nothing will change.", changes)


def _after(item: ReviewItem, decision: Decision) -> str:
    if decision.action == "relabel":
        return decision.label or ""
    return "removed" if decision.action == "remove" else item.label


def _count_groups(n: int) -> str:
    return f"{n:,} group{'' if n == 1 else 's'}"


def _leaves(items: Sequence[ReviewItem]) -> str:
    return "leaves" if len(items) == 1 else "leave"
