"""The card as one HTML file: styles and charts inside, no script, no photo, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from itertools import groupby
from typing import Any

from .blocks import Block, Chart, Confusion, Items, Section, Table, Text
from .sections import build_origin, build_sections, build_title

_NUMBER = re.compile(r"[\d–][\d.]*( %| of \d+)?( UTC)?")


def build_card_html(manifest: dict[str, Any]) -> str:
    """Return the model card as a self-contained HTML page; every name and title is escaped.

    Parameters
    ----------
    manifest
        Of the bundle; what it lacks, the card calls unknown.
    """
    style = (resources.files("fastclf.card") / "card.css").read_text(encoding="utf-8")
    title = escape(build_title(manifest))
    body = "".join(_render_section(section) for section in build_sections(manifest))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}: model card</title><style>{style}</style></head>\n<body><main>"
        f'<h1>{title}</h1><p class="origin">{escape(build_origin(manifest))}</p>\n{body}'
        "</main></body></html>\n"
    )


def _render_section(section: Section) -> str:
    """Return a section; charts that follow each other stand side by side where there is room, tables too."""
    parts = []
    for kind, blocks in groupby(section.blocks, _name_row):
        rendered = "".join(_render_block(block) for block in blocks)
        parts.append(f'<div class="{kind}">{rendered}</div>' if kind else rendered)
    return f"<section><h2>{_text(section.title)}</h2>{''.join(parts)}</section>\n"


def _name_row(block: Block) -> str:
    return "charts" if isinstance(block, Chart) else "" if isinstance(block, Text | Items) else "tables"


def _text(text: str) -> str:
    """Escape a text; a number and its sign stay on one line."""
    return escape(text).replace(" %", "&nbsp;%").replace(" = ", "&nbsp;=&nbsp;")


def _render_block(block: Block) -> str:
    match block:
        case Text():
            return f"<p>{_text(block.text)}</p>"
        case Items():
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"
        case Table():
            return _render_table(block)
        case Confusion():
            return _render_confusion(block)
        case Chart():
            return f"<figure>{block.svg}<figcaption>{_text(block.title)}</figcaption></figure>"


def _render_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.header)
    rows = "".join(f"<tr>{''.join(map(_render_cell, row))}</tr>" for row in table.rows)
    return _wrap(table.title, f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>", "")


def _render_cell(text: str) -> str:
    kind = ' class="number"' if _NUMBER.fullmatch(text) else ""
    return f"<td{kind}>{_text(text)}</td>"


def _render_confusion(block: Confusion) -> str:
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in block.vocab)
    rows = "".join(
        f'<tr><th scope="row" title="{escape(name)}"><span>{escape(name)}</span></th>'
        f"{_render_counts(block.vocab, i, counts)}</tr>"
        for i, (name, counts) in enumerate(zip(block.vocab, block.matrix, strict=True))
    )
    body = (
        f'<thead><tr><th scope="col" class="corner">is / called</th>{head}</tr></thead><tbody>{rows}</tbody>'
    )
    short = all(len(name) <= 3 for name in block.vocab)
    return _wrap(block.title, body, "confusion" if short else "confusion turned")


def _render_counts(vocab: Sequence[str], row: int, counts: Sequence[int]) -> str:
    total = max(sum(counts), 1)
    cells = []
    for column, n in enumerate(counts):
        kind = "right" if column == row else "wrong"
        words = escape(f"{n} of {total} photos of {vocab[row]} were called {vocab[column]}", quote=True)
        shade = f' class="{kind}" style="--share:{round(100 * n / total)}%"' if n else ""
        cells.append(f'<td{shade} title="{words}">{n or "·"}</td>')
    return "".join(cells)


def _wrap(title: str, rows: str, kind: str) -> str:
    # the frame scrolls by itself where the page is narrow, and the keyboard can reach it
    name = escape(title, quote=True)
    return (
        f'<div class="table"><p class="caption">{_text(title)}</p>'
        f'<div class="frame" role="region" aria-label="{name}" tabindex="0">'
        f'<table class="{kind}" aria-label="{name}">{rows}</table></div></div>'
    )
