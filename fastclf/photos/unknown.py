"""What is wrong with a file that is no photo, in words."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from ..errors import Message


def describe_unknown(data: bytes, formats: Sequence[str]) -> str:
    """Return what a file's first bytes are instead of a photo, as a clause; `formats` are the usual first."""
    head = data[:1024].lstrip().lower()
    usual = ", ".join(formats[:6])
    if head.startswith((b"<!doctype html", b"<html", b"<head")):
        return Message("is a web page, not a photo; use {formats} or AVIF", formats=usual)
    if b"<svg" in head:
        return Message("is an SVG drawing, not a photo; use {formats} or AVIF", formats=usual)
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1", b"heim"):
        return (
            "is a HEIC photo, which is not read here; save it as JPEG (the extra fastclf[heic] reads these)"
        )
    if not any(data[:1024]):
        return "holds only zeros; save or fetch it again"
    return Message("is not a photo that can be read here; use {formats} or AVIF", formats=usual)


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


def describe_error(error: BaseException) -> str:
    """Return why a file could not be read or decoded, as a clause without a name."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, NotADirectoryError):
        return "does not exist; a part of its path is a file"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a photo"
    if isinstance(error, PermissionError):
        return "may not be read by this user"
    if isinstance(error, OSError) and "truncated" in str(error).lower():
        return "is cut off before its end; save or fetch it again"
    return "is damaged and cannot be decoded; save or fetch it again"
