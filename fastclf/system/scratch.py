"""Temporary folders of ours, and those that killed processes left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"fastclf-[a-z]+-(\d+)-\w+")
# Another machine's process, or one of another container, may use the same place for temporary files.
_LEAST_SECONDS = 3600


@contextlib.contextmanager
def scratch_folder(what: str) -> Iterator[str]:
    """Give a temporary folder for a block; what killed processes left of such folders goes first."""
    sweep_scratch()
    with tempfile.TemporaryDirectory(prefix=f"fastclf-{what}-{os.getpid()}-") as folder:
        yield folder


def sweep_scratch(root: Path | None = None) -> None:
    """Remove this user's temporary folders of processes that are gone."""
    with contextlib.suppress(OSError), os.scandir(root or tempfile.gettempdir()) as found:
        for entry in found:
            match = _NAME.fullmatch(entry.name)
            if match and _is_left(entry, int(match[1])):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left(entry: os.DirEntry[str], process: int) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
        if not entry.is_dir(follow_symlinks=False) or time.time() - status.st_mtime < _LEAST_SECONDS:
            return False
        if os.name != "posix" or status.st_uid != os.getuid():
            return False
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
