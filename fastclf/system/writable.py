"""Whether something can be written, asked before the work that makes it."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from pathlib import Path

from ..errors import Message
from .files import hide_name, make_folder

# Bytes that a place has to take to count as one that can be written.
_PROBE = 64 * 1024


def find_write_error(target: Path, room: int = 0) -> str:
    """Return why no folder `target` can be made or replaced where it is to be, or ""; its parent is made.

    Parameters
    ----------
    target
        The folder. One that is there is asked itself, since it may be a disk of its own.
    room
        Bytes that have to be free.
    """
    if above := _find_file_above(target):
        return above
    try:
        if target.is_dir():
            _try_writing(target)
            return _find_shortage(target, room)
        make_folder(target.parent)
        probe = hide_name(target, secrets.token_hex(4))
        probe.mkdir()
        try:
            _try_writing(probe)
        finally:
            shutil.rmtree(probe, ignore_errors=True)
        return _find_shortage(target.parent, room)
    except OSError as e:
        return e.strerror or str(e)


def find_file_error(file: Path) -> str:
    """Return why a file cannot be written or replaced, or ""; nothing stays of the trial."""
    file = file.absolute()
    if above := _find_file_above(file):
        return above
    if file.is_dir():
        return os.strerror(errno.EISDIR)
    try:
        file.lstat()
    except FileNotFoundError:
        pass
    except OSError as e:
        return e.strerror or str(e)
    try:
        _try_writing(file.parent)
    except OSError as e:
        return e.strerror or str(e)
    return ""


def _find_file_above(path: Path) -> str:
    """Return that a file stands where a folder has to be, or ""."""
    for above in path.absolute().parents:
        try:
            if above.is_dir():
                return ""
            if above.exists():
                return Message("{file} is a file", file=above)
        except OSError as e:
            return e.strerror or str(e)
    return ""


def is_probe(name: str) -> bool:
    """Return whether a name is that of a file by which writing is tried, which a kill may leave."""
    return re.fullmatch(r"\.fastclf-[0-9a-f]{8}", name) is not None


def _try_writing(folder: Path) -> None:
    probe = folder / f".fastclf-{secrets.token_hex(4)}"
    try:
        with probe.open("xb") as f:
            f.write(bytes(_PROBE))
            f.flush()
    finally:
        probe.unlink(missing_ok=True)


def _find_shortage(folder: Path, room: int) -> str:
    free = shutil.disk_usage(folder).free if room else room
    if free >= room:
        return ""
    return Message(
        "{free:d} MB are free there and some {room:d} MB are needed", free=free // 2**20, room=room // 2**20
    )
