"""The card as one HTML file: styles and charts inside, no script, no photo, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Any

from .blocks import Block, Chart, Confusion, Items, Section, Table, Text
from .sections import build_origin, build_sections, build_title


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
    """Return a section; charts that follow each other stand side by side where there is room."""
    parts: list[str] = []
    charts: list[str] = []
    for block in section.blocks:
        if isinstance(block, Chart):
            charts.append(_render_block(block))
            continue
        parts += _join_charts(charts)
        charts = []
        parts.append(_render_block(block))
    parts += _join_charts(charts)
    return f"<section><h2>{escape(section.title)}</h2>{''.join(parts)}</section>\n"


def _join_charts(charts: Sequence[str]) -> list[str]:
    return [f'<div class="charts">{"".join(charts)}</div>'] if charts else []


def _render_block(block: Block) -> str:
    match block:
        case Text():
            return f"<p>{escape(block.text)}</p>"
        case Items():
            return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in block.items)}</ul>"
        case Table():
            return _render_table(block)
        case Confusion():
            return _render_confusion(block)
        case Chart():
            return f"<figure>{block.svg}<figcaption>{escape(block.title)}</figcaption></figure>"


def _render_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in table.rows)
    return _wrap(table.title, f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>", "")


def _render_confusion(block: Confusion) -> str:
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in block.vocab)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{_render_counts(block.vocab, i, counts)}</tr>'
        for i, (name, counts) in enumerate(zip(block.vocab, block.matrix, strict=True))
    )
    body = (
        f'<thead><tr><th scope="col" class="corner">is / called</th>{head}</tr></thead><tbody>{rows}</tbody>'
    )
    return _wrap(block.title, body, "confusion")


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
        f'<div class="frame" role="region" aria-label="{name}" tabindex="0">'
        f'<table class="{kind}"><caption>{name}</caption>{rows}</table></div>'
    )
