"""Very many small objects at once, where the usual way takes most of the time."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


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

    It would go over all objects again and again meanwhile, for as long as making them takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
