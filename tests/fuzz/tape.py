"""Bytes as decisions: what is hostile in structure is made from a tape that a fuzzer can change byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# What values are where somebody else was expected; found inputs lean on the order, so new ones come last.
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 1.5, 1e308, float("nan"), float("inf"), "", "x", [], {}, [1], [[]], [None],
    {"a": 1}, {"a": []}, 10**30, -(10**400), "\ud800", "a" * 10_000, "../..", "<script>", "\0", ["a"] * 3, "red",
    ["red", "green"], "3", -(2**63), 2**63, b"", b"\xff", "http://127.0.0.1/", "/dev/zero", "%s{0}{name}", 0.5,
)  # fmt: skip


class Tape:
    """Reads bytes as choices; at its end every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    def number(self, below: int) -> int:
        """A number below another one."""
        value = self._data[self._at] if not self.ended else 0
        self._at += 1
        if below > 256:
            value = value * 256 + (self._data[self._at] if not self.ended else 0)
            self._at += 1
        return value % below

    def choose(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def value(self, *usual: Any) -> Any:
        """One of the usual values, or a hostile one."""
        return self.choose((*usual, *HOSTILE))

    def rest(self, most: int = 1 << 20) -> bytes:
        """Whatever is left."""
        data = self._data[self._at : self._at + most]
        self._at = len(self._data)
        return data


def list_places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values stand in JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([at] if at else []), *(found for key, one in inner for found in list_places(one, (*at, key)))]


def change_value(values: Any, at: tuple[Any, ...], tape: Tape) -> None:
    """Put something hostile where a value stands, or take that away."""
    *above, last = at
    try:
        for key in above:
            values = values[key]
        if tape.number(5) == 0:
            del values[last]
        else:
            values[last] = tape.value()
    except (KeyError, IndexError, TypeError):
        pass  # an earlier change took the place away
