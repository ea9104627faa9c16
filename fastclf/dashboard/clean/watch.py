"""Looks every few seconds whether somebody else has changed what a page shows."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

_logger = logging.getLogger(__name__)

# soon enough for two people who talk to each other; a look takes a fraction of a millisecond
SECONDS = 2.0


class Watch:
    """Calls `act` where the page's messages are handled whenever `look` returns another value than before.

    One thread looks; it ends with `stop` or with the process, which does not wait for it.
    """

    def __init__(
        self, look: Callable[[], object], act: Callable[[], None], *, seconds: float = SECONDS
    ) -> None:
        self._look, self._act, self._seconds = look, act, seconds
        self._stopped = threading.Event()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:  # no kernel: whoever looks acts
            self._loop = None

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, daemon=True).start()

    def call(self, act: Callable[[], None]) -> None:
        """Call where the page's messages are handled, so that it comes between two of them."""
        if self._loop is None:
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _run(self) -> None:
        seen: object = None
        while not self._stopped.wait(self._seconds):
            try:
                found = self._look()
                if found == seen:
                    continue
                seen = found
                self.call(self._act)
            except Exception:
                _logger.exception("what others changed could not be looked for")
                return
