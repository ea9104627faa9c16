"""Kernels behind sockets of the file system: no port reaches them, and nobody else can take theirs.

Jupyter looks for free ports before a kernel starts, which binds them seconds later. Where another program
takes one meanwhile, the kernel ends and is started anew on other ports, and its visitor waits a minute for
the first ones.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

# A socket's path has 103 bytes at most, and below such a folder Voila and Jupyter take 65 of them.
_LONGEST_PLACE = 38


def find_socket_folder() -> str | None:
    """Return a folder whose path leaves room for the name of a kernel's socket; None where there is none."""
    places = (tempfile.gettempdir(), "/tmp") if os.name == "posix" else ()
    short = (place for place in places if len(os.fsencode(place)) <= _LONGEST_PLACE)
    return next((place for place in short if os.access(place, os.W_OK)), None)


def put_behind_sockets(kernel: Any, kernel_id: str) -> None:
    """Let a kernel that is not started yet listen on sockets; on ports where there is no folder for them."""
    folder = _find_folder()
    if folder is not None and kernel.transport == "tcp":
        kernel.transport = "ipc"
        kernel.ip = str(folder / kernel_id)


def _find_folder() -> Path | None:
    """Return this process's folder; a new one where the last was removed, or is not ours any more."""
    folder = _open_folder()
    if folder is not None and not _is_ours(folder):
        _open_folder.cache_clear()
        folder = _open_folder()
    return folder


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


@functools.cache
def _open_folder() -> Path | None:
    """Make a folder that only this user enters, for as long as the process lives."""
    place = find_socket_folder()
    if place is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="fastclf-", dir=place))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
