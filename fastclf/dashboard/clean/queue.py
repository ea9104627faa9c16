"""Which photos are shown, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ...system import unify_name
from .review import KINDS, NEW, Reason, ReviewItem

DOUBTS, ALL, REMOVED = "doubts", "all", "removed"
VIEWS = (DOUBTS, *KINDS, ALL, REMOVED)

# what many take at once has to be more certain than what is looked at one by one; chosen by hand, not tuned
SURE = 0.95

GroupId = tuple[str, int]
Rank = Callable[[ReviewItem], tuple[object, ...]]


@dataclass(frozen=True)
class Filter:
    """What to show."""

    view: str = DOUBTS
    label: str = ""  # "" for all
    split: str = ""  # "" for all
    show_removed: bool = False  # whether removed photos stand among the others
    part: str = ""  # of the name, whatever its case; "" for all

    def accepts(self, item: ReviewItem) -> bool:
        """Tell whether class, split and removal let a photo through; the view is not asked."""
        if self.label and self.label not in item.classes:
            return False
        if self.split and item.split != self.split:
            return False
        if self.part and self.part not in unify_name(item.name).casefold():
            return False
        return not item.removed or self.show_removed or self.view == REMOVED


@dataclass(frozen=True)
class Shortlist:
    """Photos that stand in place of the list, until somebody goes back to it."""

    words: str  # what they are
    keys: tuple[int, ...]
    group: GroupId | None = None  # the copies that they are, else None


def rank_by_doubt(item: ReviewItem) -> tuple[object, ...]:
    """Return a sort key: most doubtful first, ties by name."""
    return (-item.doubt, item.name)


def find_queue(ranked: Iterable[ReviewItem], wanted: Filter) -> list[ReviewItem]:
    """Return the photos to look at, in rank order."""
    found = [item for item in ranked if _in_view(item, wanted.view) and wanted.accepts(item)]
    return _sort_kind(found, wanted.view) if wanted.view in KINDS else found


def count_views(items: Iterable[ReviewItem], wanted: Filter) -> dict[str, int]:
    """Return {view: number of photos} for the class and the split of `wanted`."""
    counts = Counter(dict.fromkeys(VIEWS, 0))
    hidden = replace(wanted, view=wanted.view if wanted.view != REMOVED else ALL, show_removed=False)
    removed = replace(wanted, view=REMOVED, show_removed=False)
    for item in items:
        if item.removed and removed.accepts(item):
            counts[REMOVED] += 1
        if not (hidden.accepts(item) or (wanted.show_removed and removed.accepts(item))):
            continue
        counts[ALL] += not item.outside
        if item.reasons:
            counts[DOUBTS] += item.outside != NEW
            counts.update({reason.kind for reason in item.reasons})
    return dict(counts)


def is_sure(item: ReviewItem) -> bool:
    """Tell whether the model is sure of another label, and nothing speaks against taking its word.

    What is sealed has no answer.
    """
    if item.removed or item.outside or item.answer in (None, item.label):
        return False
    suggested = any(reason.suggested == item.answer for reason in item.reasons)
    return suggested and (item.probability or 0.0) >= SURE


def build_groups(items: Iterable[ReviewItem]) -> dict[GroupId, tuple[ReviewItem, ...]]:
    """Return {(kind, number): its photos, the copy to keep first}."""
    groups: dict[GroupId, list[tuple[ReviewItem, Reason]]] = {}
    for item in items:
        for reason in item.reasons:
            if reason.group is not None:
                groups.setdefault((reason.kind, reason.group), []).append((item, reason))
    return {
        group: tuple(item for item, _ in sorted(pairs, key=lambda pair: (not pair[1].best, pair[0].name)))
        for group, pairs in groups.items()
    }


def find_best(group: GroupId, members: Sequence[ReviewItem]) -> ReviewItem | None:
    """Return the copy to keep of a group; None where none is named or that one is removed."""
    for item in members:
        if not item.removed and any(r.best and (r.kind, r.group) == group for r in item.reasons):
            return item
    return None


def _in_view(item: ReviewItem, view: str) -> bool:
    if view == ALL:
        return not item.outside  # it is not in the set yet
    if view == REMOVED:
        return item.removed
    if view == DOUBTS:
        # a removed photo that is asked for is shown, whatever is wrong with it
        return item.outside != NEW and (bool(item.reasons) or item.removed)
    return any(reason.kind == view for reason in item.reasons)


def _sort_kind(items: list[ReviewItem], kind: str) -> list[ReviewItem]:
    """Sort by the doubt of one kind, so that the copies of one group stand side by side."""
    reasons = {i.key: max((r for r in i.reasons if r.kind == kind), key=lambda r: r.doubt) for i in items}
    worst: dict[int, float] = {}
    for reason in reasons.values():
        if reason.group is not None:
            worst[reason.group] = max(worst.get(reason.group, 0.0), reason.doubt)

    def sort_key(item: ReviewItem) -> tuple[float, int, bool, str]:
        reason = reasons[item.key]
        if reason.group is None:
            return (-reason.doubt, -1, False, item.name)
        return (-worst[reason.group], reason.group, not reason.best, item.name)

    return sorted(items, key=sort_key)
