"""Photos inside zip and tar files: streamed out one by one; nothing of them is ever written to disk.

A member's name is a text that a labelling rule reads, and never becomes a path. What an archive says of its
sizes proves nothing, so every read is bounded and counted.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ..errors import ArchiveError
from ..images import MAX_FOLDER_BYTES, SUFFIXES

Wanted = Callable[[str], bool]

MAX_NAME = 1000
_MB = 2**20
_BLOCK = tarfile.BLOCKSIZE
# Extended headers hold paths and attributes; 32-bit sizes would let them hold gigabytes.
_MAX_HEADER = _MB
_MAX_HEADERS = 8
_MAX_DIRECTORY = 512 * _MB
# What `xz -9` asks for is 65 MB.
_MAX_XZ_MEMORY = 512 * _MB
_NOTES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)
# zipfile bounds what these two give at once; bzip2 and LZMA may give gigabytes for one small read.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_UTF8, _ZIP_ENCRYPTED = 0x800, 0x2041
_LINK = "is a link; only files are read"
_DEVICE = "is a device or a pipe, not a photo"
_FOLDER = "is a folder"
_OUTWARD = re.compile("/|[A-Za-z]:")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DAMAGE = (
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.HeaderError,
)


@dataclass(frozen=True)
class ReadLimits:
    """How much of a source is read.

    Attributes
    ----------
    member_bytes
        Largest file.
    total_bytes
        All that is unpacked of one archive, what is skipped included where skipping means unpacking.
    ratio, slack_bytes
        An archive of n bytes unpacks to `ratio` x n + `slack_bytes` at most.
    members
        Files, links and folders in one archive.
    """

    member_bytes: int = MAX_FOLDER_BYTES
    total_bytes: int = 50 * 2**30
    ratio: int = 200
    slack_bytes: int = 64 * _MB
    members: int = 2_000_000

    @property
    def too_large(self) -> str:
        """The reason for refusing a file."""
        return f"is larger than {self.member_bytes / _MB:.0f} MB"


LIMITS = ReadLimits()


@dataclass(frozen=True)
class Member:
    """One file of a source.

    Attributes
    ----------
    name
        Its path inside the source, with ``/``; fit to be shown, not to be opened.
    data
        Its bytes, or None where it was refused.
    reason
        Why it was refused: a clause such as "is larger than 200 MB".
    """

    name: str
    data: bytes | None
    reason: str = ""


def is_photo_name(name: str) -> bool:
    """Return whether a file is named like a photo."""
    return name.lower().endswith(SUFFIXES)


def read_archive(
    path: Path, wanted: Wanted, *, limits: ReadLimits = LIMITS, called: str = ""
) -> Iterator[Member]:
    """Read the wanted files of a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz, judged by content, in its order.

    Hidden files and those that macOS adds are passed over. Links, devices, encrypted or damaged files, files
    that are too large and names that lead out of the archive are refused with a reason. Archives inside are
    not opened.

    Parameters
    ----------
    path
        The file.
    wanted
        Asked with the name of each file, with ``/``.
    limits
        How much is read.
    called
        What to call the archive in an error; by default its path.

    Raises
    ------
    ArchiveError
        If it is no archive, is damaged or cut off, or unpacks to more than the limits. What stands before the
        damage was given by then.
    """
    called = called or str(path)
    with _open(path, called) as file:
        budget = _Budget(called, path.stat().st_size, limits)
        unpack = _find_kind(file, called)
        if unpack is None:
            yield from _read_zip(file, wanted, budget)
        else:
            yield from _read_tar(_Stream(unpack(file), budget), wanted, budget)


def tidy_name(text: str) -> tuple[str, str]:
    r"""Return a name fit to be shown, with ``/``, and why it is refused, or "".

    The name is "" where the file is passed over: it is hidden, or macOS added it.

    Examples
    --------
    >>> tidy_name("./cat\\1.jpg"), tidy_name("cat/.DS_Store"), tidy_name("../1.jpg")[1]
    (('cat/1.jpg', ''), ('', ''), 'has a path that leads out of the archive')
    """
    slashed = text.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts):
        return "", ""
    name = show_name("/".join(parts))
    if ".." in parts or _OUTWARD.match(slashed) or _CONTROLS.search(text):
        return name, "has a path that leads out of the archive"
    return name, f"has a path of more than {MAX_NAME:,} characters" if len(name) > MAX_NAME else ""


def show_name(text: str) -> str:
    """Return a name in which U+FFFD stands for control characters and for bytes that are no UTF-8."""
    return _UNSHOWN.sub("\ufffd", text)


class _File(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Budget:
    """Counts what one archive gives, and ends it where that is more than photos can be."""

    def __init__(self, called: str, size: int, limits: ReadLimits) -> None:
        self.called = called
        self.limits = limits
        self.size = size
        self._allowed = min(limits.total_bytes, limits.ratio * size + limits.slack_bytes)
        self._spent = 0
        self.members = 0

    def spend(self, count: int) -> None:
        self._spent += count
        if self._spent > self._allowed:
            raise ArchiveError(
                f"{self.called} has {self.size / _MB:,.1f} MB and unpacks to more than "
                f"{self._allowed / _MB:,.0f} MB, which photos do not do. It was not read any further; if you "
                "trust it, unpack it yourself and name the folder."
            )

    def count_members(self, count: int) -> None:
        self.members += count
        if self.members > self.limits.members:
            raise ArchiveError(
                f"{self.called} holds more than {self.limits.members:,} files. It was not read any further; "
                "unpack it yourself and name the folders that are needed."
            )

    def damage(self, error: Exception | None = None) -> ArchiveError:
        """Return what to raise for an error that a reader met."""
        if isinstance(error, OSError) and error.errno is not None:
            return ArchiveError(f"{self.called} cannot be read ({error.strerror}).")
        if isinstance(error, MemoryError) or "Memory usage" in str(error):
            return ArchiveError(f"{self.called} takes too much memory to unpack; pack it again.")
        return ArchiveError(f"{self.called} is damaged or cut off; delete it and fetch it again.")


def _open(path: Path, called: str) -> _Reader:
    try:
        if not path.is_file():
            raise ArchiveError(
                f"There is no file {called}. Name a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file."
            )
        return _Reader(io.FileIO(path))
    except OSError as e:
        raise ArchiveError(f"{called} cannot be read ({e.strerror}).") from None


def _find_kind(file: IO[bytes], called: str) -> Callable[[IO[bytes]], _File] | None:
    """Return what unpacks the tar file inside, or None for a zip file."""
    head = file.read(_BLOCK)
    file.seek(0)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return None
    if head.startswith(b"\x1f\x8b"):
        return lambda f: gzip.GzipFile(fileobj=f)
    if head.startswith(b"BZh"):
        return bz2.BZ2File
    if head.startswith(b"\xfd7zXZ\0"):
        return _XzFile
    if head[257:262] == b"ustar" or _is_tar_header(head):
        return lambda f: f
    if zipfile.is_zipfile(file):
        return None
    page = head.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    hint = "It is a web page; its address may ask for a login." if page else "Unpack it and name the folder."
    raise ArchiveError(f"{called} is no zip, tar, tar.gz, tar.bz2 or tar.xz file. {hint}")


def _is_tar_header(block: bytes) -> bool:
    try:
        return bool(tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").name)
    except tarfile.HeaderError:
        return False


# -- zip


class _Reader(io.BufferedReader):
    """A file of which, once it has a budget, no more is read at once than a zip file's directory may have."""

    budget: _Budget | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        if self.budget is None:
            return super().read(size)
        if size is not None and size > _MAX_DIRECTORY:
            raise self.budget.damage()
        data = super().read(size)
        self.budget.count_members(data.count(b"PK\1\2"))
        return data


