"""What the pixels of a file need, for files in which what only describes them is broken."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .jpeg_rows import list_segments
from .tiff_tags import find_order, iterate_tags, read_orientation

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
_WEBP_KEPT = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
# tables, frames, scans and Adobe's word on what the components are
_JPEG_KEPT = {0xDB, 0xC4, 0xCC, 0xDD, 0xDA, 0xEE, *range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC)}
_TIFF_KEPT = {
    254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 281, 284, 292, 293, 317, 320, 322, 323, 324, 325,
    332, 338, 339, 347, 512, 513, 514, 519, 520, 521, 529, 530, 531, 532,
}  # fmt: skip
_ADOBE, _LEAST_ADOBE = 0xEE, 12
# Pieces that are looked at: a file of more is refused before.
_MOST = 200_000


@dataclass(frozen=True)
class Essentials:
    """A file without descriptions.

    Attributes
    ----------
    data
        Its bytes.
    orientation
        How the photo is to be turned, as EXIF numbers it.
    profile
        Whether a colour profile was left out.
    """

    data: bytes
    orientation: int = 1
    profile: bool = False


def keep_essentials(data: bytes) -> Essentials | None:
    """Return a PNG, JPEG, WebP or TIFF without descriptions; None where it is too damaged, and for others."""
    try:
        if data.startswith(_PNG):
            return _keep_png(data)
        if data.startswith(b"\xff\xd8"):
            return _keep_jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _keep_webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _keep_tiff(data)
    except (struct.error, IndexError, ValueError):
        pass
    return None


def _keep_png(data: bytes) -> Essentials:
    chunks, orientation, profile = [_PNG], 1, False
    for kind, start, length in _list_chunks(data):
        whole = data[start : start + 12 + length]
        if kind in _PNG_KEPT and not (kind == b"tRNS" and length not in _list_transparent(chunks)):
            chunks.append(whole)
        elif kind == b"eXIf":
            orientation = read_orientation(whole[8:-4])
        profile = profile or kind == b"iCCP"
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return Essentials(b"".join([*chunks, end]), orientation, profile)


def _list_transparent(chunks: Sequence[bytes]) -> range | tuple[int, ...]:
    """Return how long PNG's word on what is transparent may be, given the header and palette before it."""
    colours = next((chunk[17] for chunk in chunks if chunk[4:8] == b"IHDR"), 0)
    palette = next((len(chunk) - 12 for chunk in chunks if chunk[4:8] == b"PLTE"), 0)
    return range(palette // 3 + 1) if colours == 3 else (2,) if colours == 0 else (6,) if colours == 2 else ()


def _list_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, place and length of a PNG's chunks; past one of a wrong length, pixels are looked for."""
    at = len(_PNG)
    for _ in range(_MOST):
        if at + 12 > len(data):
            return
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IEND":
            return
        if not kind.isalpha() or (at + 12 + length > len(data) and kind != b"IDAT"):
            at = data.find(b"IDAT", at + 8) - 4
            if at < 0:
                return
            continue
        yield kind, at, length
        at += 12 + length


def _keep_jpeg(data: bytes) -> Essentials:
    kept, orientation, profile, scan = [b"\xff\xd8"], 1, False, len(data)
    for marker, start, body in list_segments(data):
        if marker == 0xDA:
            scan = start
            break
        if marker in _JPEG_KEPT and (marker != _ADOBE or len(body) >= _LEAST_ADOBE):
            kept.append(data[start : start + 4 + len(body)])
        elif marker == 0xE1 and body.startswith(b"Exif\0"):
            orientation = read_orientation(body)
        profile = profile or body.startswith(b"ICC_PROFILE\0")
    return Essentials(b"".join([*kept, data[scan:]]), orientation, profile)


def _keep_webp(data: bytes) -> Essentials:
    kept, orientation, profile, at = [b"WEBP"], 1, False, 12
    for _ in range(_MOST):
        if at + 8 > len(data):
            break
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = data[at : at + 8 + length + length % 2]
        if kind == b"VP8X":  # no profile, no EXIF, no XMP
            chunk = chunk[:8] + bytes([chunk[8] & ~0x2C]) + chunk[9:]
        if kind in _WEBP_KEPT:
            kept.append(chunk)
        elif kind == b"EXIF":
            orientation = read_orientation(chunk[8:])
        profile = profile or kind == b"ICCP"
        at += 8 + length + length % 2
    body = b"".join(kept)
    return Essentials(b"RIFF" + struct.pack("<I", len(body)) + body, orientation, profile)


def _keep_tiff(data: bytes) -> Essentials:
    """Put a list of the needed tags behind the file; its values stay where they are."""
    order = find_order(data)
    entries = {
        tag.number: (tag.number, tag.kind, tag.count, tag.value)
        for tag in iterate_tags(data)
        if tag.number in _TIFF_KEPT
    }
    orientation = read_orientation(data)
    body = data + bytes(len(data) % 2)
    table = struct.pack(order + "H", len(entries)) + b"".join(
        struct.pack(order + "HHI", tag, kind, n) + value for tag, kind, n, value in sorted(entries.values())
    )
    return Essentials(
        body[:4] + struct.pack(order + "I", len(body)) + body[8:] + table + bytes(4), orientation
    )
