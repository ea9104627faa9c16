"""What a page has said, for as long as it may say it again."""

from __future__ import annotations

from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
MOST_KEPT = 1000


class Recent(dict[_Key, _Value]):
    """A dictionary that lets the oldest of a thousand go.

    >>> kept = Recent((n, "") for n in range(3))
    >>> for n in range(5000):
    ...     kept[n] = "said"
    >>> len(kept), 4000 in kept, 3999 in kept
    (1000, True, False)
    """

    def __setitem__(self, key: _Key, value: _Value) -> None:
        super().__setitem__(key, value)
        if len(self) > MOST_KEPT:
            del self[next(iter(self))]
