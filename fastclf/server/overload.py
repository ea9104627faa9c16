"""A server without a descriptor left says so once a minute, and does not keep a core busy with trying."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import Any

_SECONDS = 60.0
_PAUSE = 0.02
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_logger = logging.getLogger(__name__)


def watch_overload(loop: asyncio.AbstractEventLoop) -> None:
    """Hear of connections that cannot be taken for want of descriptors; other faults go on as before."""
    before = loop.get_exception_handler()
    said = [-_SECONDS]

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        if not isinstance(fault, OSError) or fault.errno not in _FULL:
            (before or type(loop).default_exception_handler)(loop, context)
            return
        if time.monotonic() - said[0] >= _SECONDS:
            said[0] = time.monotonic()
            _logger.error(
                "New connections cannot be taken (%s). Let the server open more files: ulimit -n",
                fault.strerror,
            )
        # whoever asks stays in the queue, and the loop would be told of it again at once
        time.sleep(_PAUSE)

    loop.set_exception_handler(handle)
