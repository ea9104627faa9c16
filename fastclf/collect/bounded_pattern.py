"""Regular expressions of a recipe, which a stranger may have written: none runs for long."""

from __future__ import annotations

import functools
import math
import re
import time
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from ..errors import UsageError

# No file's name has more letters, and so many ways to divide one among the parts of a pattern are tried.
_LONGEST, _MOST_WAYS = 500, math.comb(500, 3)
# Processor time that all names together may take.
_MOST_SECONDS = 10.0
_REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, getattr(codes, "POSSESSIVE_REPEAT", None)}


class BoundedPattern:
    """A pattern whose search in a name ends.

    Raises
    ------
    UsageError
        If it may be tried in far too many ways, or is no regular expression.
    """

    def __init__(self, pattern: str) -> None:
        self.text, self._seconds = pattern, 0.0
        try:
            self._pattern = re.compile(pattern)
            ways, wide = _count_ways(parser.parse(pattern))
        except (re.error, OverflowError, RecursionError) as e:
            raise UsageError(
                "pattern is {pattern!r}: it is no regular expression ({reason}).",
                pattern=pattern[:200],
                reason=e,
            ) from None
        # parts in a row divide a name at places in order
        if ways / math.factorial(min(wide, 3)) > _MOST_WAYS * 1.2:
            self._refuse()
        self.groups = self._pattern.groups

    def find(self, name: str) -> str | None:
        """Return what the first group is in a name; None where the pattern does not fit."""
        began = time.thread_time()
        match = self._pattern.search(name)
        self._seconds += time.thread_time() - began
        if self._seconds > _MOST_SECONDS:
            self._refuse()
        return match[1] if match else None

    def _refuse(self) -> None:
        raise UsageError(
            "pattern is {pattern!r}: it would take far too long on some names. Repeat plain parts only, as "
            "in ^(.+)_\\d+, and at most three of them.",
            pattern=self.text[:200],
        )


@functools.lru_cache(maxsize=16)
def open_pattern(pattern: str) -> BoundedPattern:
    """Return a pattern of a recipe, made once."""
    return BoundedPattern(pattern)


def _count_ways(items: Any) -> tuple[float, int]:
    """Return in how many ways a name is tried by parts in a row, and how many of these vary much."""
    ways, wide = 1.0, 0
    for kind, value in items:
        more, vary = _count_part(kind, value)
        ways, wide = min(ways * more, 1e250), wide + vary
    return ways, wide


def _count_part(kind: Any, value: Any) -> tuple[float, int]:
    if kind in _REPEATS:
        least, most, inner = value
        ways, wide = _count_ways(inner)
        most = min(int(most), _LONGEST)
        if ways > 1 or wide:
            return math.exp(min(most * math.log(max(ways, 2.0)), 600.0)), wide
        return (1.0 + most - least, 1) if most > least else (1.0, 0)
    if kind is codes.BRANCH:
        found = [_count_ways(branch) for branch in value[1]]
        return sum(ways for ways, _ in found), max(wide for _, wide in found)
    if kind is codes.SUBPATTERN:
        return _count_ways(value[-1])
    if kind in (codes.ASSERT, codes.ASSERT_NOT):
        return _count_ways(value[1])
    if kind is getattr(codes, "ATOMIC_GROUP", None):
        return _count_ways(value)
    if kind is codes.GROUPREF_EXISTS:
        parts = [_count_ways(part) for part in value[1:] if part is not None]
        return sum(ways for ways, _ in parts), max((wide for _, wide in parts), default=0)
    return 1.0, 0
