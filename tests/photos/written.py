"""Files made by hand, byte by byte, as no library would write them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG's chunk with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(values: np.ndarray, colour: int, more: bytes = b"") -> bytes:
    """A PNG of 16 bits: (H, W) greys or (H, W, channels); `more` are chunks before the pixels."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_tiff(
    values: np.ndarray,
    kind: int = 1,
    *,
    order: str = "<",
    planar: bool = False,
    more: Sequence[tuple[int, int, Sequence[int]]] = (),
) -> bytes:
    """A TIFF without compression; `kind` is its sample format, `more` are (tag, 3 or 4, values)."""
    height, width, *rest = values.shape
    n = rest[0] if rest else 1
    values = values.astype(values.dtype.newbyteorder(order))  # type: ignore[call-overload]
    planes = [values[..., i].tobytes() for i in range(n)] if planar else [values.tobytes()]
    places = [8 + sum(map(len, planes[:i])) for i in range(len(planes))]
    tags: dict[int, tuple[int, Sequence[int]]] = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [values.dtype.itemsize * 8] * n), 259: (3, [1]),
        262: (3, [2 if n in (3, 4) else 1]), 273: (4, places), 277: (3, [n]), 278: (4, [height]),
        279: (4, [len(plane) for plane in planes]), 284: (3, [2 if planar else 1]), 339: (3, [kind] * n),
    }  # fmt: skip
    tags |= {338: (3, [2])} if n == 4 else {}
    tags |= {tag: (size, list(value)) for tag, size, value in more}
    at = 8 + sum(map(len, planes))
    body, extra, free = b"", b"", at + 2 + 12 * len(tags) + 4
    for tag, (size, value) in sorted(tags.items()):
        packed = struct.pack(order + ("H" if size == 3 else "I") * len(value), *value)
        if len(packed) > 4:
            packed, extra = struct.pack(order + "I", free + len(extra)), extra + packed
        body += struct.pack(order + "HHI", tag, size, len(value)) + packed.ljust(4, b"\0")
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return start + b"".join(planes) + struct.pack(order + "H", len(tags)) + body + bytes(4) + extra


def write_exif(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """EXIF of (tag, type, count, value); a longer value goes behind the list."""
    at = 8 + 2 + 12 * len(entries) + 4
    table = blob = b""
    for tag, kind, n, value in sorted(entries):
        if len(value) > 4:
            value, blob = struct.pack(order + "I", at + len(blob)), blob + value
        table += struct.pack(order + "HHI", tag, kind, n) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return b"Exif\0\0" + head + table + bytes(4) + blob


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG's segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
