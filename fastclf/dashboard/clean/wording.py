"""The cleaner's words, as phrases; nothing here is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...issues import list_kinds
from ..texts import Phrase, join_phrases, phrase, phrase_count
from .review import Decision, ReviewItem

VIEW_WORDS: dict[str, str] = {
    "doubts": phrase("All doubts"),
    "report": phrase("Reported by visitors"),
    **{kind.key: kind.title for kind in list_kinds() if kind.badge},
    "all": phrase("All photos"),
    "removed": phrase("Removed photos"),
}
KIND_WORDS: dict[str, str] = {
    "report": phrase("Reported"),
    "copy": phrase("Already there"),
    **{kind.key: kind.badge for kind in list_kinds() if kind.badge},
}
SPLIT_WORDS = {
    "train": phrase("training"),
    "valid": phrase("validation"),
    "test": phrase("test (sealed)"),
    "": phrase("no split"),
}


@dataclass(frozen=True)
class Change:
    """One photo of a preview: what it is and what it will be."""

    key: int
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Preview:
    """What applying the pending choices will change.

    Attributes
    ----------
    words
        Counts, as a sentence.
    changes
        One for each photo and report.
    added
        How many new files there will be.
    """

    words: str
    changes: tuple[Change, ...]
    added: int = 0


def count_photos(n: int) -> Phrase:
    """Return "1 photo" or "7 photos".

    Examples
    --------
    >>> count_photos(1), count_photos(12000)
    ('1 photo', '12,000 photos')
    """
    return phrase_count(n, "1 photo", "{n} photos")


def say_share(probability: float) -> Phrase:
    """Return a probability as whole per cent; neither 0 nor 100 unless it is exactly that.

    Examples
    --------
    >>> say_share(0.9996), say_share(0.61)
    ('over 99 %', '61 %')
    """
    if 0.995 <= probability < 1:
        return phrase("over 99 %")
    if 0 < probability < 0.005:
        return phrase("under 1 %")
    return phrase("{share} %", share=f"{probability * 100:.0f}")


def say_answer(item: ReviewItem) -> Phrase:
    """Return what the model says of a photo; "" where nothing is known."""
    if item.answer is None:
        is_sealed = item.split == "test"
        return (
            phrase("The answer is kept secret until the test set is opened")
            if is_sealed
            else join_phrases([])
        )
    answer = item.answer
    if item.probability is not None:
        answer = phrase("{label}, {share}", label=item.answer, share=say_share(item.probability))
    if item.report:
        return phrase("The model answered {answer}", answer=answer)
    return phrase("Looks like {answer}", answer=answer)


def say_fate(item: ReviewItem, decision: Decision) -> Phrase:
    """Return what will become of a photo or a report."""
    if decision.action == "relabel":
        if item.report:
            return phrase("will be added to {label}", label=decision.label)
        return phrase("will become {label}", label=decision.label)
    if item.report:
        return phrase("will be dismissed")
    return phrase("will be removed") if decision.action == "remove" else phrase("will come back")


def say_step(action: str, label: str | None, items: Sequence[ReviewItem]) -> Phrase:
    """Return a sentence about one action on one photo or on many."""
    photos = [item for item in items if not item.report]
    reports = [item for item in items if item.report]
    return join_phrases([_say_part(action, label, part) for part in (photos, reports) if part])


def _say_part(action: str, label: str | None, items: Sequence[ReviewItem]) -> Phrase:
    n, [first, *_] = len(items), items
    who: str = first.name
    if n > 1:
        who = count_reports(n) if first.report else count_photos(n)
    if action in ("relabel", "remove", "restore"):
        return phrase("{who} {fate}.", who=who, fate=say_fate(first, Decision(0, action, label)))
    if action == "skip":
        return phrase_count(
            n,
            "{who} stays as before and leaves the list.",
            "{who} stay as before and leave the list.",
            who=who,
        )
    return phrase_count(n, "{who} stays as before.", "{who} stay as before.", who=who)


def count_reports(n: int) -> Phrase:
    """Return "1 report" or "7 reports"."""
    return phrase_count(n, "1 report", "{n} reports")


def say_kept(losers: int, groups: int, left: int) -> Phrase:
    """Return a sentence about groups of copies of which the best is kept."""
    if not groups and not left:
        return phrase("There are no groups of copies here.")
    words = [
        phrase(
            "{photos} will be removed; the best of {groups} is kept.",
            photos=count_photos(losers),
            groups=count_groups(groups),
        )
    ]
    if left:
        words.append(
            phrase_count(
                left,
                "{groups} was left alone: no copy to keep is named.",
                "{groups} were left alone: no copy to keep is named.",
                groups=count_groups(left),
            )
        )
    return join_phrases(words)


def count_groups(n: int) -> Phrase:
    """Return "1 group" or "7 groups"."""
    return phrase_count(n, "1 group", "{n} groups")


def build_preview(pairs: Sequence[tuple[ReviewItem, Decision]]) -> Preview:
    """Return counts in words and the list of what will change."""
    changes = tuple(
        Change(item.key, item.name, _say_before(item), _say_after(item, decision)) for item, decision in pairs
    )
    taken = Counter(str(d.label) for item, d in pairs if item.report and d.action == "relabel")
    parts = _count_changes([decision for item, decision in pairs if not item.report])
    parts += [
        phrase_count(
            n, "1 photo will be added to {label}", "{n} photos will be added to {label}", label=label
        )
        for label, n in sorted(taken.items())
    ]
    dismissed = sum(item.report and decision.action == "remove" for item, decision in pairs)
    if dismissed:
        parts.append(phrase_count(dismissed, "1 report will be dismissed", "{n} reports will be dismissed"))
    words = (
        phrase("{changes}.", changes=join_phrases(parts, "; ")) if parts else phrase("Nothing will change.")
    )
    return Preview(words, changes, taken.total())


def _count_changes(decisions: Sequence[Decision]) -> list[Phrase]:
    """Return what becomes of photos of the set, counted."""
    actions = Counter(decision.action for decision in decisions)
    to = Counter(str(decision.label) for decision in decisions if decision.action == "relabel")
    parts = []
    if n := actions["relabel"]:
        named = [phrase("{n} to {label}", n=k, label=label) for label, k in sorted(to.items())]
        parts.append(
            phrase_count(
                n,
                "1 photo will get another label ({labels})",
                "{n} photos will get another label ({labels})",
                labels=join_phrases(named, ", "),
            )
        )
    if n := actions["remove"]:
        parts.append(phrase_count(n, "1 photo will be removed", "{n} photos will be removed"))
    if n := actions["restore"]:
        parts.append(phrase_count(n, "1 photo will come back", "{n} photos will come back"))
    return parts


def _say_before(item: ReviewItem) -> str:
    if item.report:
        return phrase("reported by a visitor")
    return phrase("removed") if item.removed else item.label


def _say_after(item: ReviewItem, decision: Decision) -> str:
    if decision.action == "relabel":
        return str(decision.label)
    if item.report:
        return phrase("dismissed")
    return phrase("removed") if decision.action == "remove" else item.label
