"""The About tab as it stands on a page without a kernel."""

from __future__ import annotations

from typing import Any

from ..widgets import logged
from .confusion import build_table
from .model import find_confusion
from .words import ABOVE, BELOW, attempt


def write_about(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what the tab says in the page's language, as JSON.

    ``above`` and ``below`` the confusion matrix stand parts in HTML; ``table`` is the matrix, or None.
    """
    table = None
    with logged("the confusion matrix could not be read"):
        table = find_confusion(manifest)
    return {
        "above": [attempt(render, manifest, table) for render in ABOVE],
        "below": [attempt(render, manifest, table) for render in BELOW],
        "table": None if table is None else build_table(table),
    }
