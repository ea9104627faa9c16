"""The model card's blocks as the page's HTML, in its language; everything is escaped here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape, unescape
from itertools import groupby

from ...card import Block, Chart, Confusion, Items, Section, Table, Text
from ..texts import RIGHT_TO_LEFT, language, say, translate

_NUMBER = re.compile(r"[\d–][\d.,]*( %| of \d+)?( UTC)?")
_OF, _TO = re.compile(r"(\d+) of (\d+)"), re.compile(r"([\d.]+ %) to ([\d.]+ %)")
_SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z0-9])")
_SVG_TEXT = re.compile(r"(?<=>)[^<>]+(?=<)")
_SVG_NAME = re.compile(r'(?<=aria-label=")[^"]*(?=")')


class CardHtml:
    """Renders blocks of the card.

    Parameters
    ----------
    names
        Class names, which are in no language and stay as they are.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def render_section(self, section: Section, *, title: str = "") -> str:
        """Return a section that a person unfolds; charts, and tables, stand side by side where there is room.

        Parameters
        ----------
        section
            What stands in it.
        title
            Another heading, said already.
        """
        heading = escape(title or translate(section.title))
        body = self.render_blocks(section.blocks)
        return (
            f'<details class="fastclf-about-more"><summary><h2>{heading}</h2></summary>'
            f'<div class="fastclf-about-body">{body}</div></details>'
        )

    def render_blocks(self, blocks: Sequence[Block]) -> str:
        """Return blocks one below the other; charts, and tables, that follow each other share a row."""
        parts = []
        for kind, group in groupby(blocks, _name_row):
            rendered = "".join(self._render(block) for block in group)
            parts.append(f'<div class="{kind}">{rendered}</div>' if kind else rendered)
        return "".join(parts)

    def render_chart(self, svg: str, caption: str, kind: str = "") -> str:
        """Return a chart, its words in the page's language, over a caption that was said already."""
        drawn = _SVG_TEXT.sub(self._translate_match, _SVG_NAME.sub(self._translate_match, svg))
        return (
            f'<figure class="fastclf-about-chart {kind}">{drawn}'
            f"<figcaption>{write_text(caption)}</figcaption></figure>"
        )

    def _render(self, block: Block) -> str:
        match block:
            case Text():
                return f"<p{_mark(block.text)}>{write_text(_say_sentences(block.text))}</p>"
            case Items():
                rows = "".join(f"<li{_mark(i)}>{write_text(_say_sentences(i))}</li>" for i in block.items)
                return f'<ul class="fastclf-about-list">{rows}</ul>'
            case Chart():
                return self.render_chart(block.svg, translate(block.title))
            case Table():
                head = "".join(f'<th scope="col">{write_text(translate(name))}</th>' for name in block.header)
                rows = "".join(f"<tr>{''.join(map(self._render_cell, row))}</tr>" for row in block.rows)
                return _wrap(translate(block.title), f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>")
            case Confusion():
                return self._render_confusion(block)

    def _render_cell(self, text: str) -> str:
        kind = ' class="fastclf-number"' if _NUMBER.fullmatch(text) else ""
        if text in self._names:
            return f'<td><bdi dir="auto">{escape(text)}</bdi></td>'
        if found := _OF.fullmatch(text):
            text = say("{n} of {of}", n=found[1], of=found[2])
        elif found := _TO.fullmatch(text):
            text = say("{low} to {high}", low=found[1], high=found[2])
        return f"<td{kind}>{write_text(translate(text))}</td>"

    def _render_confusion(self, block: Confusion) -> str:
        corner = escape(say("is / called"))
        head = "".join(f'<th scope="col"><bdi dir="auto">{escape(name)}</bdi></th>' for name in block.vocab)
        rows = "".join(
            f'<tr><th scope="row"><bdi dir="auto">{escape(name)}</bdi></th>'
            f"{''.join(f'<td>{n}</td>' for n in counts)}</tr>"
            for name, counts in zip(block.vocab, block.matrix, strict=True)
        )
        body = f'<thead><tr><th scope="col">{corner}</th>{head}</tr></thead><tbody>{rows}</tbody>'
        return _wrap(translate(block.title), body)

    def _translate_match(self, match: re.Match[str]) -> str:
        text = unescape(match[0])
        return match[0] if text in self._names else escape(translate(text), quote=True)


def write_text(text: str) -> str:
    """Escape a text; a number and its sign stay on one line."""
    return escape(text).replace(" %", "&nbsp;%").replace(" = ", "&nbsp;=&nbsp;")


def isolate(name: str) -> str:
    """Keep a name of another reading direction from turning the words around it."""
    return f"\u2068{name}\u2069" if language.code in RIGHT_TO_LEFT else name


def _say_sentences(text: str) -> str:
    """Translate a text, sentence by sentence where the catalogue knows each of them."""
    sentences = _SENTENCES.split(text)
    said = [translate(sentence) for sentence in sentences]
    return " ".join(said) if all(map(str.__ne__, said, sentences)) else translate(text)


def _mark(text: str) -> str:
    """Return the attributes of a text that the catalogue does not have: it stays English, left to right."""
    return ' lang="en" dir="ltr"' if language.code != "en" and _say_sentences(text) == text else ""


def _name_row(block: Block) -> str:
    if isinstance(block, Chart):
        return "fastclf-about-charts"
    return "" if isinstance(block, Text | Items) else "fastclf-about-tables"


def _wrap(title: str, rows: str) -> str:
    # the frame scrolls by itself where the page is narrow, and the keyboard can reach it
    name = escape(title, quote=True)
    return (
        f'<div class="fastclf-about-table"><p class="fastclf-about-caption">{write_text(title)}</p>'
        f'<div class="fastclf-about-frame" role="region" aria-label="{name}" tabindex="0">'
        f'<table aria-label="{name}">{rows}</table></div></div>'
    )
