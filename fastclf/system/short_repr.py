"""Results that a notebook shows in one line, however much is in them."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import fields
from typing import Any

_WIDTH = 60


class ShortRepr:
    """A dataclass, made with ``repr=False``, of which one line says what is in it."""

    def __repr__(self) -> str:
        """Return the name and the fields; of a long one how many entries it has."""
        parts = (f"{f.name}={_shorten(getattr(self, f.name))}" for f in fields(self) if f.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(parts)})"


def _shorten(value: Any) -> str:
    if isinstance(value, Sized) and not isinstance(value, str | bytes) and len(value) > 2:
        return f"<{len(value)} entries>"
    text = " ".join(repr(value).split())
    return text if len(text) <= _WIDTH else f"<{type(value).__name__}>"
