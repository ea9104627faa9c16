"""How much work a file may make before it is refused: pieces, scans, reads and memory, counted, never timed.

A photo is one picture in a handful of pieces. What makes a decoder work for minutes has a million of them in
a few bytes, so every limit is many times what cameras and programs write, and grows with the file. Nothing
here looks at the clock: a photo that is read on one machine is read on all.
"""

from __future__ import annotations

import io
from typing import Any, NoReturn

from PIL import ImageFile

from ..errors import Message
from .refusal import RefusedError
from .tiff_tags import list_tags, read_numbers

_PIECES = Message("is made of far too many pieces; save it as PNG or JPEG")
_MEMORY = Message("has {n:.0f} megapixels; at most {most:.0f} are read of a {format} here, so scale it down")
# Reads of a file by Pillow's parsers: a piece takes one to four. An encoder's pieces have 8 kB.
_READS, _BYTES_A_READ = 100_000, 256
# Run lengths of a BMP are read two bytes at a time.
_RUN_READS = 1_200_000
# So many times a file may be read; strips and tags that lie over each other make it more.
_TIMES = 4
# Strips or tiles of a TIFF: rows of one each, or tiles of 64 x 64 at the most pixels.
_STRIPS = 2**16
# Passes over one component's pixels: a progressive photo has 14 as most programs write it, hardly 24.
_LEAST_PASSES, _MOST_PASSES, _PASSED_PIXELS = 24, 1000, 1_200_000_000
# Parts of a HEIC or AVIF: tiles of 512 x 512 at the most pixels are a few hundred.
_BOXES = {b"infe": 4096, b"moof": 64, b"trak": 64}
_CHUNKS = 4096
# The most pixels of libraries that hold several copies of a picture, and of those with alpha, more than 8
# bits or no loss: so that none takes 400 MB, but for photos of 50 megapixels as telephones write them.
_MOST_PIXELS = {
    "WEBP": (29_000_000, 28_000_000),
    "AVIF": (52_000_000, 30_000_000),
    "HEIF": (52_000_000, 40_000_000),
}
# Bytes that a pixel takes of a usual photo: as its library gives it, and as RGB. A kind that takes more may
# have fewer pixels, where they are limited at all.
_A_PIXEL = 8


class CountedBytes(io.BytesIO):
    """A file in memory that is read so often, and so many bytes of it, and not more."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads = _READS + len(data) // _BYTES_A_READ
        self._bytes = _TIMES * len(data) + 2**20

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file is read, or refuse to."""
        found = super().read(size)
        self._reads -= 1
        self._bytes -= len(found)
        if self._reads < 0 or self._bytes < 0:
            refuse_pieces()
        return found

    def allow_runs(self) -> None:
        """Let a picture of run lengths be read, which takes a read for each of them."""
        self._reads = max(self._reads, _RUN_READS)


def open_counted(data: bytes, n_header: int) -> io.BytesIO:
    """Open a file of which only so many bytes are read piece by piece; of few, nothing has to be counted."""
    return CountedBytes(data) if n_header > _READS else io.BytesIO(data)


def refuse_pieces() -> NoReturn:
    """Refuse a file of too many pieces."""
    raise RefusedError(_PIECES)


