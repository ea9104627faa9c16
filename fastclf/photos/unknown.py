"""What is wrong with a file that is no photo, in words."""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

from ..errors import Message
from .jpeg_rows import read_jpeg_frame
from .signatures import ARCHIVE, ELSE, HEIC, PICTURE, RAW, READ, SEVERAL, Signature, find_signature
from .tiff_tags import read_tiff_tags

_PICTURE = Message("is {kind}, which is not read here; save it as PNG")
_PACKED = Message("is {kind}, not a photo; unpack it")
_SEVERAL = Message("is {kind}, not a photo; save single pictures of it as JPEG or PNG")
_ELSE = Message("is {kind}, not a photo")
_NAMED_PICTURE, _FILE = Message("a {name} picture"), Message("a {name} file")
_RAW, _ARCHIVE = Message("a camera's RAW photo ({name})"), Message("a {name} archive")

_NAMED = {
    PICTURE: (_PICTURE, _NAMED_PICTURE),
    RAW: (_PICTURE, _RAW),
    ARCHIVE: (_PACKED, _ARCHIVE),
    SEVERAL: (_SEVERAL, _FILE),
    ELSE: (_ELSE, _FILE),
}
_CALLED = {
    "PDF": Message("a PDF document"), "Office": Message("an Office document"), "icon": Message("an icon"),
    "video": Message("a video"), "sound": Message("a sound"), "program": Message("a program"),
}  # fmt: skip
_FRAMES = {0xC3: "lossless", 0xC9: "arithmetic", 0xCA: "arithmetic", 0xCB: "arithmetic"}
_FRAMES |= dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical")
_DNG_VERSION, _SUB_IFDS, _SUBFILE = 50706, 330, 254
_MOST_BANDS = 6
_BITS, _COMPRESSION, _PHOTOMETRIC, _BANDS, _SAMPLES = 258, 259, 262, 277, 339


def describe_unknown(data: bytes, formats: Sequence[str]) -> str:
    """Return what a file's first bytes are instead of a photo, as a clause; `formats` are the usual ones."""
    head, usual = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower(), ", ".join(formats)
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        return Message("is a web page, not a photo; use {formats} or AVIF", formats=usual)
    if b"<svg" in head:
        return Message("is an SVG drawing, not a photo; use {formats} or AVIF", formats=usual)
    found = find_signature(data)
    if found and found.kind == HEIC:
        return (
            "is a HEIC photo, which is not read here; save it as JPEG (the extra fastclf[heic] reads these)"
        )
    if not any(data[:1024]):
        return "holds only zeros; save or fetch it again"
    if words := _describe_foreign(found) or _describe_damaged(data) or _describe_text(data, head):
        return words
    return Message("is not a photo that can be read here; use {formats} or AVIF", formats=usual)


def describe_misread(data: bytes) -> str:
    """Return what a TIFF is that Pillow would take for another one, as a clause; "" for all others."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return ""
    tags = read_tiff_tags(data)
    if _DNG_VERSION in tags or (_SUB_IFDS in tags and tags.get(_SUBFILE) == 1) or data[8:11] == b"CR\x02":
        name = "DNG" if _DNG_VERSION in tags else "CR2" if data[8:10] == b"CR" else "NEF, ARW"
        return Message(_PICTURE, kind=Message(_RAW, name=name))
    return _describe_tiff(tags) if tags.get(_BANDS, 1) > _MOST_BANDS else ""


def _describe_foreign(found: Signature | None) -> str:
    if found is None or found.kind not in _NAMED:
        return ""
    sentence, kind = _NAMED[found.kind]
    return Message(sentence, kind=_CALLED.get(found.name) or Message(kind, name=found.name))


def describe_bits(bits: int) -> str:
    """Return why a JPEG of so many bits is not read, as a clause, or ""."""
    if bits in (0, 8):
        return ""
    return Message("is a JPEG of {bits} bits; 8 are read, so save it as PNG", bits=bits)


def _describe_damaged(data: bytes) -> str:
    """Return what is wrong with a file that begins like a photo, as a clause; "" where it does not."""
    found = find_signature(data)
    if found is None or found.kind != READ:
        return ""
    name = found.name
    frame = read_jpeg_frame(data) if name == "JPEG" else None
    return (
        (frame and (describe_bits(frame.bits) or _describe_frame(frame.kind)))
        or (_describe_tiff(read_tiff_tags(data)) if name == "TIFF" else "")
        or Message("is a damaged {format}; save or fetch it again", format=name)
    )


def _describe_frame(kind: int) -> str:
    if kind not in _FRAMES:
        return ""
    return Message(_PICTURE, kind=Message(_NAMED_PICTURE, name=f"JPEG ({_FRAMES[kind]})"))


def _describe_tiff(tags: dict[int, int]) -> str:
    bands, bits = tags.get(_BANDS, 1), tags.get(_BITS, 1)
    if bands not in (1, 3, 4):
        return Message("is a TIFF of {n} bands; 1, 3 or 4 are read", n=bands)
    if bits > 32 or tags.get(_SAMPLES, 1) > 3:
        return Message(
            "is a TIFF of {bits} bits a value; whole numbers or floats of up to 32 are read", bits=bits
        )
    if bands > 1 and (bits > 16 or tags.get(_SAMPLES) == 3):
        return Message("is a TIFF with colours of {bits} bits; 8 or 16 are read", bits=bits)
    if tags.keys() >= {256, 257, _BITS, _COMPRESSION}:
        return Message(
            "is a TIFF of a rare kind (compression {compression:d}, colours {colours:d}, {bits} bits); "
            "save it as PNG",
            compression=tags[_COMPRESSION],
            colours=tags.get(_PHOTOMETRIC, 0),
            bits=bits,
        )
    return ""


def _describe_text(data: bytes, head: bytes) -> str:
    if data.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the photo itself; fetch it with `git lfs pull`"
    start = data[:256]
    if any(byte < 9 or 13 < byte < 32 for byte in start):
        return ""
    try:
        start.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        if e.end < len(start) - 4:
            return ""
    if head.startswith((b"{", b"[")):
        return Message(_ELSE, kind=Message("JSON text, probably a server's error"))
    return Message(_ELSE, kind=Message("text"))


def describe_excess(size: int, most: int) -> str:
    """Return that a file is too large, as a clause without a name; both in bytes."""
    return Message(
        "has {size:.1f} MB; at most {most:.0f} MB are read, so scale it down",
        size=size / 2**20,
        most=most / 2**20,
    )


def describe_pixels(pixels: int, most: int) -> str:
    """Return that a photo has too many pixels, as a clause without a name."""
    return Message(
        "has {n:.0f} megapixels; at most {most:.0f} are read here, so scale it down",
        n=pixels / 1e6,
        most=most / 1e6,
    )


def describe_error(error: BaseException, data: bytes = b"") -> str:
    """Return why a file could not be read or decoded, as a clause without a name."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, NotADirectoryError):
        return "does not exist; a part of its path is a file"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return "has a name that is too long for this disk"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a photo"
    if isinstance(error, PermissionError):
        return "may not be read by this user"
    if isinstance(error, OSError) and error.errno is not None:
        return Message("cannot be read ({error})", error=error.strerror or error)
    if isinstance(error, OSError | EOFError | struct.error) and _says_cut(error):
        return "is cut off before its end; save or fetch it again"
    if words := _describe_damaged(data):
        return words
    return "is damaged and cannot be decoded; save or fetch it again"


def _says_cut(error: BaseException) -> bool:
    return "truncated" in str(error).lower()
