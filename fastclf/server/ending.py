"""A server that is asked to end gives what is under way a few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]


def end_gently(finish: Callable[[], Awaitable[None]]) -> None:
    """Let `finish` run before a polite signal or Ctrl-C ends the server; the second of them does so at once.

    It is called in the thread of the server's loop.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    stop = signal.getsignal(signal.SIGTERM)
    if not callable(stop):
        return
    loop = asyncio.get_running_loop()
    under_way: list[asyncio.Task[None]] = []

    async def run() -> None:
        with contextlib.suppress(Exception):
            await finish()
        stop(signal.SIGTERM, None)

    def handle(number: int, frame: FrameType | None) -> None:
        if under_way:
            stop(signal.SIGTERM, frame)
        else:
            loop.call_soon_threadsafe(lambda: under_way.append(asyncio.ensure_future(run())))

    signal.signal(signal.SIGTERM, handle)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, handle)
