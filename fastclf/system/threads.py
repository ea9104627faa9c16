"""Threads that work in the background of a page, and that a process waits for before it ends."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable

# How long a process that ends waits for all of them together: many times what it takes to open a model.
_WAIT = 5.0
_running: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def start_thread(target: Callable[..., object], *args: object) -> threading.Thread:
    """Call `target` in a thread that ends with the process, after a short wait.

    A thread that comes back from native code (ONNX Runtime, Pillow) while the interpreter is taken down
    is ended by Python in the middle of a C++ frame, which aborts the process. So a process that ends
    waits for them, but no longer than a few seconds.
    """
    thread = threading.Thread(target=target, args=args, daemon=True)
    _running.add(thread)
    thread.start()
    return thread


@atexit.register
def wait_for_threads() -> None:
    """Wait until all of them are done, for a few seconds at most."""
    until = time.monotonic() + _WAIT
    for thread in list(_running):
        thread.join(max(0.0, until - time.monotonic()))
