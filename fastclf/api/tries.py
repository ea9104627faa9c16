"""How often one address may do a thing: so many times in so many seconds."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque

from tornado.httputil import HTTPServerRequest

from .limits import MOST_ADDRESSES

_LOOPBACK = ("127.0.0.1", "::1", "")


class Tries:
    """Counts by address, in memory alone.

    Parameters
    ----------
    most, seconds
        How many of them in how long.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def find_wait(self, address: str) -> int:
        """Return how many seconds an address has to wait; 0 where it need not."""
        times = self._times.get(address, deque())
        now = time.monotonic()
        while times and now - times[0] >= self._seconds:
            times.popleft()
        return math.ceil(self._seconds - (now - times[0])) if len(times) >= self._most else 0

    def add(self, address: str) -> None:
        """Count one."""
        self._times.setdefault(address, deque(maxlen=self._most)).append(time.monotonic())
        self._times.move_to_end(address)
        if len(self._times) > MOST_ADDRESSES:
            self._times.popitem(last=False)


def find_caller(request: HTTPServerRequest) -> str:
    """Return whose address a request comes from; of a proxy on this machine, the last that it names."""
    address = str(request.remote_ip or "")
    if address in _LOOPBACK:
        named = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        return named[:64] or address
    return address


def is_from_here(request: HTTPServerRequest) -> bool:
    """Tell whether a request comes from this machine, and through no proxy that says so."""
    through = {"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} & set(request.headers)
    return str(request.remote_ip) in _LOOPBACK[:2] and not through
