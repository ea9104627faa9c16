"""What applying, undoing and redoing did, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...catalog import EditRow
from ..texts import Phrase, join_phrases, phrase, phrase_count


def count_rows(rows: Sequence[EditRow]) -> list[Phrase]:
    """Return what rows do, counted: "2 relabelled", "1 removed"."""
    actions = Counter(row.action for row in rows)
    relabelled, removed, restored = actions["relabel"], actions["remove"], actions["restore"]
    counts = (
        (relabelled, phrase_count(relabelled, "1 relabelled", "{n} relabelled")),
        (removed, phrase_count(removed, "1 removed", "{n} removed")),
        (restored, phrase_count(restored, "1 restored", "{n} restored")),
    )
    return [words for n, words in counts if n]


def say_applied(rows: Sequence[EditRow], added: int = 0, dismissed: int = 0) -> Phrase:
    """Return words about a step that was stored.

    Parameters
    ----------
    rows
        What was recorded about photos that were there before.
    added
        How many reported photos were added to the set.
    dismissed
        How many reports were dismissed.
    """
    done = count_rows(rows)
    if added:
        done.append(phrase_count(added, "1 added", "{n} added"))
    if dismissed:
        done.append(phrase_count(dismissed, "1 dismissed", "{n} dismissed"))
    done = done or [phrase("nothing changed")]
    safety = phrase_count(
        added,
        "1 file was added, and no other was changed.",
        "{n} files were added, and no other was changed.",
    )
    return phrase(
        "Applied: {changes}. {files}",
        changes=join_phrases(done, ", "),
        files=safety if added else phrase("No file was changed."),
    )


def say_undone(rows: Sequence[EditRow]) -> Phrase:
    """Return words that name photos, since the step may be an earlier day's or another person's."""
    return phrase("Undone: {changes}.", changes=_say_rows(rows))


def say_redone(rows: Sequence[EditRow]) -> Phrase:
    """Return words about a step that was taken again."""
    return phrase("Done again: {changes}.", changes=_say_rows(rows))


def _say_rows(rows: Sequence[EditRow]) -> Phrase:
    changes = join_phrases(count_rows(rows) or [phrase("nothing changed")], ", ")
    names = sorted({row.path for row in rows})
    if not names:
        return changes
    which = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    return phrase("{changes} ({names})", changes=changes, names=which)


def say_reopened(rows: Sequence[EditRow] | None, taken: int, dismissed: int, lost: int = 0) -> Phrase:
    """Return words about a step that was taken back, and the reports that wait again.

    Parameters
    ----------
    rows
        What the catalog recorded; None where the step was about reports alone.
    taken
        How many reports wait again that had been taken.
    dismissed
        How many wait again that had been dismissed.
    lost
        How many cannot wait again.
    """
    words = [] if rows is None else [say_undone(rows)]
    if taken:
        words.append(
            phrase_count(
                taken,
                "1 report waits again; the file that was added for it stays, out of the set.",
                "{n} reports wait again; the files that were added for them stay, out of the set.",
            )
        )
    if dismissed:
        words.append(
            phrase_count(dismissed, "1 dismissed report waits again.", "{n} dismissed reports wait again.")
        )
    if lost:
        words.append(
            phrase_count(
                lost,
                "1 report is no longer in the inbox, so it does not wait again.",
                "{n} reports are no longer in the inbox, so they do not wait again.",
            )
        )
    return join_phrases(words)


def say_settled(rows: Sequence[EditRow] | None, taken: int, dismissed: int) -> Phrase:
    """Return words about a step that was taken again, and the reports that it settled."""
    words = [] if rows is None else [say_redone(rows)]
    if taken:
        words.append(phrase_count(taken, "1 report is taken again.", "{n} reports are taken again."))
    if dismissed:
        words.append(
            phrase_count(dismissed, "1 report is dismissed again.", "{n} reports are dismissed again.")
        )
    return join_phrases(words)
