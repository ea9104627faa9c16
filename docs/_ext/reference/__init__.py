"""The reference: a block `{generated} WHAT` of a page becomes Markdown that is read from the code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import api, commands, messages, names, settings

_WRITERS: dict[str, Callable[[list[str]], str]] = {
    "commands": commands.write_commands,
    "settings": settings.write_settings,
    "messages": messages.write_messages,
    "api": api.write_addresses,
    "names": names.write_names,
    "results": names.write_names,
}
_BLOCK = re.compile(r"^```\{generated\} (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_blocks(text: str, what: str) -> list[list[str]]:
    """Return the words of each block of a kind in a page."""
    return [found[2].split() for found in _BLOCK.finditer(text) if found[1] == what]


def expand(text: str) -> str:
    """Return a page's text with its blocks filled."""
    return _BLOCK.sub(lambda found: _WRITERS[found[1]](found[2].split()), text)


def find_pages(docs: Path) -> list[Path]:
    """Return the pages that are written in Markdown."""
    return sorted(p for p in docs.rglob("*.md") if not p.relative_to(docs).parts[0].startswith("_"))


def setup(app: Any) -> dict[str, bool]:
    """Let Sphinx fill the blocks when it reads a page."""

    def fill(app: Any, page: str, source: list[str]) -> None:
        source[0] = expand(source[0])

    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
