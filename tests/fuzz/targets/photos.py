"""Any bytes as a photo: the one decoder, and what looks at a photo before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from fastclf.photos import HEAD_BYTES, count_pixels, decode_photo, encode_jpeg, make_thumbnail, sniff_format

from ...drawing import bad_files, draw_photo, encode, png_with_size
from ..target import Target

SIZE = (33, 17)
_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def take(data: bytes) -> None:
    sniff_format(data[:HEAD_BYTES])
    count_pixels(data)
    least = (None, None, 16)[len(data) % 3]
    image = decode_photo(data, "photo", least_side=least).image
    assert image.mode == "RGB"
    assert not image.info
    encode_jpeg(make_thumbnail(image, 64))


def list_seeds() -> list[bytes]:
    return [*_draw(), *(data for data, _ in bad_files().values() if len(data) < 20_000)]


def _draw() -> Iterator[bytes]:
    photo = draw_photo("red", 0, SIZE)
    rgba = photo.convert("RGBA")
    deep = Image.fromarray((np.arange(SIZE[0] * SIZE[1], dtype=np.uint16) * 90).reshape(SIZE[::-1]))
    for kind, image, options in (
        ("JPEG", photo, {"exif": _EXIF}), ("JPEG", photo, {"progressive": True}), ("JPEG", photo.convert("L"), {}),
        ("JPEG", photo.convert("CMYK"), {}), ("JPEG", photo, {"icc_profile": b"\0" * 200, "restart_marker_rows": 1}),
        ("PNG", photo, {}), ("PNG", rgba, {}), ("PNG", photo.convert("P"), {"transparency": 0}), ("PNG", deep, {}),
        ("PNG", photo.convert("1"), {}), ("GIF", photo, {}), ("GIF", photo, {"save_all": True, "append_images": [photo]}),
        ("BMP", photo, {}), ("WEBP", rgba, {}), ("WEBP", photo, {"lossless": True}), ("AVIF", photo, {}),
        ("TIFF", photo, {"compression": "tiff_lzw"}), ("TIFF", deep, {}), ("TIFF", photo.convert("F"), {}),
        ("TIFF", photo, {"compression": "jpeg"}), ("MPO", photo, {"save_all": True, "append_images": [photo]}),
        ("PPM", photo, {}), ("PPM", deep, {}),
    ):  # fmt: skip
        yield encode(image, kind, **options)
    yield png_with_size(300, 200)


TARGETS = [
    Target(
        "photo",
        take,
        list_seeds,
        (b"\xff\xd8\xff", b"\xff\xda", b"\xff\xc2", b"\xff\xc4", b"\xff\xdd", b"IHDR", b"IDAT", b"iCCP", b"eXIf",
         b"acTL", b"VP8X", b"ftyp", b"GIF89a", b"II*\0", b"MM\0*", b"P6\n", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff",
         b"\0\0\1\0", b"Exif\0\0"),
    )
]  # fmt: skip
