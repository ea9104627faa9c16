"""A file that a stranger may have made: looked at before it is opened, and read within a limit."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from ..errors import Message, describe_error

_OUTSIDE = Message("is a link to a place outside of the folder; copy the folder with the files themselves")
_NO_FILE = Message("is a pipe, a device or a socket, not a file")
_LARGE = Message("has {size:.0f} MB; at most {most:.0f} MB are read")
# opening a pipe would wait for who writes to it
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def find_given_fault(path: Path, folder: Path | None, most: int) -> Message | None:
    """Return why a file is not opened, as a clause, or None where it may be, or is missing.

    It has to be a regular file of `most` bytes at most, links followed, that lies in the folder if one is
    given. A folder is no fault either: opening it says so.
    """
    try:
        found = path.resolve(strict=True)
        home, status = folder and folder.resolve(), found.stat()
    except (OSError, RuntimeError, ValueError):
        return None
    if home is not None and not found.is_relative_to(home):
        return _OUTSIDE
    return _judge(status, most)


def open_given_file(path: Path, most: int) -> io.BufferedReader:
    """Open a file that somebody named, as `find_given_fault` allows it: the one door for strangers' files.

    What is opened is judged, too, since a file may be exchanged between a look and the opening.

    Parameters
    ----------
    path
        The file; links are followed.
    most
        The most bytes that it may have.

    Raises
    ------
    OSError
        If it cannot be opened, or is not to be read; `strerror` says why.
    """
    _refuse(path, find_given_fault(path, None, most))
    try:
        file = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | _AT_ONCE))
    except ValueError as e:  # a null in the name
        raise OSError(errno.EINVAL, describe_error(e), str(path)) from None
    try:
        _refuse(path, _judge(os.fstat(file.fileno()), most))
    except BaseException:
        file.close()
        raise
    return io.BufferedReader(file)


def read_given_file(path: Path, most: int) -> bytes:
    """Return the bytes of a file that somebody named; OSError as `open_given_file`.

    Examples
    --------
    >>> read_given_file(Path("/dev/zero"), 100)
    Traceback (most recent call last):
        ...
    OSError: [Errno 22] it is a pipe, a device or a socket, not a file: '/dev/zero'
    """
    with open_given_file(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:  # it grows
        _refuse(path, _describe_size(len(data), most))
    return data


def _judge(status: os.stat_result, most: int) -> Message | None:
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return _NO_FILE
    return _describe_size(status.st_size, most) if status.st_size > most else None


def _describe_size(size: int, most: int) -> Message:
    return Message(_LARGE, size=size / 2**20, most=most / 2**20)


def _refuse(path: Path, fault: Message | None) -> None:
    if fault is not None:
        raise OSError(errno.EINVAL, Message("it {fault}", fault=fault), str(path))
