"""The end of a JPEG: whether all its rows are there, whatever its last two bytes say.

libjpeg fills what is missing with grey where it meets an end mark, and says so to nobody. So the mark is
taken away: without it the decoder has to ask for more bytes where rows are missing, and has what it needs
where not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from .budget import check_passes, refuse_pieces

END = b"\xff\xd9"
# The decoder reads up to eight bytes ahead of what it needs. These are so made that a block which is decoded
# from them takes more than there are: of eleven patterns the one by which most cuts were seen, 99 % of those
# in the last forty bytes, and all but those of the last block.
_AHEAD = int(("11110" * 13)[:64], 2).to_bytes(8, "big").replace(b"\xff", b"\xff\0")
_BLOCK, _FIRST_BLOCK = 2**18, 2**14
# Segments that are looked at; cameras write some dozens.
_MOST_SEGMENTS = 50_000
_LEAST_FILL, _LONG_FILL = 8, 64
_HUFFMAN, _RESTARTS = 0xC4, 0xDD
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_ALONE = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
_PROGRESSIVE = 0xC2
# what stands behind 0xFF where a scan ends: no stuffing, no restart, no fill
_ENDS_SCAN = np.array([n not in (0, 0xFF, *range(0xD0, 0xD8)) for n in range(256)])
_BETWEEN_SCANS = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}


@dataclass
class JpegFrame:
    """What the headers of a JPEG say of its picture.

    Attributes
    ----------
    kind
        The marker of the frame: 0xC0 for baseline, 0xC2 for progressive.
    bits
        Bits a sample.
    size
        Width and height.
    parts
        How many colours it has, each a component.
    scan
        Where its first scan begins.
    restarts
        Whether marks that count up stand among its data.
    samples
        How many samples a pixel has: 3 of a photo in colours, 1.5 where colours have half the sides.
    """

    kind: int = 0
    bits: int = 0
    size: tuple[int, int] = (0, 0)
    parts: int = 0
    scan: int = 0
    restarts: bool = False
    samples: float = 1.0

    @property
    def usual(self) -> bool:
        """Whether it is baseline, extended or progressive, in Huffman codes."""
        return self.kind in (0xC0, 0xC1, _PROGRESSIVE)

    @property
    def buffered(self) -> bool:
        """Whether libjpeg holds all of it in memory before the first row comes out, which progressive is."""
        return self.kind == _PROGRESSIVE


@dataclass
class _Scans:
    """Where the picture's data end, which mark stands there, and what of it all scans together give."""

    end: int = 0
    marked: bool = False
    n: int = 0
    passes: int = 0
    whole: bool = True
    skips: bool = False
    _missing: dict[int, list[int]] = field(default_factory=dict)

    def add(self, header: bytes, progressive: bool) -> None:
        """Count what a scan gives of each component: which coefficients, to which bit."""
        self.n += 1
        ids, (first, last, bits) = header[1 : 1 + 2 * header[0] : 2], header[-3:]
        self.passes += len(ids)
        for one in ids:
            if not progressive:
                self._missing[one] = []
                continue
            left = self._missing.setdefault(one, [16] * 64)
            left[first : last + 1] = [bits & 15] * len(left[first : last + 1])

    def finish(self, parts: int) -> None:
        """Tell whether every component came, to its last bit."""
        self.whole = len(self._missing) >= parts and not any(map(any, self._missing.values()))


def read_jpeg_frame(data: bytes) -> JpegFrame | None:
    """Return what the headers of a JPEG say; None where they are damaged, or the file is none."""
    frame = JpegFrame()
    for marker, start, body in list_segments(data):
        if marker in _FRAMES and len(body) >= 6:
            frame.kind, frame.bits, frame.parts = marker, body[0], body[5]
            frame.size = (int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"))
            frame.samples = _count_samples(body[7::3])
        elif marker == _RESTARTS:
            frame.restarts = any(body[:2])
        elif marker == 0xDA:
            frame.scan = start
            return frame if frame.kind else None
    return frame if frame.kind else None


def _count_samples(factors: bytes) -> float:
    """Return the samples a pixel, by how often each component is sampled across (upper bits) and down."""
    most = max((n >> 4 for n in factors), default=1) * max((n & 15 for n in factors), default=1)
    return sum((n >> 4) * (n & 15) for n in factors) / max(1, most)


def list_segments(data: bytes, start: int = 2) -> Iterator[tuple[int, int, bytes]]:
    """Yield marker, place and body of each segment, up to the first scan; ends where no segment follows.

    What lies between two segments is passed over, as every decoder does; of too many segments the first come.
    """
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, start)
        if found is None or found.end() + 2 > len(data):
            return
        start, marker = found.start(), data[found.end() - 1]
        if marker in _ALONE:
            start += 2
            continue
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        yield marker, start, data[start + 4 : start + 2 + length]
        if marker in (0xDA, 0xD9) or length < 2:
            return
        start += 2 + length


