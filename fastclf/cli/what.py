"""What `predict` is given: files, folders, archives, patterns, web addresses, standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import FastclfError, Message, UnreadablePhotoError, UsageError
from ..photos import MAX_FOLDER_BYTES, Given, list_photo_files

STANDARD_INPUT = "-"
_SCHEMES = ("http://", "https://", "data:image/")
_ARCHIVES = (b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")

Found = Given | UnreadablePhotoError


def check_what(what: Sequence[str]) -> None:
    """Refuse an empty name, and standard input where nobody sends anything, or twice: UsageError."""
    if not all(what):
        raise UsageError("One of the names is empty. Name photos, folders or archives.")
    if what.count(STANDARD_INPUT) > 1:
        raise UsageError("- stands for one photo on standard input; name it once.")
    if STANDARD_INPUT in what and sys.stdin.isatty():
        raise UsageError("- reads a photo from standard input: `cat a.jpg | fastclf predict model -`.")


def find_photos(what: Sequence[str]) -> Iterator[Found]:
    """Yield the photos that are meant, one after the other; for what gives none, the fault that says why."""
    for one in what:
        if one == STANDARD_INPUT:
            yield {"name": "standard input", "content": sys.stdin.buffer.read(MAX_FOLDER_BYTES + 1)}
        elif os.path.lexists(one):
            yield from _open_path(one)
        elif one.lower().startswith(_SCHEMES):
            yield _fetch(one)
        elif glob.has_magic(one):
            yield from _match(one)
        elif "://" in one:
            yield UnreadablePhotoError(one, "is an address that is not fetched; http and https ones are")
        else:
            yield one


def _match(pattern: str) -> Iterator[Found]:
    """Yield what a pattern matches that no shell has resolved: it was quoted, or there is none on Windows."""
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute ones
    if not found:
        yield UnreadablePhotoError(pattern, "matches no file")
    for path in found:
        # the folders on the way are matched by ** as well as what lies in them
        if "**" not in pattern or not Path(path).is_dir():
            yield from _open_path(path)


def _open_path(path: str) -> Iterator[Found]:
    if Path(path).is_dir():
        yield from _list_folder(path)
    elif _is_archive(Path(path)):
        yield from _unpack(path)
    else:
        yield path


def _list_folder(folder: str) -> Iterator[Found]:
    files = list_photo_files(Path(folder))
    if not files:
        yield UnreadablePhotoError(folder, "holds no photos")
    for file in files:
        yield str(file.path)


def _is_archive(path: Path) -> bool:
    if not path.is_file():  # opening a pipe would wait for ever
        return False
    try:
        with path.open("rb") as f:
            head = f.read(262)
    except OSError:
        return False
    return head.startswith(_ARCHIVES) or head[257:262] == b"ustar"


def _unpack(path: str) -> Iterator[Found]:
    """Yield the photos inside of an archive, called by its name and theirs."""
    from ..collect import is_photo_name, read_archive

    empty = True
    try:
        for member in read_archive(Path(path), is_photo_name):
            empty = False
            name = f"{path}/{member.name}"
            if member.data is None:
                yield UnreadablePhotoError(name, member.reason)
            else:
                yield {"name": name, "content": member.data}
    except FastclfError as e:
        yield _explain(path, e)
        return
    if empty:
        yield UnreadablePhotoError(path, "holds no photos")


def _fetch(address: str) -> Found:
    from ..collect import fetch_photo

    shown = address if len(address) < 200 else f"{address[:60]}..."
    try:
        return {"name": shown, "content": fetch_photo(address)[1]}
    except FastclfError as e:
        return _explain(shown, e)


def _explain(name: str, error: FastclfError) -> UnreadablePhotoError:
    reason = Message("cannot be read ({error})", error=str(error).rstrip("."))
    return UnreadablePhotoError(name, reason)