def _read_zip(file: _Reader, wanted: Wanted, budget: _Budget) -> Iterator[Member]:
    with _open_zip(file, budget) as archive:
        for info in archive.infolist():
            name, reason = tidy_name(_decode_zip_name(info))
            if name and not info.is_dir() and wanted(name):
                reason = reason or _judge_zip_member(info, budget.limits)
                yield _refuse(name, reason) if reason else _read_zip_member(archive, info, name, budget)


def _open_zip(file: _Reader, budget: _Budget) -> zipfile.ZipFile:
    """Read the directory, which zipfile takes into memory in one piece: not a larger one than allowed."""
    file.budget = budget
    try:
        return zipfile.ZipFile(file)
    except ArchiveError:
        raise
    except (*_DAMAGE, NotImplementedError, OverflowError, MemoryError) as e:
        raise budget.damage(e) from None
    finally:
        file.budget = None


def _decode_zip_name(info: zipfile.ZipInfo) -> str:
    """Return the name as it was meant: macOS writes UTF-8 and does not say so."""
    if info.flag_bits & _ZIP_UTF8:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode()
    except UnicodeError:
        return info.orig_filename


def _judge_zip_member(info: zipfile.ZipInfo, limits: ReadLimits) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return {stat.S_IFLNK: _LINK, stat.S_IFDIR: _FOLDER}.get(kind, _DEVICE)
    if info.flag_bits & _ZIP_ENCRYPTED:
        return "is encrypted; pack it again without a password"
    if info.compress_type not in _ZIP_METHODS:
        return "is packed in a way that is not read here; pack it again as an ordinary zip file"
    return limits.too_large if info.file_size > limits.member_bytes else ""


def _read_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, budget: _Budget) -> Member:
    """Read a member; one that is damaged is refused, for the directory leads to the others all the same."""
    parts: list[bytes] = []
    left = budget.limits.member_bytes
    try:
        with archive.open(info) as file:
            while part := file.read(_MB):
                budget.spend(len(part))
                left -= len(part)
                if left < 0:
                    return _refuse(name, budget.limits.too_large)
                parts.append(part)
    except ArchiveError:
        raise
    except (*_DAMAGE, NotImplementedError, RuntimeError) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise budget.damage(e) from None
        return _refuse(name, "is damaged in the archive; fetch the archive again")
    return Member(name, b"".join(parts))


# -- tar


