"""What applying the waiting choices will change: counted in words, and listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import Message, count_message, join_messages
from ..texts import say, say_count
from .review import NEW, REPORT, Decision, ReviewItem
from .waiting import Basis
from .wording import without_zeros


@dataclass(frozen=True)
class Change:
    """One photo or report of a preview: what it is and what it will be."""

    key: int
    name: str
    before: str
    after: str
    doubt: str = ""  # what somebody else did meanwhile: it is not applied before that is confirmed


@dataclass(frozen=True)
class Preview:
    """What applying the waiting choices will change."""

    words: Message  # counts, as a sentence
    changes: tuple[Change, ...]  # one for each photo and report
    added: int  # how many new files there will be


def build_preview(
    chosen: Sequence[tuple[ReviewItem, Decision]], conflicts: Mapping[int, Basis] = MappingProxyType({})
) -> Preview:
    """Return counts in words and the list of what will change; what is in conflict first, and not counted."""
    pairs = [(item, decision) for item, decision in chosen if item.key not in conflicts]
    taken = Counter(str(d.label) for item, d in pairs if item.outside and d.action == "relabel")
    away = Counter(item.outside for item, decision in pairs if decision.action == "remove")
    photos = [decision for item, decision in pairs if not item.outside]
    parts = [*_count_photos(photos), *_count_outside(taken, away)]
    counts = Message("{changes}.", changes=join_messages(parts, "; "))
    return Preview(
        words=counts if parts else Message("Nothing will change."),
        changes=tuple(
            Change(item.key, item.name, _say_before(item), _say_after(item, d), _say_doubt(item, conflicts))
            for item, d in sorted(chosen, key=lambda pair: pair[0].key not in conflicts)
        ),
        added=taken.total(),
    )


def _count_photos(decisions: Sequence[Decision]) -> list[Message]:
    """Return what becomes of photos of the set, counted."""
    actions = Counter(decision.action for decision in decisions)
    to = Counter(str(decision.label) for decision in decisions if decision.action == "relabel")
    named = [Message("{n} to {label}", n=n, label=label) for label, n in sorted(to.items())]
    relabelled = count_message(
        actions["relabel"],
        "1 photo will get another label ({labels})",
        "{n} photos will get another label ({labels})",
        labels=join_messages(named, ", "),
    )
    removed = count_message(actions["remove"], "1 photo will be removed", "{n} photos will be removed")
    restored = count_message(actions["restore"], "1 photo will come back", "{n} photos will come back")
    return without_zeros(relabelled, removed, restored)


def _count_outside(taken: Counter[str], away: Counter[str]) -> list[Message]:
    """Return what becomes of photos outside the set: how many join each class, and are dismissed."""
    added = [
        count_message(
            n, "1 photo will be added to {label}", "{n} photos will be added to {label}", label=label
        )
        for label, n in sorted(taken.items())
    ]
    reports = count_message(away[REPORT], "1 report will be dismissed", "{n} reports will be dismissed")
    new = count_message(away[NEW], "1 new photo will be dismissed", "{n} new photos will be dismissed")
    return [*added, *without_zeros(reports, new)]


def _say_before(item: ReviewItem) -> str:
    if item.outside:
        return Message("reported by a visitor") if item.outside == REPORT else Message("without a label")
    return Message("removed") if item.removed else item.label


def _say_after(item: ReviewItem, decision: Decision) -> str:
    if decision.action == "relabel":
        return str(decision.label)
    if item.outside:
        return Message("dismissed")
    return Message("removed") if decision.action == "remove" else item.label


def _say_doubt(item: ReviewItem, conflicts: Mapping[int, Basis]) -> str:
    if item.key not in conflicts:
        return ""
    basis = conflicts[item.key]
    if basis.removed != item.removed:
        out = Message("was in the set, somebody removed it meanwhile")
        return out if item.removed else Message("was removed, somebody restored it meanwhile")
    return Message("was {old}, somebody made it {new} meanwhile", old=basis.label, new=item.label)


def say_safety(added: int) -> str:
    """Say what becomes of files, in the page's language."""
    if not added:
        return say("No file is touched, and it can be undone.")
    return say_count(
        added,
        "1 file is added, and no other is touched. It can be undone; the added file then stays in its "
        "folder, out of the set.",
        "{n} files are added, and no other is touched. It can be undone; the added files then stay in their "
        "folders, out of the set.",
    )
