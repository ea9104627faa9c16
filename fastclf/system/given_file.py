"""A file that a stranger may have made: looked at before it is opened, and only in its folder."""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import Message

_OUTSIDE = Message("is a link to a place outside of the folder; copy the folder with the files themselves")
_NO_FILE = Message("is a pipe, a device or a socket, not a file")
_LARGE = Message("has {size:.0f} MB; at most {most:.0f} MB are read")


def find_given_fault(path: Path, folder: Path, most: int) -> Message | None:
    """Return why a file in a folder is not opened, as a clause, or None where it may be, or is missing.

    It has to be a regular file of `most` bytes at most that lies in the folder, links followed. A folder is
    no fault either: opening it says so.
    """
    try:
        found, home = path.resolve(strict=True), folder.resolve()
        status = found.stat()
    except (OSError, RuntimeError):
        return None
    if not found.is_relative_to(home):
        return _OUTSIDE
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return _NO_FILE
    if status.st_size > most:
        return Message(_LARGE, size=status.st_size / 2**20, most=most / 2**20)
    return None
