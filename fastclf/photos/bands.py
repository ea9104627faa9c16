"""A large picture some rows at a time, so that what is made on the way takes little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PIL import Image

# Pixels of a band: a picture of fewer is one.
PIXELS = 2**21


def split_bands(image: Image.Image, pixels: int = PIXELS) -> Iterator[tuple[int, Image.Image]]:
    """Yield the first row of each band, and the band; of a small picture the picture itself."""
    width, height = image.size
    if width * height <= pixels:
        yield 0, image
        return
    step = max(1, pixels // width)
    for top in range(0, height, step):
        yield top, image.crop((0, top, width, min(height, top + step)))


def convert_bands(
    image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Return what `convert` makes of each band, as one picture."""
    if image.width * image.height <= PIXELS:
        return convert(image)
    made = Image.new(mode, image.size)
    for top, band in split_bands(image):
        made.paste(convert(band), (0, top))
    return made
