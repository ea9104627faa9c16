"""The cleaner's words, as messages; nothing here is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import Message, count_message, join_messages
from ...issues import list_kinds
from ..widgets import say_share
from .review import ACTIONS, NEW, REPORT, SKIP, Decision, ReviewItem

if TYPE_CHECKING:
    from ...catalog import EditRow
    from ...head import Refit
    from .reports import Followed

VIEW_WORDS: dict[str, str] = {
    "doubts": Message("All doubts"),
    REPORT: Message("Reported by visitors"),
    NEW: Message("New photos"),
    **{kind.key: kind.title for kind in list_kinds() if kind.badge},
    "all": Message("All photos"),
    "removed": Message("Removed photos"),
}
KIND_WORDS: dict[str, str] = {
    REPORT: Message("Reported"),
    NEW: Message("New"),
    "copy": Message("Already there"),
    **{kind.key: kind.badge for kind in list_kinds() if kind.badge},
}
SPLIT_WORDS = {
    "train": Message("training"),
    "valid": Message("validation"),
    "test": Message("test (sealed)"),
    "": Message("no split"),
}

_MOST_LEFT = 3
_RANKINGS = {
    "model": Message("Ranked by the model's doubt."),
    "network": Message("Ranked by the doubt of a network that does not know these classes."),
    "plain": Message("Ranked by colours and shapes alone, which is often wrong."),
    "": Message("Copies and poor photos come first; no label is judged yet."),
}


def count_photos(n: int) -> Message:
    """Return "1 photo" or "7 photos".

    Examples
    --------
    >>> count_photos(1), count_photos(12000)
    ('1 photo', '12,000 photos')
    """
    return count_message(n, "1 photo", "{n} photos")


def count_kind(outside: str, n: int) -> Message:
    """Return "7 photos", or what else they are: reports, or photos without a label."""
    if outside == REPORT:
        return count_message(n, "1 report", "{n} reports")
    return count_message(n, "1 new photo", "{n} new photos") if outside == NEW else count_photos(n)


def count_groups(n: int) -> Message:
    """Return "1 group" or "7 groups"."""
    return count_message(n, "1 group", "{n} groups")


def say_group(kind: str, n: int) -> Message:
    """Return what an open group of copies is."""
    return Message("{kind}: {photos} side by side.", kind=KIND_WORDS.get(kind, kind), photos=count_photos(n))


def say_answer(item: ReviewItem) -> Message:
    """Return what the model says of a photo; "" where nothing is known."""
    if item.answer is None:
        is_sealed = item.split == "test"
        sealed = Message("The answer is kept secret until the test set is opened")
        return sealed if is_sealed else join_messages([])
    answer = item.answer
    if item.probability is not None:
        answer = Message("{label}, {share}", label=item.answer, share=say_share(item.probability))
    if item.outside:
        return Message("The model answered {answer}", answer=answer)
    return Message("Looks like {answer}", answer=answer)


def say_outcome(item: ReviewItem, decision: Decision) -> Message:
    """Return what will become of a photo, also of one outside the set."""
    if decision.action == SKIP:
        return Message("stays as it is")
    if decision.action == "relabel":
        if item.outside:
            return Message("will be added to {label}", label=decision.label)
        return Message("will become {label}", label=decision.label)
    if item.outside:
        return Message("will be dismissed")
    return Message("will be removed") if decision.action == "remove" else Message("will come back")


def say_choice(action: str, label: str | None, items: Sequence[ReviewItem]) -> Message:
    """Return a sentence about one choice for one photo or for many."""
    parts = ([item for item in items if item.outside == kind] for kind in ("", REPORT, NEW))
    return join_messages([_say_part(action, label, part) for part in parts if part])


def _say_part(action: str, label: str | None, items: Sequence[ReviewItem]) -> Message:
    n, [first, *_] = len(items), items
    who: str = first.name
    if n > 1:
        who = count_kind(first.outside, n)
    if action in ACTIONS:
        return Message("{who} {outcome}.", who=who, outcome=say_outcome(first, Decision(0, action, label)))
    if action == SKIP:
        return count_message(
            n,
            "{who} stays as before and leaves the list.",
            "{who} stay as before and leave the list.",
            who=who,
        )
    return count_message(n, "{who} stays as before.", "{who} stay as before.", who=who)


def say_ranking(by: str, sealed: int) -> Message:
    """Return what the list's order follows, and how many photos are left out.

    `by` names whose doubt it is: "model", "network" for one that knows nothing of these labels, "plain" for a
    descriptor; "" where no label was judged yet.
    """
    left = count_message(sealed, "1 test photo is left out.", "{n} test photos are left out.")
    return join_messages([_RANKINGS[by], *without_zeros(left)])


def say_choices(pairs: Sequence[tuple[ReviewItem, Decision]]) -> Message:
    """Return a sentence about choices that were made at once."""
    [(_, first), *_] = pairs
    if all((d.action, d.label) == (first.action, first.label) for _, d in pairs):
        return say_choice(first.action, first.label, [item for item, _ in pairs])
    return count_message(len(pairs), "1 change.", "{n} changes.")


def say_left(n: int) -> list[Message]:
    """Return a sentence about choices that are not applied before they are confirmed; nothing for none."""
    return without_zeros(
        count_message(
            n,
            "1 choice is about a photo that was changed meanwhile: confirm it in What will change.",
            "{n} choices are about photos that were changed meanwhile: confirm them in What will change.",
        )
    )


def say_news(rows: Sequence[EditRow], reports: int) -> Message:
    """Return words of what others did: their edits, and how many reports came; "" for nothing."""
    words = without_zeros(count_message(reports, "1 new report came in.", "{n} new reports came in."))
    if rows:
        words.insert(0, Message("Somebody else changed photos: {changes}.", changes=_say_rows(rows)))
    return join_messages(words)


def say_learned(result: Refit, labels: int) -> list[Message]:
    """Return what labels of new photos brought, on validation photos that neither model learned from."""
    words = count_message(
        labels,
        "After 1 label of a new photo: {before} → {after} right on the same {valid} validation photos.",
        "After {n} labels of new photos: {before} → {after} right on the same {valid} validation photos.",
        before=_say_percent(result.before),
        after=_say_percent(result.after),
        valid=result.n,
    )
    change = result.difference
    is_open = change.difference and not (change.is_better or change.is_worse)
    return [words, *([Message("A difference like this may be chance.")] if is_open else [])]


def _say_percent(share: float) -> Message:
    return Message("{share} %", share=f"{share * 100:.1f}")


def say_kept(losers: int, groups: int, left: int) -> Message:
    """Return a sentence about groups of copies of which the best is kept."""
    if not groups and not left:
        return Message("There are no groups of copies here.")
    kept = Message(
        "{photos} will be removed; the best of {groups} is kept.",
        photos=count_photos(losers),
        groups=count_groups(groups),
    )
    alone = count_message(
        left,
        "{groups} was left alone: no copy to keep is named.",
        "{groups} were left alone: no copy to keep is named.",
        groups=count_groups(left),
    )
    return join_messages([kept, *without_zeros(alone)])


def say_copy_kept(name: str, losers: int) -> Message:
    """Return a sentence about a copy that was chosen among others."""
    photos = count_photos(losers)
    return Message("{name} is kept; {photos} will be removed.", name=name, photos=photos)


def say_missing(n: int) -> list[Message]:
    """Return a sentence about photos that were asked for and are not here; nothing for none."""
    return without_zeros(
        count_message(n, "1 photo is no longer in the folder.", "{n} photos are no longer in the folder.")
    )


def say_applied(
    rows: Sequence[EditRow], added: int, dismissed: int, left: Sequence[tuple[str, str]] = ()
) -> Message:
    """Return words about a step that was stored.

    Takes rows about photos of the set, counts of what came from outside, and (name, reason) of what did not.
    """
    counts = _count_rows(rows) + without_zeros(
        count_message(added, "1 added", "{n} added"),
        count_message(dismissed, "1 dismissed", "{n} dismissed"),
    )
    files = count_message(
        added,
        "1 file was added, and no other was changed.",
        "{n} files were added, and no other was changed.",
    )
    done = Message(
        "Applied: {changes}. {files}",
        changes=join_messages(counts or [Message("nothing changed")], ", "),
        files=files if added else Message("No file was changed."),
    )
    lost = [Message("Left out: {name} {reason}.", name=name, reason=reason) for name, reason in left]
    more = count_message(len(lost) - _MOST_LEFT, "1 more was left out.", "{n} more were left out.")
    return join_messages([done, *lost[:_MOST_LEFT], *([more] if len(lost) > _MOST_LEFT else [])])


def say_undone(followed: Followed) -> Message:
    """Return words about a step that was taken back, and about the reports that wait again."""
    words = without_zeros(
        count_message(
            followed.taken,
            "1 report waits again; the file that was added for it stays, out of the set.",
            "{n} reports wait again; the files that were added for them stay, out of the set.",
        ),
        count_message(
            followed.dismissed, "1 dismissed report waits again.", "{n} dismissed reports wait again."
        ),
        count_message(
            followed.lost,
            "1 report is no longer in the inbox, so it does not wait again.",
            "{n} reports are no longer in the inbox, so they do not wait again.",
        ),
        *_say_new_again(followed),
    )
    if followed.rows or not words:
        words.insert(0, Message("Undone: {changes}.", changes=_say_rows(followed.rows)))
    return join_messages(words)


def _say_new_again(followed: Followed) -> list[Message]:
    """Return words about photos without a label that wait for one again."""
    labelled = count_message(
        followed.labelled,
        "1 new photo waits for a label again; its copy stays, out of the set.",
        "{n} new photos wait for a label again; their copies stay, out of the set.",
    )
    away = count_message(
        followed.turned_away, "1 dismissed photo is new again.", "{n} dismissed photos are new again."
    )
    return [labelled, away]


def say_redone(followed: Followed) -> Message:
    """Return words about a step that was taken again, and about the reports that it settled."""
    words = without_zeros(
        count_message(followed.taken, "1 report is taken again.", "{n} reports are taken again."),
        count_message(followed.dismissed, "1 report is dismissed again.", "{n} reports are dismissed again."),
        count_message(
            followed.turned_away, "1 new photo is dismissed again.", "{n} new photos are dismissed again."
        ),
    )
    if followed.rows or not words:
        words.insert(0, Message("Done again: {changes}.", changes=_say_rows(followed.rows)))
    return join_messages(words)


def without_zeros(*counts: Message) -> list[Message]:
    """Return the counting messages that count anything."""
    return [words for words in counts if words.fields["n"]]


def _count_rows(rows: Sequence[EditRow]) -> list[Message]:
    """Return what rows do, counted: "2 relabelled", "1 removed"."""
    actions = Counter(row.action for row in rows)
    return without_zeros(
        count_message(actions["relabel"], "1 relabelled", "{n} relabelled"),
        count_message(actions["remove"], "1 removed", "{n} removed"),
        count_message(actions["restore"], "1 restored", "{n} restored"),
    )


def _say_rows(rows: Sequence[EditRow]) -> Message:
    """Return what rows do, with names, since the step may be an earlier day's or another person's."""
    counts = join_messages(_count_rows(rows) or [Message("nothing changed")], ", ")
    names = sorted({row.path for row in rows})
    if not names:
        return counts
    which = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    return Message("{changes} ({names})", changes=counts, names=which)
