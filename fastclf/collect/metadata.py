"""Photo files without what cameras and editors write beside the picture; the picture's own bytes stay."""

from __future__ import annotations

import re
import struct

# What a JPEG decoder needs of the application segments: JFIF's density, colour profile, Adobe's transform.
_JFIF = 0xE0
_JPEG_KEPT = {_JFIF: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_JPEG_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PNG_KEPT = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD",
    b"pHYs",
}  # fmt: skip
_PNG_START = b"\x89PNG\r\n\x1a\n"
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}
_WEBP_EXIF_AND_XMP = 0x08 | 0x04


def strip_metadata(data: bytes, kind: str) -> bytes | None:
    """Return a photo file without EXIF, GPS, XMP, comments, previews and whatever follows the picture.

    The colour profile stays, and nothing is encoded anew. None where that is impossible: a format other than
    JPEG, PNG and WebP, an animated WebP, an unusual build.

    References
    ----------
    ITU-T T.81, annex B (JPEG); W3C PNG, third edition, section 5; RFC 9649 (WebP).
    """
    strip = {"JPEG": _strip_jpeg, "PNG": _strip_png, "WEBP": _strip_webp}.get(kind)
    if strip is None:
        return None
    try:
        return strip(data)
    except (IndexError, struct.error):
        return None


def _strip_jpeg(data: bytes) -> bytes | None:
    parts, at = [data[:2]], 2
    while True:
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF:
            return None
        if marker == 0xD9:
            parts.append(data[at : at + 2])
            return b"".join(parts)
        end = at + 2 + int(struct.unpack_from(">H", data, at + 2)[0])
        if marker == 0xDA:  # a scan: coded data follow until the next marker
            found = _JPEG_NEXT.search(data, end)
            if found is None:
                return None
            end = found.start()
        body = data[at + 4 : end]
        if marker == _JFIF and body.startswith(_JPEG_KEPT[_JFIF]):
            # version and density, and no preview
            parts.append(data[at : at + 2] + struct.pack(">H", 16) + body[:12].ljust(12, b"\0") + bytes(2))
        elif _is_kept(marker, body):
            parts.append(data[at:end])
        at = end


def _is_kept(marker: int, body: bytes) -> bool:
    if marker == 0xFE or 0xE0 <= marker <= 0xEF:
        return marker in _JPEG_KEPT and body.startswith(_JPEG_KEPT[marker])
    return True


def _strip_png(data: bytes) -> bytes | None:
    parts, at = [_PNG_START], len(_PNG_START)
    while True:
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + int(size)
        if end > len(data):
            return None
        if kind in _PNG_KEPT:
            parts.append(data[at:end])
        if kind == b"IEND":
            return b"".join(parts)
        at = end


def _strip_webp(data: bytes) -> bytes | None:
    end = 8 + int(struct.unpack_from("<I", data, 4)[0])
    parts, at = [], 12
    while at + 8 <= min(end, len(data)):
        kind, size = struct.unpack_from("<4sI", data, at)
        chunk = data[at : at + 8 + size + size % 2]
        if kind in (b"ANIM", b"ANMF"):
            return None
        if kind == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~_WEBP_EXIF_AND_XMP]) + chunk[9:]
        if kind in _WEBP_KEPT:
            parts.append(chunk)
        at += 8 + size + size % 2
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body
