"""The beginning of a file that is being fetched, which a later call goes on with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ...system import sync_file, write_atomic
from .failures import FetchError, is_number

# Bytes after which what came is noted: so many at most are fetched twice after a power cut.
_LOT = 8 * 2**20


class PartFile:
    """The beginning of a file, how much of it is on the disk, and the validator of what it belongs to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = path.with_name(f"{path.name}.part")
        self._stamp = path.with_name(f"{path.name}.part.stamp")
        self._known, self._have = "", 0

    def ask(self) -> dict[str, str]:
        """Return the headers that ask for the rest."""
        self._known, self._have = self._read_stamp()
        return {"Range": f"bytes={self._have}-", "If-Range": self._known} if self._have else {}

    def begin(self, status: int, found: Mapping[str, str]) -> tuple[int, int | None]:
        """Return how many bytes are there already, and how many the file has; note its validator."""
        etag, length = found.get("etag", ""), found.get("content-length", "")
        if status == 206:
            asked, _, whole = found.get("content-range", "").partition("/")
            if not self._have or not asked.startswith(f"bytes {self._have}-") or etag != self._known:
                self.forget()
                raise FetchError("answered with a part that does not fit what is there", lasting=False)
            return self._have, int(whole) if is_number(whole) else None
        self.forget()
        # a weak validator does not promise equal bytes
        self._known = etag if etag.startswith('"') and etag.isascii() else ""
        return 0, int(length) if is_number(length) else None

    @contextlib.contextmanager
    def open(self, have: int) -> Iterator[Callable[[bytes], None]]:
        """Yield what takes the bytes that follow the first `have`; how far it came is noted on the way."""
        with self.file.open("r+b" if have else "wb") as f:
            f.truncate(have)
            f.seek(have)
            noted = have

            def write(chunk: bytes) -> None:
                nonlocal noted
                f.write(chunk)
                if f.tell() - noted >= _LOT:
                    noted = self._note(f)

            try:
                yield write
            finally:
                self._note(f)

    def forget(self) -> None:
        """Let the next try begin anew."""
        self._stamp.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the complete file its name."""
        sync_file(self.file)
        self.file.replace(self._path)
        self.forget()

    def _note(self, file: BinaryIO) -> int:
        """Let what came reach the disk, then say how much that is."""
        size = file.tell()
        if self._known:
            file.flush()
            sync_file(self.file)
            write_atomic(self._stamp, f"{size} {self._known}".encode("ascii"))
        return size

    def _read_stamp(self) -> tuple[str, int]:
        """Return the validator and how many bytes may be relied on; ("", 0) where nothing may."""
        try:
            size, _, known = self._stamp.read_text(encoding="ascii").partition(" ")
            there = self.file.stat().st_size
        except (OSError, UnicodeDecodeError):
            return "", 0
        # fewer bytes than were noted are not those that were noted
        return (known, int(size)) if is_number(size) and int(size) <= there else ("", 0)
