"""Zip files: read member by member, none of them trusted."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator, Sequence

from ...errors import ArchiveError
from .members import DAMAGE, DEVICE, FOLDER, LINK, MB, Budget, Member, ReadLimits, Wanted, refuse, tidy_name
from .names import find_encoding, read_unicode_path

# The directory of two million files, the most that are read, has some 300 MB.
_MAX_DIRECTORY = 512 * MB
# zipfile bounds what these two give at once; bzip2 and LZMA may give gigabytes for one small read.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_UTF8, _ZIP_ENCRYPTED = 0x800, 0x2041


class Reader(io.BufferedReader):
    """A file of which, once it has a budget, no more is read at once than a zip file's directory may have."""

    budget: Budget | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, unless that is more than allowed."""
        if self.budget is None:
            return super().read(size)
        if size is not None and size > _MAX_DIRECTORY:
            raise ArchiveError(
                "{archive} has a table of contents of {size:,.0f} MB; at most "
                "{most:.0f} MB are read. Unpack it yourself and name the folder.",
                archive=self.budget.called,
                size=size / MB,
                most=_MAX_DIRECTORY / MB,
            )
        data = super().read(size)
        self.budget.count_members(data.count(b"PK\1\2"))
        return data


def read_zip(file: Reader, wanted: Wanted, budget: Budget, encoding: str = "") -> Iterator[Member]:
    """Yield the wanted members of a zip file; `encoding` is that of names of which it does not say any."""
    with _open_zip(file, budget) as archive:
        names = _decode_names(archive.infolist(), encoding, budget.called)
        for info, text in zip(archive.infolist(), names, strict=True):
            name, reason = tidy_name(text)
            if name and not text.endswith(("/", "\\")) and wanted(name):
                reason = reason or _judge_zip_member(info, budget.limits)
                yield refuse(name, reason) if reason else _read_zip_member(archive, info, name, budget)


def _open_zip(file: Reader, budget: Budget) -> zipfile.ZipFile:
    """Read the directory, which zipfile takes into memory in one piece: not a larger one than allowed."""
    file.budget = budget
    try:
        return zipfile.ZipFile(file)
    except ArchiveError:
        raise
    except (*DAMAGE, NotImplementedError, OverflowError, MemoryError) as e:
        raise budget.damage(e) from None
    finally:
        file.budget = None


def _decode_names(infos: Sequence[zipfile.ZipInfo], encoding: str, called: str) -> list[str]:
    """Return the names as they were meant: macOS writes UTF-8 and does not say so, old Windows anything."""
    sure = [_read_sure_name(info) for info in infos]
    raw = [_encode(info) for info, name in zip(infos, sure, strict=True) if name is None]
    known = encoding or find_encoding((name for name in raw if not _is_hidden(name)), called)
    unsure = iter(name.decode(known, "replace") for name in raw)
    return [next(unsure) if name is None else name for name in sure]


def _read_sure_name(info: zipfile.ZipInfo) -> str | None:
    """Return a name of which its encoding is told, None of any other."""
    if info.flag_bits & _ZIP_UTF8 or info.orig_filename.isascii():
        return info.orig_filename
    return read_unicode_path(info.extra, _encode(info))


def _encode(info: zipfile.ZipInfo) -> bytes:
    """Return a name's bytes, which zipfile read as DOS wrote."""
    return info.orig_filename.encode("cp437", "replace")


def _is_hidden(name: bytes) -> bool:
    return name.startswith((b".", b"__MACOSX/")) or b"/." in name


def _judge_zip_member(info: zipfile.ZipInfo, limits: ReadLimits) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return {stat.S_IFLNK: LINK, stat.S_IFDIR: FOLDER}.get(kind, DEVICE)
    if info.flag_bits & _ZIP_ENCRYPTED:
        return "is encrypted; pack it again without a password"
    if info.compress_type not in _ZIP_METHODS:
        return "is packed in a way that is not read here; pack it again as an ordinary zip file"
    return limits.too_large if info.file_size > limits.member_bytes else ""


def _read_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, budget: Budget) -> Member:
    """Read a member; one that is damaged is refused, for the directory leads to the others all the same."""
    parts: list[bytes] = []
    try:
        # zipfile gives no more bytes than the size that was said, and that one was judged
        with archive.open(info) as file:
            while part := file.read(MB):
                budget.spend(len(part))
                parts.append(part)
    except ArchiveError:
        raise
    except (*DAMAGE, NotImplementedError, RuntimeError) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise budget.damage(e) from None
        return refuse(name, "is damaged in the archive; fetch the archive again")
    return Member(name, b"".join(parts))
