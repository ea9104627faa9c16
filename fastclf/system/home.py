"""A home for a user who has none: containers run as numbers that no list of users knows."""

from __future__ import annotations

import contextlib
import getpass
import os
import tempfile
from pathlib import Path

import platformdirs


def ensure_home() -> None:
    """Give this process and its children a home and a name where the system knows neither.

    Libraries keep caches in the user's home, and some do not start without one. A home that is there and
    cannot be written is kept, since weights may lie in it.
    """
    if not _has_home():
        os.environ["HOME"] = str(_make_home())
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["LOGNAME"] = os.environ["USER"] = "unknown"
    if "MPLCONFIGDIR" not in os.environ and not os.access(Path.home(), os.W_OK):
        os.environ["MPLCONFIGDIR"] = str(_make_home())


def expand_home(path: str | Path) -> Path:
    """Return a path with the home for its ``~``; one of a user whom nobody knows stays, and is no folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def find_user_cache() -> Path:
    """Return the folder for what can be made again; it need not be there."""
    ensure_home()
    return Path(platformdirs.user_cache_dir("fastclf", False))


def find_user_data() -> Path:
    """Return the folder for what has to be kept; it need not be there."""
    ensure_home()
    return Path(platformdirs.user_data_dir("fastclf", False))


def _has_home() -> bool:
    try:
        home = Path.home()
        if home.is_dir():
            return True
        home.mkdir(parents=True)
    except (RuntimeError, OSError):
        return False
    return True


def _make_home() -> Path:
    """Return a folder of this user's among the temporary ones."""
    number = os.getuid() if hasattr(os, "getuid") else 0
    home = Path(tempfile.gettempdir()) / f"fastclf-home-{number}"
    with contextlib.suppress(FileExistsError):
        home.mkdir(mode=0o700)
    found = home.lstat()
    # somebody else's folder of that name is not to be trusted
    ours = not hasattr(os, "getuid") or (found.st_uid == number and not found.st_mode & 0o022)
    return home if home.is_dir() and not home.is_symlink() and ours else Path(tempfile.mkdtemp())
