"""Writing to disk so that a kill at any moment leaves the old state or the new one."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import os
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from .stray_files import is_stray

_FORMULA = ("=", "+", "-", "@", "\u2212")
_BREAKS = ("\t", "\r", "\n", "\0")
_UNSEEN = " \t\r\n\v\f\0\u00a0\u00ad\u061c\u180e\u2028\u2029\u3000\ufeff" + "".join(
    map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A)))
)
_JOINERS = "\u200c\u200d"
# What a file system answers that does not know what is asked of it.
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)


def hash_bytes(data: bytes) -> str:
    """Return the sha256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits, without holding the file in memory."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def utc_now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name, sync it and rename it to `path`."""
    write_atomic_with(path, lambda f: f.write(data))


def sync_file(path: Path) -> None:
    """Let a file's bytes reach the disk; one that is gone needs nothing."""
    # Windows syncs only what is open for writing
    with contextlib.suppress(FileNotFoundError), path.open("r+b" if os.name == "nt" else "rb") as f:
        _sync(f.fileno())


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk: what was made, renamed or removed there stays so."""
    if os.name == "nt":  # which opens no folder, and keeps names in order by itself
        return
    with contextlib.suppress(FileNotFoundError, PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            _sync(handle)
        finally:
            os.close(handle)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, so that each new name is on the disk; one that is there stays."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)


def _sync(handle: int) -> None:
    """Let what was written reach the disk; a file system that cannot be asked to does so by itself."""
    try:
        os.fsync(handle)
    except OSError as e:
        if e.errno not in _UNSUPPORTED:
            raise


def write_atomic_with(path: Path, write: Callable[[BinaryIO], object], *, sync: bool = True) -> None:
    """Let `write` fill a file under a temporary name, sync it and rename it to `path`.

    The file has the mode that the umask gives. Without `sync` a power cut may leave an empty file or none:
    whoever relies on it calls `sync_file` and `sync_folder` first.
    """
    temporary = hide_name(path, secrets.token_hex(4))
    try:
        # made as any file is, so that no disk has to know of modes
        with naming(path), temporary.open("xb") as f:
            write(f)
            f.flush()
            if sync:
                _sync(f.fileno())
        _put_in_place(temporary, path)
        if sync:
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let a fault of the disk that names no file, as a write's, name `path`."""
    try:
        yield
    except OSError as e:
        if e.filename is None and e.errno is not None:
            e.filename = str(path)
        raise


def hide_name(path: Path, suffix: str) -> Path:
    """Return a hidden sibling of `path` that says what it belongs to, and is no longer than a name may be."""
    name = path.name.encode(errors="surrogateescape")[: 250 - len(suffix)].decode(errors="ignore")
    return path.with_name(f".{name}.{suffix}")


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename a file to `path`; what cannot be renamed over, as a file that is a mount point, is filled."""
    try:
        temporary.replace(path)
    except OSError as e:
        if not path.is_file() or e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        shutil.copyfile(temporary, path)
        sync_file(path)
        temporary.unlink()


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes and, where the disk can keep it, its time; the mode is as the umask has it."""
    shutil.copyfile(source, target)
    with contextlib.suppress(OSError):
        found = source.stat()
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def link_or_copy(source: Path, target: Path) -> bool:
    """Make `target` a hard link of a file, or a copy where the disk has none; return whether it is a link."""
    try:
        os.link(source.resolve(), target)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT):
            raise
        copy_file(source, target)
        return False
    return True


def copy_folder(source: Path, target: Path) -> None:
    """Make `target` a new folder with all files of `source`, as links where the disk has them.

    What a system left behind stays where it is.
    """
    target.mkdir()
    for path in sorted(source.iterdir()):
        if is_stray(path.name):
            continue
        place = target / path.name
        if path.is_dir():
            copy_folder(path, place)
        else:
            link_or_copy(path, place)


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV (UTF-8, one header line, ``\\n`` line ends)."""
    values = [["" if value is None else str(value) for value in row] for row in rows]
    # a lone carriage return is a line's end to readers, and the writer does not quote it by itself
    odd = any("\r" in value for row in values for value in row)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL)
    writer.writerow(header)
    writer.writerows(values)
    return text.getvalue().encode()


def defuse_formula(value: object) -> object:
    """Return a cell of a table so that no spreadsheet runs a stranger's text as a formula.

    Examples
    --------
    >>> defuse_formula("=HYPERLINK(...)"), defuse_formula("bear.jpg"), defuse_formula(-1)
    ("'=HYPERLINK(...)", 'bear.jpg', -1)
    """
    if not isinstance(value, str):
        return value
    # spreadsheets pass over signs that nobody sees, and some take wide letters for narrow ones
    start = unicodedata.normalize("NFKC", value.lstrip(_UNSEEN)[:8]).lstrip(_UNSEEN)
    return f"'{value}" if value.startswith(_BREAKS) or start.startswith(_FORMULA) else value


def clean_text(value: object, most: int) -> str:
    """Return somebody's text as one line of valid text without control characters; None is "".

    What turns a sentence around goes, too; the joiners of Persian words and of emoji stay.

    Examples
    --------
    >>> clean_text("two\\nlines ", 100)
    'two lines'
    """
    text = "" if value is None else str(value)[:most]
    return "".join(c if c.isprintable() or c in _JOINERS else " " for c in text).strip()
