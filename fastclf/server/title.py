"""The title of a model, for what is shown before any of it is loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path


def find_title(model: Path) -> str:
    """Return ``FASTCLF_TITLE``, or the title of the model in a folder; empty if there is neither.

    The title alone is read here: what checks a bundle would take a second to import.
    """
    if title := os.environ.get("FASTCLF_TITLE"):
        return title
    try:
        return str(json.loads((model / "bundle.json").read_text(encoding="utf-8")).get("title") or "")
    except (OSError, ValueError, AttributeError):
        return ""
