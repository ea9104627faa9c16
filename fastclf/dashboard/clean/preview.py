"""What applying the waiting choices will change: counted in words, listed, and as HTML, escaped here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ...errors import Message, count_message, join_messages
from ..texts import say, say_count, show, translate
from ..widgets import render_paragraph
from .review import Decision, ReviewItem
from .wording import without_zeros

MOST_ROWS = 500


@dataclass(frozen=True)
class Change:
    """One photo or report of a preview: what it is and what it will be."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Preview:
    """What applying the waiting choices will change."""

    words: Message  # counts, as a sentence
    changes: tuple[Change, ...]  # one for each photo and report
    added: int  # how many new files there will be


def build_preview(pairs: Sequence[tuple[ReviewItem, Decision]]) -> Preview:
    """Return counts in words and the list of what will change."""
    taken = Counter(str(d.label) for item, d in pairs if item.report and d.action == "relabel")
    added = [
        count_message(
            n, "1 photo will be added to {label}", "{n} photos will be added to {label}", label=label
        )
        for label, n in sorted(taken.items())
    ]
    n = sum(item.report and decision.action == "remove" for item, decision in pairs)
    dismissed = count_message(n, "1 report will be dismissed", "{n} reports will be dismissed")
    parts = [
        *_count_photos([decision for item, decision in pairs if not item.report]),
        *added,
        *without_zeros(dismissed),
    ]
    counts = Message("{changes}.", changes=join_messages(parts, "; "))
    return Preview(
        words=counts if parts else Message("Nothing will change."),
        changes=tuple(Change(item.name, _say_before(item), _say_after(item, d)) for item, d in pairs),
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


def _say_before(item: ReviewItem) -> str:
    if item.report:
        return Message("reported by a visitor")
    return Message("removed") if item.removed else item.label


def _say_after(item: ReviewItem, decision: Decision) -> str:
    if decision.action == "relabel":
        return str(decision.label)
    if item.report:
        return Message("dismissed")
    return Message("removed") if decision.action == "remove" else item.label


def render_preview(preview: Preview) -> str:
    """Return what will change as HTML: counts in words and a row a photo."""
    rows = "".join(map(_render_change, preview.changes[:MOST_ROWS]))
    left = len(preview.changes) - MOST_ROWS
    more = render_paragraph(say("... and {n} more.", n=left)) if left > 0 else ""
    title, words = escape(say("What will change")), escape(translate(preview.words))
    heads = "".join(f'<th scope="col">{escape(h)}</th>' for h in (say("Photo"), say("Now"), say("After")))
    return (
        f'<h3>{title}</h3><p role="status">{words} {escape(_say_safety(preview.added))}</p>'
        f'<div class="fastclf-clean-rows" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}</div>"
    )


def _say_safety(added: int) -> str:
    if not added:
        return say("No file is touched, and it can be undone.")
    return say_count(
        added,
        "1 file is added, and no other is touched. It can be undone; the added file then stays in its "
        "folder, out of the set.",
        "{n} files are added, and no other is touched. It can be undone; the added files then stay in their "
        "folders, out of the set.",
    )


def _render_change(change: Change) -> str:
    before, after = (f"<td><bdi>{escape(show(value))}</bdi></td>" for value in (change.before, change.after))
    return f'<tr><td class="fastclf-file" dir="auto">{escape(change.name)}</td>{before}{after}</tr>'
