"""What all panels share: their status, and how a probability is written; no widget is imported here."""

from __future__ import annotations

from enum import Enum

from ..texts import say


class Status(Enum):
    """What a panel can do now; it drives what is disabled and what is said."""

    EMPTY = "empty"
    READY = "ready"
    BUSY = "busy"
    DONE = "done"
    ERROR = "error"


def format_share(probability: float) -> str:
    """Return a probability as whole per cent; neither 0 nor 100 unless it is exactly that.

    Examples
    --------
    >>> format_share(0.9996), format_share(0.0001)
    ('over 99 %', 'under 1 %')
    """
    if 0.995 <= probability < 1:
        return say("over 99 %")
    if 0 < probability < 0.005:
        return say("under 1 %")
    return f"{probability * 100:.0f} %"
