"""What a session takes in of a photo, and what it keeps of it; both bound its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnreadablePhotoError
from ...photos import Source, count_pixels, describe_pixels, encode_jpeg, make_thumbnail

if TYPE_CHECKING:
    from PIL import Image

# What is kept of a large photo: enough for the network to see the same.
KEPT_BYTES, KEPT_SIDE = 2**20, 1600
# Browsers send smaller copies; what comes with more than this was not scaled.
MAX_PAGE_PIXELS = 40_000_000


def check_pixels(name: str, source: Source) -> None:
    """Refuse what would take a gigabyte to decode: a small file may hold very many pixels."""
    pixels = count_pixels(bytes(source)) if isinstance(source, bytes | bytearray | memoryview) else 0
    if pixels > MAX_PAGE_PIXELS:
        raise UnreadablePhotoError(name, describe_pixels(pixels, MAX_PAGE_PIXELS))


def keep_photo(source: Source, image: Image.Image) -> bytes:
    """Return the file as it came where it is small, else the picture at a size that is enough."""
    is_small = isinstance(source, bytes | bytearray | memoryview) and len(source) <= KEPT_BYTES
    if is_small and max(image.size) <= KEPT_SIDE:
        return bytes(source)  # type: ignore[arg-type]
    if max(image.size) > KEPT_SIDE:
        image = make_thumbnail(image, KEPT_SIDE)
    return encode_jpeg(image, 92)
