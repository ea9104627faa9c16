"""Tables that the benchmarks print: what was to be reached beside what was."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Line:
    """One line of the table: the values of every repetition, and what is to be reached."""

    what: str
    values: list[float] = field(default_factory=list)
    baseline: list[float] | None = None
    at_most: float | None = None
    limit: float | None = None

    def row(self) -> tuple[str, str, str, str, str]:
        """Return the line of the table, with medians."""
        baseline = median(self.baseline) if self.baseline else None
        return compare(self.what, baseline, median(self.values), at_most=self.at_most, limit=self.limit)


def compare(
    what: str,
    baseline: float | None,
    value: float,
    *,
    at_most: float | None = None,
    limit: float | None = None,
) -> tuple[str, str, str, str, str]:
    """Return what, baseline, value, ratio, verdict; `at_most` bounds the ratio, `limit` the value."""
    verdict = "-"
    if at_most is not None and baseline is not None:
        verdict = f"{judge(value <= at_most * baseline)} (≤ {at_most:.3g} ×)"
    elif limit is not None:
        verdict = f"{judge(value <= limit)} (≤ {limit:g})"
    ratio = "-" if baseline is None else f"{value / baseline:.3f} ×"
    return what, "-" if baseline is None else _round(baseline), _round(value), ratio, verdict


def judge(met: bool) -> str:
    """Return the verdict in words."""
    return "target met" if met else "missed"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def tell(words: str) -> None:
    """Say what is going on, beside the tables."""
    print(words, file=sys.stderr, flush=True)


def _round(value: float) -> str:
    return f"{value:.{3 if value < 0.1 else 2 if value < 100 else 0}f}"
