"""Charts as inline SVG: numbers in, text out; colours come from the page, so light and dark both work.

Every chart takes `say` last, which says its words in the language of whoever reads it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from ..errors import Message
from ..metrics import wilson_interval
from .blocks import Say

_WIDTH, _HEIGHT = 360, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 18, 12, 40
_ROW = 22
_CHARACTER = 7.2
_INK, _SOFT, _LINE = "var(--ink, #1c2430)", "var(--soft, #566172)", "var(--line, #d5dbe3)"
COLOURS = ("var(--accent, #1f5fbf)", "var(--warn, #8a4b00)")
# the second of two series must be told apart without colour too
_DASHES = ("", ' stroke-dasharray="5 3"')

Line = Sequence[tuple[float, float]]


def draw_reliability(
    calibrated: Sequence[Sequence[float]], raw: Sequence[Sequence[float]] | None, say: Say
) -> str:
    """Return stated probability against the share that is right, in bins; larger dots are more photos.

    A bin is (mean confidence, share right, number of photos), after and before temperature scaling.
    """
    labels = ("stated probability", "share that is right")
    plane = _Plane((0, 1), (0, 1), labels, say, percent=(True, True))
    plane.add_line([(0, 0), (1, 1)], _SOFT, ' stroke-dasharray="2 4"')
    for x, y, n in calibrated:
        low, high = wilson_interval(round(y * n), round(n))
        plane.add_line([(x, low), (x, high)], COLOURS[0])
    series = [("after scaling", calibrated), *([("before scaling", raw)] if raw else [])]
    for (name, points), colour, hollow in zip(series, COLOURS, (False, True), strict=False):
        most = max(n for _, _, n in points)
        for x, y, n in points:
            words = Message(
                "{which}: stated {x:.0%}, right {y:.0%}, n = {n:,.0f}", which=Message(name), x=x, y=y, n=n
            )
            plane.add_dot(x, y, 2.5 + 5 * math.sqrt(n / most), colour, words, hollow=hollow)
    plane.add_legend([name for name, _ in series], dots=True)
    return plane.render("Reliability: stated probability against the share that is right")


def draw_coverage(points: Sequence[Sequence[float]], sure: tuple[float, float] | None, say: Say) -> str:
    """Return accuracy against the share of the photos that are answered, the surest first.

    The points are those of `compute_coverage`; (share, accuracy) of what is called sure is marked.
    """
    least = min(accuracy for _, _, accuracy, _ in points)
    bottom = max(0.0, math.floor((least - 0.02) * 10) / 10)
    labels = ("share of the photos answered", "share right")
    plane = _Plane((0, 1), (bottom, 1), labels, say, percent=(True, True))
    plane.add_line([(share, accuracy) for share, _, accuracy, _ in points], COLOURS[0])
    for share, threshold, accuracy, n in points:
        words = Message(
            "{least:.1%} and more: {share:.0%} of the photos, {right:.1%} right, n = {n:,.0f}",
            least=threshold,
            share=share,
            right=accuracy,
            n=n,
        )
        plane.add_dot(share, accuracy, 2.5, COLOURS[0], words)
    if sure is not None:
        words = Message("sure: {share:.0%} answered, {right:.1%} right", share=sure[0], right=sure[1])
        plane.add_dot(*sure, 6, COLOURS[1], words, hollow=True)
    return plane.render("Accuracy against coverage")


def draw_lines(
    title: str,
    series: Mapping[str, Line],
    say: Say,
    *,
    y_label: str,
    x_label: str = "epoch",
    percent: bool = False,
) -> str:
    """Return one or two lines of (x, value), by their names; `percent` says that values are shares."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    low = math.floor(min(ys) * 10) / 10 if percent else 0.0
    high = 1.0 if percent else max(max(ys) * 1.05, 1e-9)
    across, up = (min(xs), max(xs)), (min(low, 0.9), high)
    plane = _Plane(across, up, (x_label, y_label), say, percent=(False, percent))
    for (name, points), colour, dash in zip(series.items(), COLOURS, _DASHES, strict=False):
        plane.add_line(points, colour, dash)
        for x, y in points:
            words = Message(
                "{which}, {axis} {x:.0f}: {y}",
                which=Message(name),
                axis=Message(x_label),
                x=x,
                y=_write(y, percent),
            )
            plane.add_dot(x, y, 2.5, colour, words, hollow=bool(dash))
    if len(series) > 1:
        plane.add_legend(list(series))
    return plane.render(title)


