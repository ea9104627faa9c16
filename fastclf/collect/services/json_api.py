"""Services that find photos by words: how one is built by name, and how those that speak JSON are asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ...errors import UsageProblem
from ..found import SERVICES, LimitedError, SearchService, UnreachableError
from ..web import Fetcher, FetchError

__all__ = ["SERVICES", "build_service"]

NO_LIST = "answered with something that is no list of photos"
# What a service answers that wants to be left in peace.
_BUSY = (429, 503)
_MAX_BYTES = 8 * 2**20
_SECONDS = 30.0


def build_service(name: str, fetcher: Fetcher) -> SearchService:
    """Return the service of that name.

    Parameters
    ----------
    name
        One of `SERVICES`.
    fetcher
        What it is asked with; DuckDuckGo is asked by a client of its own.

    Raises
    ------
    UsageProblem
        If there is no service of that name.
    """
    from .duckduckgo import DuckDuckGo
    from .openverse import Openverse
    from .wikimedia import Wikimedia

    match name:
        case "duckduckgo":
            return DuckDuckGo()
        case "openverse":
            return Openverse(fetcher)
        case "wikimedia":
            return Wikimedia(fetcher)
    raise UsageProblem(
        "There is no search service {name!r}. There is: {services}.", name=name, services=", ".join(SERVICES)
    )


def ask_json(
    fetcher: Fetcher, service: str, address: str, values: Mapping[str, str | int], ends: tuple[int, ...] = ()
) -> dict[str, Any] | None:
    """Return the JSON object that a service answers with, or None where it says that there are no more.

    Parameters
    ----------
    fetcher
        What it is asked with.
    service
        Its name.
    address, values
        Where it is asked, and the parameters of the question.
    ends
        Statuses by which it says that there are no more.

    Raises
    ------
    LimitedError, UnreachableError
        As every service.
    """
    try:
        answer = fetcher.get(
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
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise UnreachableError(service, NO_LIST) from None
    if not isinstance(found, dict):
        raise UnreachableError(service, NO_LIST)
    return found


def read_text(value: object) -> str:
    """Return a text on one line, and "" for what is no text."""
    return " ".join(value.split()) if isinstance(value, str) else ""
