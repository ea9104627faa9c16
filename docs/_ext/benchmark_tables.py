"""The tables of benchmarks/: every figure's one home, read by plots and by the tests of plots."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FILES = [Path(__file__).parents[2] / "benchmarks" / name for name in ("README.md", "scale.md")]
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class Table:
    """A table of one section: its heads, and its rows as texts without bold marks."""

    section: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_text() -> str:
    """Return the text in which all tables stand."""
    return "\n".join(path.read_text(encoding="utf-8") for path in FILES)


def read_tables(text: str) -> list[Table]:
    """List all tables of a Markdown text in order."""
    tables: list[Table] = []
    section, lines = "", [*text.splitlines(), ""]
    block: list[tuple[str, ...]] = []
    for line in lines:
        if line.startswith("|"):
            block.append(_split(line))
            continue
        if block:
            tables.append(Table(section, block[0], tuple(block[2:])))
            block = []
        if line.startswith("## "):
            section = line.removeprefix("## ").strip()
    return tables


def find_table(tables: Sequence[Table], section: str, columns: Sequence[str], only: str = "") -> Table:
    """Return some columns of the one table of a section that has them all.

    A row whose first cell is empty belongs to the row above, as in the tables of several folders; with `only`
    the rows stay whose first cell is this one.

    Raises
    ------
    LookupError
        If no table of the section has these columns, or more than one, or if no row is left.
    """
    found = [t for t in tables if t.section == section and set(columns) <= set(t.heads)]
    rows, first = [], ""
    for cells in found[0].rows if len(found) == 1 else ():
        first = cells[0] or first
        if not only or first == only:
            rows.append(tuple(cells[found[0].heads.index(column)] for column in columns))
    if not rows:
        raise LookupError(
            f"benchmarks/ has {len(found)} tables in the section {section!r} with the columns "
            f"{list(columns)!r} and rows of {only!r}; a page needs one. Write them as the table has them."
        )
    return Table(section, tuple(columns), tuple(rows))


def find_cell(tables: Sequence[Table], section: str, row: Sequence[str], column: str) -> str:
    """Return the one cell of a section whose row begins with these texts, below this head.

    Raises
    ------
    LookupError
        If no table of the section has such a row and such a head, or more than one.
    """
    found = [
        cells[table.heads.index(column)]
        for table in tables
        if table.section == section and column in table.heads
        for cells in table.rows
        if cells[: len(row)] == tuple(row)
    ]
    if len(found) != 1:
        raise LookupError(
            f"benchmarks/ has {len(found)} cells in the section {section!r}, row {list(row)!r}, "
            f"column {column!r}, where a plot needs one. Write the plot's row as the table has it."
        )
    return found[0]


def read_numbers(cell: str) -> list[str]:
    """List the numbers of a cell as they are written.

    Examples
    --------
    >>> read_numbers("1,708 of 2,160; 0.45 / 0.70")
    ['1,708', '2,160', '0.45', '0.70']
    """
    return _NUMBER.findall(cell)


def _split(line: str) -> tuple[str, ...]:
    return tuple(cell.replace("**", "").strip() for cell in line.strip().strip("|").split("|"))
