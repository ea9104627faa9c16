"""Photos inside zip and tar files: streamed out one by one; nothing of them is ever written to disk.

A member's name is a text that a labelling rule reads, and never becomes a path. What an archive says of its
sizes proves nothing, so every read is bounded and counted.

A new kind of archive is a file like `zips.py`, with a function that yields members, and a line for its first
bytes in `_find_kind`; another way to pack a tar file is that line alone.
"""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import ArchiveError
from ...system import open_given_file
from .members import LIMITS, Budget, Member, ReadLimits, Wanted
from .tars import XzFile, read_tar
from .zips import Reader, read_zip

# ImageNet's largest archive has 140 GB; what unpacks to more than the limits ends earlier.
_MOST_BYTES = 2**39


def read_archive(
    path: Path,
    wanted: Wanted,
    *,
    limits: ReadLimits = LIMITS,
    most_bytes: int = _MOST_BYTES,
    called: str = "",
    encoding: str = "",
) -> Iterator[Member]:
    """Read the wanted files of a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz, judged by content, in its order.

    Hidden files and those that macOS adds are passed over. Links, devices, encrypted or damaged files, files
    that are too large and names that lead out of the archive are refused with a reason. Archives inside are
    not opened. An archive of more than `most_bytes` is not opened at all. `called` is its name in an error,
    by default its path; `encoding` is that of names of which the archive does not say any, by default the one
    that is clearly meant.

    Raises
    ------
    ArchiveError
        If it is no archive, is damaged or cut off, unpacks to more than the limits, or has names that could
        mean several things. What stands before the damage was given by then.
    """
    called = called or str(path)
    with _open(path, called, most_bytes) as file:
        budget = Budget(called, os.fstat(file.fileno()).st_size, limits)
        unpack = _find_kind(file, called)
        if unpack is None:
            yield from read_zip(file, wanted, budget, encoding)
        else:
            yield from read_tar(unpack(file), wanted, budget, encoding)


def _open(path: Path, called: str, most_bytes: int) -> Reader:
    try:
        # the reader that counts is the one that buffers
        return Reader(open_given_file(path, most_bytes).detach())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ArchiveError(
            "There is no file {archive}. Name a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file.",
            archive=called,
        ) from None
    except OSError as e:
        raise ArchiveError(
            "{archive} cannot be read ({reason}).", archive=called, reason=e.strerror
        ) from None


def _find_kind(file: Reader, called: str) -> Callable[[Reader], io.BufferedIOBase] | None:
    """Return what unpacks the tar file inside, or None for a zip file."""
    head = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return None
    if head.startswith(b"\x1f\x8b"):
        return lambda f: gzip.GzipFile(fileobj=f)
    if head.startswith(b"BZh"):
        return bz2.BZ2File
    if head.startswith(b"\xfd7zXZ\0"):
        return XzFile
    if head[257:262] == b"ustar" or _is_tar_header(head):
        return lambda f: f
    if _is_zip(file):
        return None
    page = head.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    hint = "It is a web page; its address may ask for a login." if page else "Unpack it and name the folder."
    raise ArchiveError(
        "{archive} is no zip, tar, tar.gz, tar.bz2 or tar.xz file. {hint}", archive=called, hint=hint
    )


def _is_zip(file: Reader) -> bool:
    """Return whether a zip file ends here, whatever stands before it."""
    try:
        return zipfile.is_zipfile(file)
    except zipfile.BadZipFile:  # what looks like its end contradicts itself
        return False


def _is_tar_header(block: bytes) -> bool:
    try:
        return bool(tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").name)
    except tarfile.HeaderError:
        return False
