"""How services that answer in JSON are asked, and their texts read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ..web import Fetcher, FetchError
from .service import LimitedError, UnreachableError

NO_LIST = "answered with something that is no list of photos"
# What a service answers that wants to be left in peace.
_BUSY = (429, 503)
# Many times what a page of results has.
_MAX_BYTES = 8 * 2**20
_SECONDS = 30.0


def ask_json(
    fetcher: Fetcher, service: str, address: str, values: Mapping[str, str | int], ends: tuple[int, ...] = ()
) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None for the statuses in `ends`, which say: there are no more."""
    try:
        body = fetcher.get(
            f"{address}?{urlencode(values)}",
            max_bytes=_MAX_BYTES,
            seconds=_SECONDS,
            accept="application/json",
        )
    except FetchError as e:
        if e.status in ends:
            return None
        if e.status in _BUSY:
            raise LimitedError(service, e.retry_after) from None
        raise UnreachableError(service, e.reason) from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreachableError(service, NO_LIST) from None
    if not isinstance(found, dict):
        raise UnreachableError(service, NO_LIST)
    return found


def read_text(value: object) -> str:
    """Return a text on one line, and "" for what is no text."""
    return " ".join(value.split()) if isinstance(value, str) else ""