@dataclass(frozen=True)
class SealedJpeg:
    """The bytes of a JPEG as they are to be decoded.

    Attributes
    ----------
    data
        Bytes that decode if and only if all rows are there.
    tidy
        Whether the end mark stands where it belongs, so that any other decoder reads the same.
    other
        For a file without its mark: bytes that decode to the same pixels if nothing of them is missing.
    whole
        Whether there are scans for all that a progressive photo needs.
    n_added
        How many bytes stand in place of the mark.
    skips
        Whether something is missing in the middle: its marks do not count up.
    """

    data: bytes
    tidy: bool
    other: bytes | None
    whole: bool
    n_added: int
    skips: bool = False

    @property
    def waits(self) -> bool:
        """Whether nothing of the photo comes out before its end mark is read: it has several scans."""
        return self.data.endswith(END)

    @property
    def filled(self) -> bytes:
        """Bytes that decode in any case, what is missing filled with something."""
        return self.data[: len(self.data) - self.n_added] + END


def seal_jpeg(data: bytes, frame: JpegFrame) -> SealedJpeg | None:
    """Take away a JPEG's end mark and what follows it; None where there is no scan to be found."""
    if not frame.scan:
        return None
    scans = _walk_scans(data, frame)
    end = scans.end if scans.marked else _cut_fill(data, scans.end)
    while data[end - 1] == 0xFF:  # fill bytes in front of the mark, or half of it
        end -= 1
    if scans.marked and _ends_in_zeros(data, frame, end):
        end = len(data[:end].rstrip(b"\0"))
    body = memoryview(data)[:end]
    # what comes in several scans is shown when its end mark is read
    mark = END if frame.buffered or scans.n > 1 else b""
    added = mark if mark and scans.marked else _AHEAD + mark
    other = None if scans.marked else b"".join((body, bytes(len(_AHEAD)), mark))
    return SealedJpeg(b"".join((body, added)), scans.marked, other, scans.whole, len(added), scans.skips)


def _walk_scans(data: bytes, frame: JpegFrame) -> _Scans:
    scans, at, progressive, n_between = _Scans(), frame.scan, frame.buffered, 0
    while True:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        header = data[at + 4 : at + 2 + length]
        if len(header) >= 6:
            scans.add(header, progressive)
        check_passes(max(scans.n, scans.passes), frame.size)
        start, at = at + 2 + length, _find_marker(data, at + 2 + length)
        scans.skips |= frame.restarts and _skip_mark(data, start, at)
        while at + 4 <= len(data) and data[at + 1] in _BETWEEN_SCANS:
            at = _find_marker(data, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
            n_between += 1
            if n_between > _MOST_SEGMENTS:
                refuse_pieces()
        if at + 4 > len(data) or data[at + 1] != 0xDA or length < 2:
            break
    scans.end, scans.marked = at, data[at : at + 2] == END
    scans.finish(frame.parts)
    return scans


def _skip_mark(data: bytes, start: int, end: int) -> bool:
    """Return whether the marks in a scan, which count from 0 to 7 and begin anew, leave one out."""
    values = np.frombuffer(data, np.uint8)[start:end]
    after = values[1:][values[:-1] == 0xFF]
    marks = after[(after & 0xF8) == 0xD0] & 7
    return bool((marks != np.arange(len(marks)) % 8).any())


def _find_marker(data: bytes, start: int) -> int:
    """Return where the next marker stands that ends a scan, or the file's end."""
    values, block, size = np.frombuffer(data, np.uint8), start, _FIRST_BLOCK
    while block < len(data) - 1:
        part = values[block : block + size + 1]
        places = (part[:-1] == 0xFF).nonzero()[0]
        ends = _ENDS_SCAN.take(part.take(places + 1))
        if len(ends) and ends[first := int(ends.argmax())]:
            return block + int(places[first])
        block, size = block + size, min(2 * size, _BLOCK)
    return len(data)


def _ends_in_zeros(data: bytes, frame: JpegFrame, end: int) -> bool:
    """Return whether zeros stand before the end mark that are no data: they fill what never came.

    They are data where the codes of nothing but zeros mean that a block is as the one before, in an even sky.
    """
    if frame.buffered or data[end - _LONG_FILL : end] != bytes(_LONG_FILL):
        return False
    tables = [body for marker, _, body in list_segments(data) if marker == _HUFFMAN]
    return any(symbol != 0 for body in tables for symbol in _list_first_symbols(body))


def _list_first_symbols(body: bytes) -> Iterator[int]:
    """Yield what the code of nothing but zeros means in each of a segment's tables."""
    at = 0
    while at + 17 < len(body):
        yield body[at + 17]
        at += 17 + sum(body[at + 1 : at + 17])


def _cut_fill(data: bytes, end: int) -> int:
    """Return where the data end of a file without an end mark: what fills it up to its length is none."""
    for fill in (b"\0", b"\xff"):
        kept = len(data[:end].rstrip(fill))
        if end - kept >= _LEAST_FILL:
            return kept
    return end
