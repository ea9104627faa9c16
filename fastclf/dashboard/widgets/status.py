"""What all panels say alike: their status, a fault, and how sure a model is; no widget is imported here."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from html import escape

from ...errors import FastclfError, Message

_logger = logging.getLogger(__name__)


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


def build_data_url(kind: str, data: bytes) -> str:
    """Return an address that holds data itself, so that no request is made for it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def render_download(name: str, kind: str, data: bytes, words: str) -> str:
    """Return a link that saves data as a file."""
    url = build_data_url(f"{kind};charset=utf-8", data)
    return f'<a class="fastclf-link-button" download="{name}" href="{url}">{escape(words)}</a>'


def say_fault(fault: BaseException, otherwise: str) -> str:
    """Return a fault's own sentence; where it is one of ours, log it and return the other one."""
    if isinstance(fault, FastclfError):
        return fault.message
    _logger.error("an action on the page failed", exc_info=fault)
    return otherwise


@contextmanager
def logged(failure: str) -> Iterator[None]:
    """Log a fault of ours and go on: one part of the page that cannot be drawn leaves the others."""
    try:
        yield
    except Exception:
        _logger.exception(failure)


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
