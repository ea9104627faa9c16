"""Writing to disk so that a kill at any moment leaves the old state or the new one."""

from __future__ import annotations

import contextlib
import csv
import glob
import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_JOINERS = "\u200c\u200d"


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
        os.fsync(f.fileno())


def write_atomic_with(path: Path, write: Callable[[BinaryIO], object], *, sync: bool = True) -> None:
    """Let `write` fill a file under a temporary name, sync it and rename it to `path`.

    Without `sync` a power cut may leave an empty file: whoever relies on it calls `sync_file` first.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as f:
            write(f)
            f.flush()
            if sync:
                os.fsync(f.fileno())
        # mkstemp makes files private; a photo or a model is as readable as its folder lets it be
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


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


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` when the block ends well.

    The folder is a sibling of `target`, so that the last step is a rename. An old `target` is kept until
    the new one is complete, and comes back if the rename fails.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    staging.chmod(0o777 & ~_umask())
    try:
        yield staging
        for path in sorted(p for p in staging.rglob("*") if p.is_file()):
            sync_file(path)
        swap_folder(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def recover_folder(target: Path) -> None:
    """Bring back the old `target` if a kill came between the two renames of `replaced_folder`."""
    target = target.absolute()
    if not target.name or target.exists():
        return
    old = _old_name(target)
    if old.is_dir() and not target.exists():
        with contextlib.suppress(OSError):  # somebody else was faster
            old.replace(target)


def wait_for_folder(target: Path, seconds: float = 1.0) -> None:
    """Wait while another process is between the two renames of `replaced_folder`; writes nothing.

    After a kill in between it waits in vain: bringing the old `target` back is for those who write.
    """
    until = time.monotonic() + seconds
    while not target.exists() and _old_name(target.absolute()).is_dir() and time.monotonic() < until:
        time.sleep(0.01)


def find_write_error(target: Path) -> str:
    """Return why no folder `target` can be made where it is to be, or ""; its parent is made."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent):
            return ""
    except OSError as e:
        return e.strerror or str(e)


def _old_name(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def swap_folder(staging: Path, target: Path, attempts: int = 20) -> None:
    """Rename `staging` to `target`, whose old content goes; a reader in between may bring it back."""
    target = target.absolute()
    old = _old_name(target)
    for attempt in range(attempts):
        recover_folder(target)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.replace(old)
        try:
            staging.replace(target)
            break
        except OSError:
            if attempt + 1 < attempts and target.exists():
                continue
            recover_folder(target)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep(target: Path, age: float = 86_400) -> None:
    """Remove what a killed `replaced_folder` left beside `target` a day ago or earlier."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*"):
        if left.name != _old_name(target).name and time.time() - left.lstat().st_mtime > age:
            shutil.rmtree(left, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
