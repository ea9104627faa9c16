"""What a proxy in front does wrong is told of on the server's terminal, once."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from tornado.httputil import HTTPServerRequest

_logger = logging.getLogger(__name__)


def find_lost_headers(request: HTTPServerRequest, allowed: Iterable[str] = ()) -> list[str]:
    """Return which headers a proxy in front did not pass, by which a browser opens a websocket.

    Origins that are `allowed` may differ from the Host.
    """
    headers = request.headers
    lost = [] if headers.get("Upgrade", "").lower() == "websocket" else ["Upgrade"]
    if "upgrade" not in headers.get("Connection", "").lower():
        lost.append("Connection")
    origin = headers.get("Origin", "").lower()
    if origin and origin.partition("://")[2] != headers.get("Host") and not {"*", origin} & set(allowed):
        lost.append("Host")
    return lost


def tell_of_proxy(request: HTTPServerRequest, settings: Mapping[str, Any]) -> None:
    """Tell of a proxy that spoils websockets."""
    if lost := find_lost_headers(request, [settings.get("allow_origin") or ""]):
        tell_once(
            "A page could not open its live connection: the proxy in front changes or drops {}. It must pass "
            'Host, Upgrade and Connection; README, "Share it", shows its lines. This is said once.',
            " and ".join(lost),
        )


@functools.lru_cache(maxsize=64)
def tell_once(sentence: str, value: str) -> None:
    """Tell of one thing once."""
    _logger.error("%s", sentence.format(value))
