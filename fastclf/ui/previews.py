"""What will change, and the edits to take along, as HTML; everything is escaped here."""

from __future__ import annotations

import base64
from html import escape

from .wording import Preview

MOST_ROWS = 500


def render_preview(preview: Preview) -> str:
    """Return what will change as HTML: counts in words and a row a photo."""
    rows = "".join(
        f"<tr><td>{escape(c.name)}</td><td>{escape(c.before)}</td><td>{escape(c.after)}</td></tr>"
        for c in preview.changes[:MOST_ROWS]
    )
    left = len(preview.changes) - MOST_ROWS
    more = f"<p>... and {left:,} more.</p>" if left > 0 else ""
    return (
        f'<h3>What will change</h3><p role="status">{escape(preview.words)} '
        "No file is touched, and it can be undone.</p>"
        '<div class="fastclf-clean-rows" tabindex="0" role="region" aria-label="What will change">'
        '<table><thead><tr><th scope="col">Photo</th><th scope="col">is</th><th scope="col">becomes</th></tr>'
        f"</thead><tbody>{rows}</tbody></table>{more}</div>"
    )


def render_download(edits: bytes) -> str:
    """Return a link that saves the edits, without a request to the server."""
    data = base64.b64encode(edits).decode("ascii")
    return (
        '<a class="fastclf-link-button" download="edits.csv" '
        f'href="data:text/csv;charset=utf-8;base64,{data}">Download the edits</a>'
    )
