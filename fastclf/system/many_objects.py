"""Very many small objects at once, where the usual way takes most of the time."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_lock = threading.Lock()
# how many blocks, of any thread, wait for the search, and whether it is to go on after the last of them
_blocks, _goes_on = 0, False


def make_frozen(cls: type[T], facts: Mapping[str, Any]) -> T:
    """Return an object of a frozen dataclass with these fields; those left out have their defaults.

    The class's own constructor sets field by field past the lock, which takes five times as long. Nothing is
    checked: every field without a default has to be there.
    """
    made = object.__new__(cls)
    made.__dict__.update(facts)
    return made


@contextmanager
def making_many() -> Iterator[None]:
    """Let a block make very many objects that stay: the search for unused ones waits for its end.

    It would go over all objects again and again meanwhile, for as long as making them takes. Where blocks of
    several threads overlap it comes back with the end of the last one.
    """
    _begin()
    try:
        yield
    finally:
        _end()


def _begin() -> None:
    global _blocks, _goes_on
    with _lock:
        if not _blocks:
            _goes_on = gc.isenabled()
            gc.disable()
        _blocks += 1


def _end() -> None:
    global _blocks
    with _lock:
        _blocks -= 1
        if not _blocks and _goes_on:
            gc.enable()
