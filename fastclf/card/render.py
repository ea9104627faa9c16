"""The card as HTML and as Markdown; whatever comes from outside is text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from itertools import groupby
from typing import Any

from ..errors import Message
from .blocks import Block, Chart, Confusion, Items, Say, Section, Table, Text, clean, moment
from .facts import describe_data, describe_licences, describe_purpose, describe_refits, describe_training
from .failures import describe_failures
from .judged import describe_quality, describe_sureness
from .learning import describe_learning

_NUMBER = re.compile(r"[\d–][\d.,\u202f]*( %| of \d+)?( UTC)?")
# What Markdown would take for more than text.
_ACTIVE = re.compile(r"([\\`*_\[\]<>|~&$])")
_AT_START = re.compile(r"^(\d*)([#+=.)-])(?=[ #+=-]|$)")
_MOST_CLASSES = 15


def build_card_html(manifest: dict[str, Any]) -> str:
    """Return the model card as a self-contained HTML page; every name and title is escaped.

    It holds its styles and charts, and no script, no photo, nothing from elsewhere.

    Parameters
    ----------
    manifest
        Of the bundle; what it lacks, the card calls unknown.
    """
    style = (resources.files("fastclf.card") / "card.css").read_text(encoding="utf-8")
    title, page = escape(_build_title(manifest)), HtmlBlocks(str)
    body = "".join(
        f"<section><h2>{write_text(section.title)}</h2>{page.render(section.blocks)}</section>\n"
        for section in _build_sections(manifest)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}: model card</title><style>{style}</style></head>\n<body><main>"
        f'<h1>{title}</h1><p class="origin">{escape(_build_origin(manifest))}</p>\n{body}'
        "</main></body></html>\n"
    )


def build_card_markdown(manifest: dict[str, Any]) -> str:
    """Return the model card as Markdown (GitHub's).

    Parameters
    ----------
    manifest
        Of the bundle; what it lacks, the card calls unknown.
    """
    parts = [f"# {escape_markdown(_build_title(manifest))}", escape_markdown(_build_origin(manifest))]
    for section in _build_sections(manifest):
        rendered = map(_render_markdown, section.blocks)
        parts += [f"## {escape_markdown(section.title)}", *(text for text in rendered if text)]
    return "\n\n".join(parts) + "\n"


def _build_sections(manifest: dict[str, Any]) -> list[Section]:
    return [
        describe_purpose(manifest),
        describe_quality(manifest),
        describe_failures(manifest),
        describe_sureness(manifest),
        *describe_learning(manifest),
        describe_data(manifest),
        describe_training(manifest),
        *describe_refits(manifest),
        describe_licences(manifest),
    ]


def _build_title(manifest: dict[str, Any]) -> str:
    return clean(manifest.get("title") or "") or "Photo classifier"


def _build_origin(manifest: dict[str, Any]) -> str:
    created = moment(manifest.get("created") or "at an unknown time")
    return f"Model card. Made {created}; every figure is from the model's bundle.json."


def write_text(text: str) -> str:
    """Escape a text for HTML; a number and its sign stay on one line."""
    return escape(text).replace(" %", "&nbsp;%").replace(" = ", "&nbsp;=&nbsp;")


class HtmlBlocks:
    """Renders blocks as HTML, in the language that `say` says them in."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def render(self, blocks: Sequence[Block]) -> str:
        """Return blocks one below the other; charts, and tables, that follow each other share a row."""
        parts = []
        for kind, group in groupby(blocks, _name_row):
            rendered = "".join(map(self._render_block, group))
            parts.append(f'<div class="{kind}">{rendered}</div>' if kind else rendered)
        return "".join(parts)

    def _render_block(self, block: Block) -> str:
        match block:
            case Text():
                return f"<p>{self._write(block.text)}</p>"
            case Items():
                rows = "".join(f"<li>{self._write(item)}</li>" for item in block.items)
                return f'<ul class="card-list">{rows}</ul>'
            case Table():
                return self._render_table(block)
            case Confusion():
                return self._render_confusion(block)
            case Chart():
                caption = f"<figcaption>{self._write(block.title)}</figcaption>"
                return f'<figure class="card-chart">{block.draw(self._say)}{caption}</figure>'

    def _write(self, text: str) -> str:
        return write_text(self._say(text))

    def _render_table(self, table: Table) -> str:
        head = "".join(f'<th scope="col">{self._write(name)}</th>' for name in table.header)
        rows = "".join(f"<tr>{''.join(map(self._render_cell, row))}</tr>" for row in table.rows)
        return self._frame(table.title, f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>")

    def _render_cell(self, text: str) -> str:
        kind = ' class="card-number"' if _NUMBER.fullmatch(text) else ""
        if isinstance(text, Message):
            return f"<td{kind}>{self._write(text)}</td>"
        # whatever the page's direction, the sign stands behind the number
        return (
            f'<td{kind}><bdi dir="ltr">{write_text(text)}</bdi></td>' if kind else f"<td>{_name(text)}</td>"
        )

    def _render_confusion(self, block: Confusion) -> str:
        head = "".join(f'<th scope="col">{_name(name)}</th>' for name in block.vocab)
        rows = "".join(
            f'<tr><th scope="row" title="{escape(name)}">{_name(name)}</th>'
            f"{self._render_counts(block.vocab, i, counts)}</tr>"
            for i, (name, counts) in enumerate(zip(block.vocab, block.matrix, strict=True))
        )
        corner = f'<th scope="col">{self._write("is / called")}</th>'
        short = all(len(name) <= 3 for name in block.vocab)
        body = f"<thead><tr>{corner}{head}</tr></thead><tbody>{rows}</tbody>"
        return self._frame(block.title, body, "card-confusion" if short else "card-confusion card-turned")

    def _render_counts(self, vocab: Sequence[str], row: int, counts: Sequence[int]) -> str:
        total = max(sum(counts), 1)
        cells = []
        for column, n in enumerate(counts):
            words = Message(
                "{n} of {of} photos of {label} were called {answer}",
                n=n,
                of=total,
                label=vocab[row],
                answer=vocab[column],
            )
            kind = "card-right" if column == row else "card-wrong"
            shade = f' class="{kind}" style="--share:{round(100 * n / total)}%"' if n else ""
            cells.append(f'<td{shade} title="{escape(self._say(words))}">{n or "·"}</td>')
        return "".join(cells)

    def _frame(self, title: str, rows: str, kind: str = "") -> str:
        # the frame scrolls by itself where the page is narrow, and the keyboard can reach it
        name, kind = escape(self._say(title)), f' class="{kind}"' if kind else ""
        return (
            f'<div class="card-table"><p class="card-caption">{self._write(title)}</p>'
            f'<div class="card-frame" role="region" aria-label="{name}" tabindex="0">'
            f'<table{kind} aria-label="{name}">{rows}</table></div></div>'
        )


def _name_row(block: Block) -> str:
    if isinstance(block, Chart):
        return "card-charts"
    return "" if isinstance(block, Text | Items) else "card-tables"


def _name(name: str) -> str:
    """Escape a name, whose reading direction is its own."""
    return f'<bdi dir="auto">{escape(name)}</bdi>'


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


def _render_markdown(block: Block) -> str:
    match block:
        case Text():
            return escape_markdown(block.text)
        case Items():
            return "\n".join(f"- {escape_markdown(item)}" for item in block.items)
        case Table():
            return _tabulate(block.title, block.header, block.rows)
        case Confusion() if len(block.vocab) <= _MOST_CLASSES:
            rows = [[name, *map(str, counts)] for name, counts in zip(block.vocab, block.matrix, strict=True)]
            return _tabulate(block.title, ["is / called", *block.vocab], rows)
        case Confusion() | Chart():
            return ""


def _tabulate(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[*map(escape_markdown, row)] for row in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return f"**{escape_markdown(title)}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)
