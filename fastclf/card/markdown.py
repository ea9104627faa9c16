"""The card as Markdown; whatever comes from outside is text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .blocks import Block, Chart, Confusion, Items, Section, Table, Text, clean
from .sections import build_origin, build_sections, build_title

_ACTIVE = re.compile(r"([\\`*_\[\]<>|~&$])")
_AT_START = re.compile(r"^(\d*)([#+=.)-])(?=[ #+=-]|$)")
_MOST_CLASSES = 15


def build_card_markdown(manifest: dict[str, Any]) -> str:
    """Return the model card as Markdown (GitHub's).

    Parameters
    ----------
    manifest
        Of the bundle; what it lacks, the card calls unknown.
    """
    parts = [f"# {escape_markdown(build_title(manifest))}", escape_markdown(build_origin(manifest))]
    for section in build_sections(manifest):
        parts += _render_section(section)
    return "\n\n".join(parts) + "\n"


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is: no link, no HTML, no emphasis, no line of its own.

    Examples
    --------
    >>> escape_markdown("[a](http://b) <i>")
    '\\\\[a\\\\](http:\\\\//b) \\\\<i\\\\>'
    """
    text = _ACTIVE.sub(r"\\\1", clean(text))
    text = text.replace("://", ":\\//").replace("www.", "www\\.")
    return _AT_START.sub(r"\1\\\2", text)


def _render_section(section: Section) -> list[str]:
    rendered = (_render_block(block) for block in section.blocks)
    return [f"## {escape_markdown(section.title)}", *(text for text in rendered if text)]


def _render_block(block: Block) -> str:
    match block:
        case Text():
            return escape_markdown(block.text)
        case Items():
            return "\n".join(f"- {escape_markdown(item)}" for item in block.items)
        case Table():
            return _render_table(block.title, block.header, block.rows)
        case Confusion() if len(block.vocab) <= _MOST_CLASSES:
            rows = [[name, *map(str, counts)] for name, counts in zip(block.vocab, block.matrix, strict=True)]
            return _render_table(block.title, ["is / called", *block.vocab], rows)
        case Confusion() | Chart():
            return ""


def _render_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = [" | ".join(_cell(cell, i) for cell in line) for i, line in enumerate(lines)]
    return f"**{escape_markdown(title)}**\n\n" + "\n".join(f"| {line} |" for line in cells)


def _cell(text: str, line: int) -> str:
    return text if line == 1 else escape_markdown(text)
