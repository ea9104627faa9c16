"""What a card is made of, before it is HTML or Markdown; and how it writes numbers.

Words are messages, which a renderer says in its language; names and figures are plain texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Message
from ..metrics import wilson_interval

# Characters that end a line or turn the reading direction have no place in a title or a class's name.
_UNWANTED = {
    **dict.fromkeys([*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], " ")
}

# Returns a message in the language of whoever reads it; `str` is English.
Say = Callable[[str], str]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows under a header, below a title; numbers stand to the right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]  # a message is words, any other text is a name or a figure


@dataclass(frozen=True)
class Confusion:
    """Counts of answers, a row a true class, below a title."""

    title: str
    vocab: Sequence[str]  # (K,) names of the classes
    matrix: Sequence[Sequence[int]]  # (K, K)


@dataclass(frozen=True)
class Chart:
    """A chart, which Markdown leaves out, over its title."""

    title: str
    draw: Callable[[Say], str]  # returns inline SVG, which says its words by what it is given


Block = Text | Items | Table | Confusion | Chart


@dataclass(frozen=True)
class Section:
    """A part of the card, under its heading."""

    title: str
    blocks: Sequence[Block]


def clean(text: object) -> str:
    """Return a text as one line, without characters that turn the reading direction."""
    return " ".join(str(text).translate(_UNWANTED).split())


def percent(share: float, digits: int = 1) -> str:
    """Write a share.

    Examples
    --------
    >>> percent(0.9944)
    '99.4 %'
    """
    return f"{100 * share:.{digits}f} %"


def share_of(share: float, interval: Sequence[float] | None, n: int) -> Message:
    """Write a share with its interval and the number of photos behind it."""
    if not interval:
        return Message("{share} (n = {n})", share=percent(share), n=n)
    low, high = map(percent, interval)
    return Message("{share} ({low} to {high}, n = {n})", share=percent(share), low=low, high=high, n=n)


def number(value: float | None, digits: int = 4) -> str:
    """Write a number; what was not measured is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def count(n: int) -> Message:
    """Write a number of things, which is grouped as the page's language does."""
    return Message("{n}", n=n)


def moment(time: object) -> str:
    """Write a time of the record, to the minute.

    Examples
    --------
    >>> moment("2026-01-02T03:04:05+00:00")
    '2026-01-02 03:04 UTC'
    """
    text = clean(time)
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(\+00:00|Z)", text)
    return f"{found[1]} {found[2]} UTC" if found else text


def name_list(names: Sequence[object], most: int = 40) -> str:
    """Write names one after the other, and how many more there are."""
    shown = ", ".join(clean(name) for name in names[:most])
    if len(names) <= most:
        return shown
    return Message("{names} and {n} more", names=shown, n=len(names) - most)


def judged_parts(manifest: dict[str, Any]) -> list[tuple[Message, dict[str, Any]]]:
    """Return (words, metrics) of the parts that were judged: validation, then the opened test set."""
    metrics = manifest.get("metrics") or {}
    named = (
        (Message("validation photos"), metrics.get("valid")),
        (Message("sealed test photos"), metrics.get("test")),
    )
    return [(words, m) for words, m in named if m and m.get("n") and "accuracy" in m]


def error_interval(m: dict[str, Any]) -> tuple[float, float]:
    """Return the 95 % interval of the error rate, from what is on record."""
    low, high = m.get("accuracy_interval") or wilson_interval(round(m["accuracy"] * m["n"]), m["n"])
    return 1 - high, 1 - low
