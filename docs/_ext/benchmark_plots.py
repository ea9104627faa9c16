"""Which figures of benchmarks/ are drawn, from plots.toml, and what their bars say."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_tables import Table, find_cell, read_numbers


@dataclass(frozen=True)
class Bar:
    """A bar: what it says, whose it is, and the cell of a table in which its number stands.

    `place` is which number of the cell; `of` is the place of the one that it is a part of, if of any.
    """

    label: str
    whose: str
    section: str
    row: tuple[str, ...]
    column: str
    place: int = 0
    of: int | None = None

    def read(self, tables: Sequence[Table]) -> tuple[float, str]:
        """Return the value and its words: 6.36 and "6.36", or 0.9 and "9 of 10"."""
        numbers = read_numbers(find_cell(tables, self.section, self.row, self.column))
        written = numbers[self.place]
        if self.of is None:
            return _value(written), written
        whole = numbers[self.of]
        return _value(written) / _value(whole), f"{written} of {whole}"


@dataclass(frozen=True)
class Group:
    """Bars of one scale; `full` is the value of the longest possible bar, by default the largest number."""

    bars: tuple[Bar, ...]
    title: str = ""
    unit: str = ""
    full: float | None = None


@dataclass(frozen=True)
class Plot:
    """Groups of bars below each other."""

    title: str
    groups: tuple[Group, ...]


def load_plots() -> dict[str, Plot]:
    """Return all plots by their names."""
    known = tomllib.loads((Path(__file__).parent / "plots.toml").read_text(encoding="utf-8"))
    return {
        name: Plot(said["title"], tuple(_build_group(**group) for group in said["groups"]))
        for name, said in known.items()
    }


def _build_group(bars: Sequence[dict[str, Any]], **said: Any) -> Group:
    return Group(tuple(Bar(**{**bar, "row": _list(bar["row"])}) for bar in bars), **said)


def _list(row: str | list[str]) -> tuple[str, ...]:
    return (row,) if isinstance(row, str) else tuple(row)


def _value(written: str) -> float:
    return float(written.replace(",", ""))
