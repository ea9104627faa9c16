"""Tar files: read header by header, none of them trusted."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import ArchiveError
from .budget import Budget
from .members import DEVICE, FOLDER, LINK, MB, Member, Wanted, refuse, tidy_name
from .streams import Stream

_BLOCK = tarfile.BLOCKSIZE
# Extended headers hold paths and attributes; 32-bit sizes would let them hold gigabytes.
_MAX_HEADER = MB
_MAX_HEADERS = 8
_NOTES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)


@dataclass(frozen=True)
class _Header:
    name: str
    size: int
    reason: str


def read_tar(stream: Stream, wanted: Wanted, budget: Budget) -> Iterator[Member]:
    """Yield the wanted members of a tar file."""
    while (header := _read_header(stream, budget)) is not None:
        budget.count_members(1)
        padding = -header.size % _BLOCK
        name, reason = tidy_name(header.name)
        reason = header.reason or reason
        if not name or reason == FOLDER or not wanted(name):
            stream.skip(header.size + padding)
            continue
        if not reason and header.size > budget.limits.member_bytes:
            reason = budget.limits.too_large
        if reason:
            stream.skip(header.size + padding)
            yield refuse(name, reason)
        else:
            data = stream.read(header.size)
            stream.skip(padding)
            yield Member(name, data)
    stream.finish()


def _read_header(stream: Stream, budget: Budget) -> _Header | None:
    """Read up to the data of the next member; None at the end.

    Not by tarfile.TarFile: it reads extended headers of any size into memory, searches them with a regular
    expression that can take quadratic time, and calls itself for each of them.
    """
    long_name: bytes | None = None
    pax: dict[bytes, bytes] = {}
    for count in range(_MAX_HEADERS):
        block = stream.read(_BLOCK, may_end=True)
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


def _build_header(
    stream: Stream, info: tarfile.TarInfo, block: bytes, pax: dict[bytes, bytes], long_name: bytes | None
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
        return FOLDER
    if info.issym() or info.islnk():
        return LINK
    if info.isdev():
        return DEVICE
    if sparse:
        return "is stored with holes; pack the archive again without the option for sparse files"
    return "" if info.isreg() else "is of a kind that is not read here"