def draw_shares(title: str, rows: Sequence[tuple[str, float, float, float, int]], say: Say) -> str:
    """Return a row a share: (name, share, lower and upper end of its interval, n)."""
    height = _TOP + _ROW * len(rows) + 22
    names_end = 8 + _CHARACTER * max((len(_shorten(row[0])) for row in rows), default=0)
    left, right = names_end + 10, _WIDTH - 66
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = left + tick * (right - left)
        parts.append(_line(x, _TOP, x, height - 22, _LINE))
        parts.append(_text(x, height - 6, f"{tick:.0%}", "middle"))
    for i, row in enumerate(rows):
        (name, *_, n), y = row, _TOP + _ROW * (i + 0.5)
        share, low, high = (left + value * (right - left) for value in row[1:4])
        words = say(_describe_share(*row))
        parts.append(
            f"<g><title>{escape(words)}</title>{_text(names_end, y + 4, _shorten(name), 'end', _INK)}"
            f"{_line(low, y, high, y, COLOURS[0], 2)}{_dot(share, y, 4, COLOURS[0])}"
            f"{_text(_WIDTH, y + 4, say(Message('n = {n}', n=n)), 'end')}</g>"
        )
    return _svg(say(title), height, "".join(parts))


def _describe_share(name: str, share: float, low: float, high: float, n: int) -> Message:
    words = Message("{name}: {share:.1%} ({low:.1%} to {high:.1%}), n = {n}")
    return Message(words, name=name, share=share, low=low, high=high, n=n)


class _Plane:
    """Two axes with ticks, and what is drawn between them."""

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        labels: tuple[str, str],
        say: Say,
        *,
        percent: tuple[bool, bool],
    ) -> None:
        self._x, self._y = (x[0], max(x[1], x[0] + 1e-9)), (y[0], max(y[1], y[0] + 1e-9))
        self._say = say
        self._parts: list[str] = []
        for value in _find_ticks(*x, whole=not percent[0]):
            px = self._place(value, y[0])[0]
            self._parts.append(_line(px, _TOP, px, _HEIGHT - _BOTTOM, _LINE))
            self._parts.append(_text(px, _HEIGHT - _BOTTOM + 14, _write(value, percent[0]), "middle"))
        for value in _find_ticks(*y):
            py = self._place(x[0], value)[1]
            self._parts.append(_line(_LEFT, py, _WIDTH - _RIGHT, py, _LINE))
            self._parts.append(_text(_LEFT - 5, py + 4, _write(value, percent[1]), "end"))
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        self._parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, say(labels[0]), "middle"))
        upright = _text(0, 0, say(labels[1]), "middle")
        self._parts.append(f'<g transform="translate(12 {middle:.0f}) rotate(-90)">{upright}</g>')

    def add_line(self, points: Line, colour: str, dash: str = "") -> None:
        places = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self._place(*p) for p in points))
        self._parts.append(
            f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )

    def add_dot(
        self, x: float, y: float, radius: float, colour: str, words: str, *, hollow: bool = False
    ) -> None:
        self._parts.append(_dot(*self._place(x, y), radius, colour, self._say(words), hollow=hollow))

    def add_legend(self, names: Sequence[str], *, dots: bool = False) -> None:
        """Name the lines, or the dots, in a row below the chart."""
        for i, (name, colour, dash) in enumerate(zip(names, COLOURS, _DASHES, strict=False)):
            x, y, words = _LEFT + 8 + 130 * i, _HEIGHT + 8, self._say(name)
            self._parts.append(_text(x + 27, y + 4, words, "start", _INK))
            if dots:
                self._parts.append(_dot(x + 14, y, 5, colour, words, hollow=bool(dash)))
                continue
            places = f'x1="{x}" y1="{y}" x2="{x + 22}" y2="{y}"'
            self._parts.append(f'<line {places} stroke="{colour}" stroke-width="2"{dash}/>')

    def render(self, title: str) -> str:
        return _svg(self._say(title), _HEIGHT + 18, "".join(self._parts))

    def _place(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        up = (y - self._y[0]) / (self._y[1] - self._y[0])
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _BOTTOM - _TOP),
        )


def _find_ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return three to seven round values from `low` to `high`."""
    span = max(high - low, 1e-9)
    power = 10 ** math.floor(math.log10(span))
    steps = [power * factor for factor in (0.1, 0.2, 0.5, 1, 2)]
    step = next((s for s in steps if span / s <= 6 and (not whole or s >= 1)), steps[-1])
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _write(value: float, percent: bool) -> str:
    return f"{100 * value:.3g}%" if percent else f"{value:.3g}"


def _shorten(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _svg(title: str, height: float, body: str) -> str:
    name = escape(title, quote=True)
    return (
        f'<svg role="img" aria-label="{name}" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'font-size="12"><title>{name}</title>{body}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = _SOFT) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    places = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {places} stroke="{colour}" stroke-width="{width}"/>'


def _dot(x: float, y: float, radius: float, colour: str, words: str = "", *, hollow: bool = False) -> str:
    fill = "none" if hollow else colour
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}" stroke="{colour}" '
        f'stroke-width="1.5"><title>{escape(words)}</title></circle>'
    )
