"""The pickle in a file that `learn.export` wrote, as bytes: none of it is run, and no torch is needed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

from ..errors import LearnerError, describe_error
from ..system import open_given_file

# Of the file, and of the pickle in it, which holds no weights.
_MOST_BYTES, _MOST_PICKLE = 2**33, 2**28


def read_pickle(path: Path) -> bytes:
    """Return the bytes of the pickle in the file, without running any of it.

    Raises
    ------
    LearnerError
        If the file is none that `learn.export` writes.
    """
    try:
        with open_given_file(path, _MOST_BYTES) as file:
            if zipfile.is_zipfile(file):
                return _read_packed(file, path)
            file.seek(0)
            data = file.read()
    except (OSError, zipfile.BadZipFile) as e:
        reason = getattr(e, "strerror", None) or describe_error(e)
        raise LearnerError(
            "{path} cannot be read ({reason}). Export or copy it again.", path=path, reason=reason
        ) from None
    if not data:
        raise LearnerError("{path} is empty (0 bytes). Export or copy it again.", path=path)
    if data[:2] == b"PK":
        raise LearnerError("{path} is cut off. Export or copy it again.", path=path)
    if not data.startswith(b"\x80"):
        raise LearnerError(
            "{path} is no pickle. `learn.export('export.pkl')` writes what can be imported.", path=path
        )
    return data


def _read_packed(file: BinaryIO, path: Path) -> bytes:
    with zipfile.ZipFile(file) as archive:
        found = [one for one in archive.infolist() if one.filename.rpartition("/")[2] == "data.pkl"]
        if not found or found[0].file_size > _MOST_PICKLE:
            raise LearnerError(
                "{path} is a zip file, but not one that `learn.export` writes. Export the Learner again.",
                path=path,
            )
        return archive.read(found[0])
