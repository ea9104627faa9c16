"""Draw a plot as SVG that stands in a page: the same bytes each time, in the page's own colour of text."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import Any

from benchmark_plots import Bar, Group, Plot
from benchmark_tables import Table

_WIDTH, _LINE, _BAR, _GAP, _HEAD = 360.0, 21.0, 12.0, 6.0, 30.0  # in the units of the picture
_COLOURS = {"ours": "#3f83e0", "others": "#868b94"}  # seen on white and on black
_TEXT = "#010203"  # stands for the page's own colour until the picture is done


def describe(plot: Plot, tables: Sequence[Table]) -> str:
    """Return a plot in words, for those who do not see it."""
    parts = []
    for group in plot.groups:
        bars = "; ".join(f"{bar.label}: {_say(bar, group, tables)}" for bar in group.bars)
        parts.append(f"{group.title}: {bars}" if group.title else bars)
    return f"{plot.title}. {'. '.join(parts)}."


def draw(name: str, plot: Plot, tables: Sequence[Table]) -> str:
    """Return the plot as an `svg` element whose ids begin with `name`."""
    import matplotlib

    style: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 13,
        "text.color": _TEXT,
    }
    with matplotlib.rc_context(style):
        figure = _lay_out(plot, tables)
        out = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=metadata)
    return _embed(name, out.getvalue(), describe(plot, tables))


def _lay_out(plot: Plot, tables: Sequence[Table]) -> Any:
    from matplotlib.figure import Figure

    rows = sum(len(group.bars) for group in plot.groups)
    heads = sum(bool(group.title) for group in plot.groups)
    height = rows * (_LINE + _BAR + _GAP) + heads * _HEAD
    figure = Figure(figsize=(_WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    axes.axis("off")
    y, n = 0.0, 0
    for group in plot.groups:
        if group.title:
            axes.text(0, y + _HEAD / 2, group.title, va="center", weight="bold")
            y += _HEAD
        y, n = _draw_bars(axes, group, tables, y, n)
    return figure


def _draw_bars(axes: Any, group: Group, tables: Sequence[Table], y: float, n: int) -> tuple[float, int]:
    """Draw a group from a height on; return where it ends, and how many bars there are by then."""
    from matplotlib.patches import Rectangle

    values = [bar.read(tables)[0] for bar in group.bars]
    full = group.full or max(values)
    longest = _WIDTH - 112  # its words stand behind it
    for bar, value in zip(group.bars, values, strict=True):
        axes.text(0, y + _LINE / 2, bar.label, va="center")
        box = Rectangle((0, y + _LINE), longest * value / full, _BAR, color=_COLOURS[bar.whose], lw=0)
        box.set_gid(f"bar-{n}")
        axes.add_patch(box)
        axes.text(box.get_width() + 5, y + _LINE + _BAR / 2, _say(bar, group, tables), va="center")
        y, n = y + _LINE + _BAR + _GAP, n + 1
    return y, n


def _say(bar: Bar, group: Group, tables: Sequence[Table]) -> str:
    words = bar.read(tables)[1]
    return f"{words} {group.unit}" if group.unit else words


def _embed(name: str, svg: str, words: str) -> str:
    """Cut what only a file needs; the ids are the page's, so each begins with the plot's name."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = svg.replace(_TEXT, "currentColor")
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    opening = (
        f'<svg class="benchmark-plot" role="img" aria-label="{html.escape(words)}" {box[0] if box else ""}'
    )
    return re.sub(r"<svg[^>]*?(?=>)", lambda _: f'{opening} xmlns="http://www.w3.org/2000/svg"', svg, count=1)
