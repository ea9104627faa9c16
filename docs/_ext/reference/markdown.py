"""Texts of the code as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SIGNS = re.compile(r"([\\*_<>\[\]|#{}~$])")


def escape(text: str) -> str:
    """Return plain text as Markdown; what stands between backquotes stays code."""
    parts = " ".join(text.split()).split("`")
    return "`".join(part if i % 2 else _SIGNS.sub(r"\\\1", part) for i, part in enumerate(parts))


def code(text: str) -> str:
    """Return a text as inline code that a table may hold."""
    return f"`{text}`".replace("|", "\\|")


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def write_terms(terms: Sequence[tuple[str, str]]) -> str:
    """Return a list of terms, each with what it means."""
    return "\n".join(f"{term}\n: {meaning}\n" for term, meaning in terms)