class _XzFile:
    """An .xz file, like lzma.LZMAFile, but one that may not ask for gigabytes of memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
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


class _Stream:
    """The unpacked bytes of a tar file, from front to back, every one of them counted."""

    def __init__(self, file: _File, budget: _Budget) -> None:
        self._file = file
        self._budget = budget
        # only a tar file that is not packed can be skipped in without reading it
        self._plain = file if isinstance(file, io.BufferedReader) else None

    def read(self, size: int, *, may_end: bool = False) -> bytes:
        return b"".join(self._read_parts(size, may_end))

    def skip(self, size: int) -> None:
        if self._plain is None:
            for _ in self._read_parts(size, False):
                pass
        elif self._plain.tell() + size > self._budget.size:
            raise self._budget.damage()
        else:
            self._plain.seek(size, io.SEEK_CUR)

    def finish(self) -> None:
        """Read what follows the last member: a packed file's checksum stands at its end."""
        while self._plain is None and self._pull(_MB):
            pass

    def _read_parts(self, size: int, may_end: bool) -> Iterator[bytes]:
        left = size
        while left > 0:
            part = self._pull(min(left, _MB))
            if not part and may_end and left == size:
                return
            if not part:
                raise self._budget.damage()
            left -= len(part)
            yield part

    def _pull(self, size: int) -> bytes:
        try:
            part = self._file.read(size)
        except (*_DAMAGE, MemoryError) as e:
            raise self._budget.damage(e) from None
        self._budget.spend(len(part))
        return part


@dataclass(frozen=True)
class _Header:
    name: str
    size: int
    reason: str


def _read_tar(stream: _Stream, wanted: Wanted, budget: _Budget) -> Iterator[Member]:
    while (header := _read_header(stream, budget)) is not None:
        budget.count_members(1)
        padding = -header.size % _BLOCK
        name, reason = tidy_name(header.name)
        reason = header.reason or reason
        if not name or reason == _FOLDER or not wanted(name):
            stream.skip(header.size + padding)
            continue
        if not reason and header.size > budget.limits.member_bytes:
            reason = budget.limits.too_large
        if reason:
            stream.skip(header.size + padding)
            yield _refuse(name, reason)
        else:
            data = stream.read(header.size)
            stream.skip(padding)
            yield Member(name, data)
    stream.finish()


def _read_header(stream: _Stream, budget: _Budget) -> _Header | None:
    """Read up to the data of the next member; None at the end.

    Not by tarfile.TarFile: it reads extended headers of any size into memory, searches them with a regular
    expression that can take quadratic time, and calls itself for each of them.
    """
    long_name: bytes | None = None
    pax: dict[bytes, bytes] = {}
    for count in range(_MAX_HEADERS):
        block = stream.read(_BLOCK, may_end=count == 0)
        if not count and not block.strip(b"\0"):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            raise budget.damage() if budget.members else _no_tar(budget) from None
        if info.size < 0:
            raise budget.damage()
        if info.type == tarfile.GNUTYPE_LONGNAME:
            long_name = _read_note(stream, info, budget).partition(b"\0")[0]
        elif info.type in _NOTES:
            note = _read_note(stream, info, budget)
            if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                pax = _parse_pax(note, budget)
        else:
            return _build_header(stream, info, block, pax, long_name)
    raise budget.damage()


def _no_tar(budget: _Budget) -> ArchiveError:
    return ArchiveError(f"{budget.called} is packed, but holds no tar file. Unpack it and name the folder.")


def _read_note(stream: _Stream, info: tarfile.TarInfo, budget: _Budget) -> bytes:
    if info.size > _MAX_HEADER:
        raise ArchiveError(
            f"{budget.called} holds a header of {info.size / _MB:,.0f} MB; at most "
            f"{_MAX_HEADER / _MB:.0f} MB are read. Unpack it yourself if you trust it, and name the folder."
        )
    note = stream.read(info.size)
    stream.skip(-info.size % _BLOCK)
    return note


def _parse_pax(note: bytes, budget: _Budget) -> dict[bytes, bytes]:
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


def _build_header(
    stream: _Stream, info: tarfile.TarInfo, block: bytes, pax: dict[bytes, bytes], long_name: bytes | None
) -> _Header:
    has_data = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
    size = int(pax.get(b"size", info.size)) if has_data else 0
    name = pax.get(b"path", long_name)
    text = info.name if name is None else name.decode("utf-8", "surrogateescape")
    sparse = info.type == tarfile.GNUTYPE_SPARSE
    more = block[482] if sparse else 0
    while more:
        more = stream.read(_BLOCK)[504]
    sparse = sparse or any(key.startswith(b"GNU.sparse.") for key in pax)
    return _Header(text, size, _judge_tar_member(info, sparse))


def _judge_tar_member(info: tarfile.TarInfo, sparse: bool) -> str:
    if info.isdir():
        return _FOLDER
    if info.issym() or info.islnk():
        return _LINK
    if info.isdev():
        return _DEVICE
    if sparse:
        return "is stored with holes; pack the archive again without the option for sparse files"
    return "" if info.isreg() else "is of a kind that is not read here"


def _refuse(name: str, reason: str) -> Member:
    return Member(name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…", None, reason)
