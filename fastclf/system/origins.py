"""Origins of web pages, as a host names those that may call a server or show its page."""

from __future__ import annotations

import re

EXAMPLE_ORIGIN = "https://school.example.org"
"""What sentences name where an origin is to be written."""

_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


def tidy_origin(text: str) -> str:
    """Return an origin as browsers write it: in small letters, without a slash at its end.

    >>> tidy_origin(" https://School.example/ ")
    'https://school.example'
    """
    return text.strip().rstrip("/").lower()


def is_origin(text: str) -> bool:
    """Tell whether a tidy text is an origin: scheme, host and perhaps a port, and nothing else.

    >>> is_origin("https://school.example"), is_origin("school.example"), is_origin("https://a.example/b")
    (True, False, False)
    """
    return _ORIGIN.fullmatch(text) is not None
