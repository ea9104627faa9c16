"""What will change, and the edits to take along, as HTML; everything is escaped here."""

from __future__ import annotations

import base64
from html import escape

from ..texts import say, say_count, show, translate
from .wording import Preview

MOST_ROWS = 500


def render_preview(preview: Preview) -> str:
    """Return what will change as HTML: counts in words and a row a photo."""
    rows = "".join(
        f"<tr>{_render_name(c.name)}{_render_cell(c.before)}{_render_cell(c.after)}</tr>"
        for c in preview.changes[:MOST_ROWS]
    )
    left = len(preview.changes) - MOST_ROWS
    more = f"<p>{escape(say('... and {n} more.', n=left))}</p>" if left > 0 else ""
    title, words = escape(say("What will change")), escape(translate(preview.words))
    heads = "".join(f'<th scope="col">{escape(h)}</th>' for h in (say("Photo"), say("Now"), say("After")))
    return (
        f'<h3>{title}</h3><p role="status">{words} {escape(_say_safety(preview))}</p>'
        f'<div class="fastclf-clean-rows" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}</div>"
    )


def _say_safety(preview: Preview) -> str:
    if not preview.added:
        return say("No file is touched, and it can be undone.")
    return say_count(
        preview.added,
        "1 file is added, and no other is touched. It can be undone; the added file then stays in its "
        "folder, out of the set.",
        "{n} files are added, and no other is touched. It can be undone; the added files then stay in their "
        "folders, out of the set.",
    )


def _render_name(name: str) -> str:
    return f'<td class="fastclf-file" dir="auto">{escape(name)}</td>'


def _render_cell(value: str) -> str:
    return f"<td><bdi>{escape(show(value))}</bdi></td>"


def render_download(edits: bytes) -> str:
    """Return a link that saves the edits, without a request to the server."""
    data = base64.b64encode(edits).decode("ascii")
    return (
        '<a class="fastclf-link-button" download="edits.csv" '
        f'href="data:text/csv;charset=utf-8;base64,{data}">{escape(say("Download the edits"))}</a>'
    )
