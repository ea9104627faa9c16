"""The first directory of a TIFF, small or big, or of EXIF: its tags, and how many bytes they claim."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

# Bytes of a value by its type; a type that nobody knows has no value that could be needed.
SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_ORIENTATION = 274


@dataclass(frozen=True)
class Tag:
    """One entry of a directory.

    Attributes
    ----------
    number, kind, count
        As TIFF numbers tags and types; of so many values.
    value
        The bytes of its values where they fit, else of the place where these are.
    order
        "<" or ">".
    """

    number: int
    kind: int
    count: int
    value: bytes
    order: str

    @property
    def size(self) -> int:
        """How many bytes its values claim."""
        return SIZES[self.kind] * self.count

    @property
    def place(self) -> int | None:
        """Where its values are in the file, None where they stand in the entry itself."""
        fits = self.size <= len(self.value)
        return None if fits else int.from_bytes(self.value, "little" if self.order == "<" else "big")


def find_order(data: bytes) -> str:
    """Return the order of a TIFF's bytes as `struct` writes it; raises a ValueError where it is none."""
    if data[:2] not in (b"II", b"MM"):
        raise ValueError("no TIFF")
    return "<" if data[:2] == b"II" else ">"


def iterate_tags(data: bytes) -> Iterator[Tag]:
    """Yield the entries that can be values; may raise a ValueError or a struct.error."""
    order = find_order(data)
    is_big = data[2:4] in (b"+\0", b"\0+")
    place, number, entry = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    start = 8 if is_big else 4
    (at,) = struct.unpack(order + place, data[start : 2 * start])
    first = at + struct.calcsize(order + number)
    (n,) = struct.unpack(order + number, data[at:first])
    for i in range(min(n, 2**16)):
        found = data[first + entry * i : first + entry * (i + 1)]
        if len(found) < entry:
            return
        tag, kind, count = struct.unpack(order + "HH" + place, found[: 4 + start])
        if kind in SIZES:
            yield Tag(tag, kind, count, found[4 + start :], order)


def list_tags(data: bytes) -> list[Tag]:
    """Return the entries that can be values; none where the file is too damaged."""
    try:
        return list(iterate_tags(data))
    except (struct.error, ValueError, OverflowError):
        return []


def read_numbers(data: bytes, tag: Tag) -> tuple[int, ...]:
    """Return a tag's whole numbers; none where they are none, or lie beyond the file."""
    code = _NUMBERS.get(tag.kind)
    held = tag.value[: tag.size] if tag.place is None else data[tag.place : tag.place + tag.size]
    if code is None or len(held) < tag.size:
        return ()
    return struct.unpack(f"{tag.order}{tag.count}{code}", held)


def read_tiff_tags(data: bytes) -> dict[int, int]:
    """Return {tag: its value, or the first of several} of a TIFF's whole numbers."""
    tags: dict[int, int] = {}
    try:
        for tag in iterate_tags(data):
            code = _NUMBERS.get(tag.kind)
            if code is None:
                tags[tag.number] = -1
                continue
            size, at = SIZES[tag.kind], tag.place
            where = tag.value[:size] if at is None else data[at : at + size]
            tags[tag.number] = struct.unpack(tag.order + code, where)[0]
    except (struct.error, ValueError, OverflowError):
        pass
    return tags


def claims_too_much(exif: bytes) -> bool:
    """Return whether the tags of EXIF bytes claim far more bytes than there are, lying over each other."""
    tiff = exif[exif.startswith(b"Exif\0\0") * 6 :]
    return sum(tag.size for tag in list_tags(tiff)) > 4 * len(tiff) + 2**10


def read_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF bytes name, 1 to 8; 1 where they are broken or say something else."""
    try:
        for tag in iterate_tags(exif[exif.startswith(b"Exif\0\0") * 6 :]):
            if tag.number == _ORIENTATION:
                code = {3: "H", 4: "I", 1: "B", 9: "i", 8: "h"}.get(tag.kind, "H")
                found = struct.unpack(tag.order + code, tag.value[: struct.calcsize(tag.order + code)])
                return int(found[0]) if found[0] in range(1, 9) else 1
    except (struct.error, ValueError):
        pass
    return 1
