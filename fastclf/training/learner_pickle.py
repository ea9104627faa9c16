"""The pickle in a file that `learn.export` wrote, as bytes: none of it is run, and no torch is needed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import LearnerError


def read_pickle(path: Path) -> bytes:
    """Return the bytes of the pickle in the file, without running any of it.

    Raises
    ------
    LearnerError
        If the file is none that `learn.export` writes.
    """
    try:
        if path.stat().st_size == 0:
            raise LearnerError("{path} is empty (0 bytes). Export or copy it again.", path=path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if n.rpartition("/")[2] == "data.pkl"]
                if not names:
                    raise LearnerError(
                        "{path} is a zip file, but not one that `learn.export` writes.", path=path
                    )
                return archive.read(names[0])
        data = path.read_bytes()
    except (OSError, zipfile.BadZipFile) as e:
        raise LearnerError(
            "{path} cannot be read ({reason}). Export or copy it again.", path=path, reason=e
        ) from None
    if data[:2] == b"PK":
        raise LearnerError("{path} is cut off. Export or copy it again.", path=path)
    if not data.startswith(b"\x80"):
        raise LearnerError(
            "{path} is no pickle. `learn.export('export.pkl')` writes what can be imported.", path=path
        )
    return data
