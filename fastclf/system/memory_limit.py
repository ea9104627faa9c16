"""A limit on what a process may take while it runs what a stranger made, where the system is Linux.

The system itself refuses what goes beyond, before a byte of it is there; whoever asked gets an error as where
no memory is left. The limit is of the whole process, so it stands for as long as such a run takes and no
longer, and lies far above what the other threads of ours take meanwhile.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "linux":
    import resource

_lock = threading.Lock()
_open: list[int] = []
_before = (-1, -1)
_PAGE = mmap.PAGESIZE
_AVAILABLE = re.compile(rb"MemAvailable:\s*(\d+)")
_guards = threading.Event()


def guard_process() -> None:
    """Let every run of a network be limited in this process, which is all ours: a kernel, the command."""
    _guards.set()


def is_guarded() -> bool:
    """Return whether `guard_process` was called."""
    return _guards.is_set()


@contextlib.contextmanager
def limited_memory(n_bytes: int) -> Iterator[None]:
    """Let the process take so many bytes more than it has; several limits at once add up.

    A limit that the process has already stands. Elsewhere than on Linux nothing is limited.
    """
    if sys.platform != "linux":
        yield
        return
    with _lock:
        _enter(n_bytes)
    try:
        yield
    finally:
        with _lock:
            _leave(n_bytes)


def free_child(pid: int) -> None:
    """Give a child that was started meanwhile the limit that its parent had before."""
    if sys.platform == "linux":
        with _lock, contextlib.suppress(OSError, ValueError):
            if _open:
                resource.prlimit(pid, resource.RLIMIT_DATA, _before)


def has_memory(n_bytes: int) -> bool:
    """Return whether the system would give so many bytes more; True where it does not say."""
    if sys.platform != "linux":
        return True
    try:
        mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        with contextlib.suppress(FileNotFoundError), Path("/proc/meminfo").open("rb") as f:
            found = _AVAILABLE.search(f.read(512))
            return not found or int(found[1]) * 1024 > n_bytes
    except (OSError, MemoryError):
        return False
    return True


def _forget() -> None:
    """Begin anew in a fork, where nobody runs what its parent was running."""
    global _lock
    _lock = threading.Lock()
    if _open:
        _open.clear()
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, _before)


if sys.platform == "linux":
    os.register_at_fork(after_in_child=_forget)


def _enter(n_bytes: int) -> None:
    global _before
    if not _open:
        _before = resource.getrlimit(resource.RLIMIT_DATA)
    _open.append(n_bytes)
    _set(_measure() + sum(_open))


def _leave(n_bytes: int) -> None:
    _open.remove(n_bytes)
    if not _open:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, _before)


def _set(most: int) -> None:
    """Set the limit, if none that is lower stands already."""
    allowed = [most, *(n for n in _before if n != resource.RLIM_INFINITY)]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (min(allowed), _before[1]))


def _measure() -> int:
    """Return the bytes that the limit counts: what can be written to, and is nobody else's."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[5]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 2**62