def check_pieces(data: bytes) -> None:
    """Refuse a file whose pieces a library would count only while it decodes them."""
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        _check_tiff(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_webp(data)
    elif data[4:8] == b"ftyp":
        _check_boxes(data)


def check_scans(data: bytes, size: tuple[int, int]) -> None:
    """Refuse a JPEG of a rare kind whose scans go over its pixels too often."""
    check_passes(data.count(b"\xff\xda"), size)


def check_passes(n: int, size: tuple[int, int]) -> None:
    """Refuse so many passes over the pixels of a component."""
    if n > _LEAST_PASSES and (n > _MOST_PASSES or n * size[0] * size[1] > _PASSED_PIXELS):
        refuse_pieces()


def check_memory(image: ImageFile.ImageFile, data: bytes) -> None:
    """Refuse a picture of many pixels that its library would hold in memory several times."""
    if image.format not in _MOST_PIXELS:
        return
    at = data.find(b"av1C")
    is_deep = (at >= 0 and bool(data[at + 6 : at + 7][:1] > b"\x3f")) or image.info.get("bit_depth", 8) > 8
    is_lossless = image.format == "WEBP" and b"VP8L" in data
    most = _MOST_PIXELS[image.format]["A" in image.mode or is_deep or is_lossless]
    if image.width * image.height > most:
        raise _build_refusal(image.size, most, image.format)


def fits(size: tuple[int, int], cost: float, most: int) -> bool:
    """Return whether a photo of `cost` bytes a pixel takes no more than `most` pixels of a usual one."""
    return size[0] * size[1] * cost <= most * _A_PIXEL


def check_room(size: tuple[int, int], cost: float, most: int, kind: str | None) -> None:
    """Refuse a picture that would take more memory than `most` pixels of a usual photo."""
    if not fits(size, cost, most):
        raise _build_refusal(size, int(most * _A_PIXEL / cost), kind)


def _build_refusal(size: tuple[int, int], most: int, kind: str | None) -> RefusedError:
    n = -(-size[0] * size[1] // 1_000_000)
    return RefusedError(_MEMORY, n=n, most=most // 1_000_000, format=kind or "photo")


def find_cost(image: ImageFile.ImageFile) -> float:
    """Return the bytes a pixel that an unloaded photo takes while it is loaded.

    A strip or tile of a TIFF is unpacked in memory of its own, and may be larger than the picture.
    """
    piece, bits = _measure_piece(image)
    return 4 + piece / (image.width * image.height) * bits / 8


def _measure_piece(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return the pixels of a TIFF's strip or tile and the bits of one, (0, 0) where nothing is unpacked."""
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None or not image.tile or image.tile[0].codec_name == "raw":
        return 0, 0
    width, height = tags.get(322) or image.width, tags.get(323) or min(tags.get(278, 2**32), image.height)
    bits = tags.get(258, (1,))
    return int(width) * int(height), max(bits) if tags.get(284) == 2 else sum(bits)


def release_decoder(image: Any) -> None:
    """Let a library go once it has given the first picture, of which it keeps copies."""
    if hasattr(getattr(image, "_decoder", None), "get_info"):
        image._decoder = _FirstPicture(image._decoder)


class _FirstPicture:
    """A library's decoder that is let go after one picture."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    def get_next(self) -> Any:
        decoder, self._decoder = self._decoder, None
        return decoder.get_next()

    def get_frame(self, number: int) -> Any:
        decoder, self._decoder = self._decoder, None
        return decoder.get_frame(number)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)


def _check_tiff(data: bytes) -> None:
    """Refuse too many strips, or strips and tags that claim more bytes than there are."""
    tags = list_tags(data)
    if sum(tag.size for tag in tags) > _TIMES * len(data) + 2**16:
        refuse_pieces()
    strips = {tag.number: tag for tag in tags if tag.number in (273, 279, 324, 325)}
    if any(tag.count > _STRIPS for tag in strips.values()):
        refuse_pieces()
    for number in strips.keys() & {279, 325}:
        if sum(read_numbers(data, strips[number])) > _TIMES * len(data):
            refuse_pieces()
    n = max((tag.count for tag in strips.values()), default=1)
    if data.count(b"\xff\xda") > 64 + 2 * n + len(data) // 8192:
        refuse_pieces()


def _check_webp(data: bytes) -> None:
    at, n = 12, 0
    while at + 8 <= len(data) and n <= _CHUNKS:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at, n = at + 8 + length + length % 2, n + 1
    if n > _CHUNKS:
        refuse_pieces()


def _check_boxes(data: bytes) -> None:
    if any(data.count(name) > most for name, most in _BOXES.items()):
        refuse_pieces()
