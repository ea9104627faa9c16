"""Tar files, packed or not: read from front to back and header by header, none of them trusted.

`tarfile` reads the blocks of headers here (`TarInfo.frombuf`), but not whole files: `TarFile` takes extended
headers of any size into memory, calls itself for each of a chain, and takes a damaged one for the end. Up to
Python 3.11.9 it also searches them in quadratic time (CVE-2024-6232) and passes over broken records.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Iterator
from typing import IO

from ...errors import ArchiveError
from .members import DAMAGE, DEVICE, LINK, MB, Budget, Member, Wanted, refuse, tidy_name
from .names import find_encoding

_BLOCK = tarfile.BLOCKSIZE
# Extended headers hold paths and attributes; 32-bit sizes would let them hold gigabytes.
_MAX_HEADER = MB
# Tar programs write three at most before a member: global, extended, and a long name or a long link.
_MAX_HEADERS = 8
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENDED = (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
# What `xz -9` asks for is 65 MB.
_MAX_XZ_MEMORY = 512 * MB


class XzFile(io.BufferedIOBase):
    """An .xz file, like lzma.LZMAFile, but one that may not ask for gigabytes of memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while True:
            if self._inner.eof and not self._start_next():
                return b""
            packed = self._file.read(io.DEFAULT_BUFFER_SIZE) if self._inner.needs_input else b""
            if self._inner.needs_input and not packed:
                raise EOFError
            if data := self._inner.decompress(packed, -1 if size is None else size):
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

    def __init__(self, file: io.BufferedIOBase, budget: Budget) -> None:
        self._file = file
        self._budget = budget
        # only a tar file that is not packed can be skipped in without reading it
        self._plain = file if isinstance(file, io.BufferedReader) else None

    def read(self, size: int, *, whole: bool = True) -> bytes:
        """Return so many bytes; fewer at the end, which is damage where `whole` is asked for."""
        data = b"".join(self._parts(size))
        if whole and len(data) < size:
            raise self._budget.damage()
        return data

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        if self._plain is None:
            passed = sum(len(part) for part in self._parts(size))
        else:
            passed = min(size, self._budget.size - self._plain.tell())
            self._plain.seek(passed, io.SEEK_CUR)
        if passed < size:
            raise self._budget.damage()

    def finish(self) -> None:
        """Read what follows the last member: a packed file's checksum stands at its end."""
        while self._plain is None and self._pull(MB):
            pass

    def _parts(self, size: int) -> Iterator[bytes]:
        while size and (part := self._pull(min(size, MB))):
            size -= len(part)
            yield part

    def _pull(self, size: int) -> bytes:
        try:
            part = self._file.read(size)
        except (*DAMAGE, MemoryError) as e:
            raise self._budget.damage(e) from None
        self._budget.spend(len(part))
        return part


def read_tar(file: io.BufferedIOBase, wanted: Wanted, budget: Budget, encoding: str = "") -> Iterator[Member]:
    """Yield the wanted members of a tar file; `encoding` is that of names that are no UTF-8."""
    stream = Stream(file, budget)
    while (info := _read_header(stream, budget)) is not None:
        budget.count_members(1)
        padding = -info.size % _BLOCK
        name, reason = tidy_name(_decode_name(info.name, encoding, budget))
        reason = _judge_tar_member(info) or reason
        if not name or info.isdir() or not wanted(name):
            stream.skip(info.size + padding)
            continue
        if not reason and info.size > budget.limits.member_bytes:
            reason = budget.limits.too_large
        if reason:
            stream.skip(info.size + padding)
            yield refuse(name, reason)
        else:
            data = stream.read(info.size)
            stream.skip(padding)
            yield Member(name, data)
    stream.finish()


def _decode_name(name: str, encoding: str, budget: Budget) -> str:
    """Return a name as it was meant; one that is no UTF-8 stands alone, so it is asked for."""
    raw = name.encode("utf-8", "surrogateescape")
    if encoding and not raw.isascii():
        return raw.decode(encoding, "replace")
    if name.isprintable() or not any("\ud800" <= c <= "\udfff" for c in name):
        return name
    return raw.decode(find_encoding([raw], budget.called, of_dos=False))


def _read_header(stream: Stream, budget: Budget) -> tarfile.TarInfo | None:
    """Read up to the data of the next member; None at the end."""
    name: bytes | None = None
    pax: dict[bytes, bytes] = {}
    for count in range(_MAX_HEADERS):
        block = stream.read(_BLOCK, whole=False)
        if not count and block in (b"", bytes(_BLOCK)):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            raise budget.damage() if budget.members else _no_tar(budget) from None
        if info.size < 0:
            raise budget.damage()
        if info.type not in _EXTENDED:
            return _complete(stream, info, block, pax, pax.get(b"path", name))
        note = _read_note(stream, info, budget)
        if info.type == tarfile.GNUTYPE_LONGNAME:
            name = note.partition(b"\0")[0]
        elif info.type in _PAX:
            pax = _parse_pax(note, budget)
    raise budget.damage()


def _no_tar(budget: Budget) -> ArchiveError:
    return ArchiveError(
        "{archive} is packed, but holds no tar file. Unpack it and name the folder.", archive=budget.called
    )


def _read_note(stream: Stream, info: tarfile.TarInfo, budget: Budget) -> bytes:
    if info.size > _MAX_HEADER:
        raise ArchiveError(
            "{archive} holds a header of {size:,.0f} MB; at most "
            "{most:.0f} MB are read. Unpack it yourself if you trust it, and name the folder.",
            archive=budget.called,
            size=info.size / MB,
            most=_MAX_HEADER / MB,
        )
    note = stream.read(info.size)
    stream.skip(-info.size % _BLOCK)
    return note


def _parse_pax(note: bytes, budget: Budget) -> dict[bytes, bytes]:
    """Return the fields of an extended header: records of "LENGTH KEY=VALUE\\n"."""
    fields: dict[bytes, bytes] = {}
    at = 0
    while at < len(note) and note[at]:
        digits, space, _ = note[at : at + 20].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        key, equals, value = note[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if not length or not equals or at + length > len(note):
            raise budget.damage()
        fields[key] = value
        at += length
    if not fields.get(b"size", b"0").isdigit() or len(fields.get(b"size", b"")) > 20:
        raise budget.damage()
    return fields


def _complete(
    stream: Stream, info: tarfile.TarInfo, block: bytes, pax: dict[bytes, bytes], name: bytes | None
) -> tarfile.TarInfo:
    """Give a member the name and size of its extended headers, and pass over a map of its holes."""
    has_data = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
    info.size = int(pax.get(b"size", info.size)) if has_data else 0
    if name is not None:
        info.name = name.decode("utf-8", "surrogateescape")
    more = block[482] if info.type == tarfile.GNUTYPE_SPARSE else 0
    while more:
        more = stream.read(_BLOCK)[504]
    if any(key.startswith(b"GNU.sparse.") for key in pax):
        info.type = tarfile.GNUTYPE_SPARSE
    return info


def _judge_tar_member(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return LINK
    if info.isdev():
        return DEVICE
    if info.type == tarfile.GNUTYPE_SPARSE:
        return "is stored with holes; pack the archive again without the option for sparse files"
    return "" if info.isreg() or info.isdir() else "is of a kind that is not read here"
