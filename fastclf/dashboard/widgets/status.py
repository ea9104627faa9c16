"""What all panels say alike: their status, and how sure a model is; no widget is imported here."""

from __future__ import annotations

from enum import Enum
from html import escape

from ...errors import Message


class Status(Enum):
    """What a panel can do now; it drives what is disabled and what is said."""

    EMPTY = "empty"
    READY = "ready"
    BUSY = "busy"
    DONE = "done"
    ERROR = "error"


def render_paragraph(words: str) -> str:
    """Return words as HTML, escaped."""
    return f"<p>{escape(words)}</p>" if words else ""


def render_status(status: Status, words: str) -> str:
    """Return what a panel says of itself as HTML, escaped; a fault is read out at once."""
    role = "alert" if status is Status.ERROR else "status"
    return f'<p role="{role}" class="fastclf-{status.value}">{escape(words)}</p>' if words else ""


def say_share(probability: float) -> Message:
    """Return a probability as whole per cent; neither 0 nor 100 unless it is exactly that.

    Examples
    --------
    >>> say_share(0.9996), say_share(0.61)
    ('over 99 %', '61 %')
    """
    if 0.995 <= probability < 1:
        return Message("over 99 %")
    if 0 < probability < 0.005:
        return Message("under 1 %")
    return Message("{share} %", share=f"{probability * 100:.0f}")
