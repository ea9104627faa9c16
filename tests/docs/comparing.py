"""Printed lines beside the documented ones, in which `...` stands for anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

ANY = "..."


def match_line(documented: str, printed: str) -> bool:
    """Tell whether a line is the documented one; `...` within a line stands for any part of it."""
    pattern = ".*".join(map(re.escape, documented.rstrip().split(ANY)))
    return re.fullmatch(pattern, printed.rstrip()) is not None


def match_lines(documented: Sequence[str], printed: Sequence[str]) -> bool:
    """Tell whether lines are the documented ones; a line `...` stands for any number of lines."""

    @cache
    def go(i: int, j: int) -> bool:
        if i == len(documented):
            return j == len(printed)
        if documented[i].strip() == ANY:
            return go(i + 1, j) or (j < len(printed) and go(i, j + 1))
        return j < len(printed) and match_line(documented[i], printed[j]) and go(i + 1, j + 1)

    return go(0, 0)


def merge_lines(documented: Sequence[str], printed: Sequence[str]) -> list[str]:
    """Return the printed lines, with the documented line in place of each that it still matches."""

    @cache
    def best(i: int, j: int) -> tuple[int, tuple[str, ...]]:
        if j == len(printed):
            return 0, ()
        if i == len(documented):
            return 0, tuple(printed[j:])
        options = [best(i + 1, j)]
        kept, rest = best(i, j + 1)
        options.append((kept, (printed[j], *rest)))
        if documented[i].strip() != ANY and match_line(documented[i], printed[j]):
            kept, rest = best(i + 1, j + 1)
            options.append((kept + 1, (documented[i], *rest)))
        return max(options, key=lambda option: option[0])

    return list(best(0, 0)[1])
