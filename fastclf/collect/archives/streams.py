"""The unpacked bytes of a packed file, from front to back."""

from __future__ import annotations

import io
import lzma
from collections.abc import Iterator
from typing import IO, Protocol

from .budget import DAMAGE, Budget
from .members import MB

# What `xz -9` asks for is 65 MB.
_MAX_XZ_MEMORY = 512 * MB


class PackedFile(Protocol):
    """Gives unpacked bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


class XzFile:
    """An .xz file, like lzma.LZMAFile, but one that may not ask for gigabytes of memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while True:
            if self._inner.eof and not self._start_next():
                return b""
            packed = self._file.read(io.DEFAULT_BUFFER_SIZE) if self._inner.needs_input else b""
            if self._inner.needs_input and not packed:
                raise EOFError
            if data := self._inner.decompress(packed, size):
                return data

    def _start_next(self) -> bool:
        """Go to the next stream, over the padding with zeros; return whether there is one."""
        rest = self._inner.unused_data.lstrip(b"\0")
        while not rest and (packed := self._file.read(io.DEFAULT_BUFFER_SIZE)):
            rest = packed.lstrip(b"\0")
        if not rest:
            return False
        self._file.seek(-len(rest), io.SEEK_CUR)
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)
        return True


class Stream:
    """The unpacked bytes of a tar file, from front to back, every one of them counted."""

    def __init__(self, file: PackedFile, budget: Budget) -> None:
        self._file = file
        self._budget = budget
        # only a tar file that is not packed can be skipped in without reading it
        self._plain = file if isinstance(file, io.BufferedReader) else None

    def read(self, size: int, *, may_end: bool = False) -> bytes:
        """Return so many bytes, or none where the end is allowed and there."""
        return b"".join(self._read_parts(size, may_end))

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        if self._plain is None:
            for _ in self._read_parts(size, False):
                pass
        elif self._plain.tell() + size > self._budget.size:
            raise self._budget.damage()
        else:
            self._plain.seek(size, io.SEEK_CUR)

    def finish(self) -> None:
        """Read what follows the last member: a packed file's checksum stands at its end."""
        while self._plain is None and self._pull(MB):
            pass

    def _read_parts(self, size: int, may_end: bool) -> Iterator[bytes]:
        left = size
        while left > 0:
            part = self._pull(min(left, MB))
            if not part and may_end and left == size:
                return
            if not part:
                raise self._budget.damage()
            left -= len(part)
            yield part

    def _pull(self, size: int) -> bytes:
        try:
            part = self._file.read(size)
        except (*DAMAGE, MemoryError) as e:
            raise self._budget.damage(e) from None
        self._budget.spend(len(part))
        return part
