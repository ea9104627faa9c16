"""What a visitor can cause to be logged, again and again, is said a few times a minute and then counted."""

from __future__ import annotations

import logging
import time

# So many lines a minute from one place in the code.
_MOST, _SECONDS = 10, 60.0
_LOGGERS = ("tornado.access", "tornado.application", "tornado.general", "asyncio", "fastclf.server.proxies")


def limit_log(log: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
    """Limit a server's own log, and those of what it is made of."""
    logger = log.logger if isinstance(log, logging.LoggerAdapter) else log
    limit = LogLimit()
    for one in (logger, *map(logging.getLogger, _LOGGERS)):
        if not any(isinstance(f, LogLimit) for f in one.filters):
            one.addFilter(limit)


class LogLimit(logging.Filter):
    """Lets a few records a minute pass from each place; the last says that more are left out."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is written."""
        place, now = (record.pathname, record.lineno), time.monotonic()
        since, n = self._said.get(place, (now, 0))
        since, n = (now, 0) if now - since > _SECONDS else (since, n)
        self._said[place] = since, n + 1
        if n == _MOST - 1:
            record.msg = f"{record.getMessage()} (More of this kind is not written for a minute.)"
            record.args = None
        return n < _MOST
