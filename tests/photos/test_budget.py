"""What a small file may cost: pieces, scans, reads and memory have an end in every format."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fastclf.errors import UnreadablePhotoError
from fastclf.photos import bands, budget, decode_photo, depth

from ..drawing import draw_photo, encode

TOO_MANY = "is made of far too many pieces"


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def insert(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more + data[at:]


def jpeg(**options: object) -> bytes:
    return save(draw_photo("red", 0, (64, 48)), "JPEG", **options)


def repeat_scan(progressive: bool, times: int, sof: bytes | None = None, junk: bytes = b"") -> bytes:
    data = save(Image.new("L", (1200, 1000), 77), "JPEG", progressive=progressive, quality=30)
    last = data[data.rindex(b"\xff\xda") : -2]
    data = data.replace(b"\xff\xda", junk + b"\xff\xda", 1)
    made = data[:-2] + last * times + data[-2:]
    return made.replace(b"\xff\xc2", sof, 1) if sof else made


def tiff(extra: list[tuple[int, int, int, int]], tail: bytes, *, big: bool = False) -> bytes:
    fixed = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}
    entries = {number: (number, 4, 1, value) for number, value in fixed.items()}
    entries |= {entry[0]: entry for entry in extra}
    order = sorted(entries.values())
    if big:
        body = b"".join(struct.pack("<HHQQ", *entry) for entry in order)
        return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, len(order)) + body + bytes(8) + tail
    body = b"".join(struct.pack("<HHII", *entry) for entry in order)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(order)) + body + bytes(4) + tail


def tags_that_lie_over_each_other(n: int, size: int) -> list[tuple[int, int, int, int]]:
    return [(0x4000 + i, 7, size, 8) for i in range(n)]


def strips(kind: int, n: int, each: int) -> bytes:
    counts = np.full(n, each, "<u4").tobytes()
    tail = counts * 2 + bytes(each)
    sides = [(256, 4, 1, 6000), (257, 4, 1, 6000), (278, 4, 1, 1), (259, 4, 1, kind)]
    return tiff([*sides, (273, 4, n, 300), (279, 4, n, 300)], tail)


def gif(extension: bytes) -> bytes:
    return insert(save(Image.new("P", (8, 8)), "GIF"), 13 + 3 * 2, extension)


def webp(chunks: bytes) -> bytes:
    data = save(Image.new("RGB", (64, 64)), "WEBP")[12:]
    head = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\x3f\0\0" * 2
    body = head + data + chunks
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def runs(pairs: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 3000, 3000, 1, 8, 1, len(pairs), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(pairs), 0, 0, 1078) + header + bytes(1024) + pairs


PNG_HEAD, N = 33, 120_000
COSTLY: dict[str, Callable[[], bytes]] = {
    "scans": lambda: repeat_scan(True, 10_000),
    "scans of a photo with junk between its headers": lambda: repeat_scan(True, 10_000, junk=b"\0\0"),
    "scans of a baseline photo": lambda: repeat_scan(False, 1100),
    "scans of arithmetic codes": lambda: repeat_scan(True, 10_000, b"\xff\xca"),
    "segments": lambda: insert(jpeg(), 2, b"\xff\xe1\0\x08Exif\0\0" * N),
    "segments between scans": lambda: insert(jpeg(), -2, b"\xff\xfe\0\2" * N),
    "bytes that fill": lambda: insert(jpeg(), 2, b"\xff" * 200_000),
    "chunks": lambda: insert(save(Image.new("L", (8, 8)), "PNG"), PNG_HEAD, chunk(b"abCd") * N),
    "empty data": lambda: insert(save(Image.new("L", (8, 8)), "PNG"), PNG_HEAD, chunk(b"IDAT") * N),
    "extensions": lambda: gif(b"!\xf9\x04\0\0\0\0\0" * N),
    "comments": lambda: gif(b"!\xfe\1c\0" * N),
    "strips": lambda: strips(1, 70_000, 6000),
    "strips of a big TIFF": lambda: tiff(
        [(273, 4, 70_000, 300), (279, 4, 70_000, 300)], bytes(4 * 70_000), big=True
    ),
    "strips over each other": lambda: strips(5, 6000, 100_000),
    "tags over each other": lambda: tiff(tags_that_lie_over_each_other(60, 900_000), bytes(1_000_000)),
    "frames of WebP": lambda: webp(b"ABCD\0\0\0\0" * 10_000),
    "parts of AVIF": lambda: (
        encode(draw_photo("red", 0, (64, 48)), "AVIF") + b"\0\0\0\x0cinfe\0\0\0\0" * 10_000
    ),
    "runs": lambda: runs(b"\0\2\0\0" * 620_000),
    "comments of a text": lambda: b"P2\n30 30\n255\n" + b"#\n" * N,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", COSTLY)
def test_a_file_of_far_too_many_pieces_is_refused(name: str) -> None:
    with pytest.raises(UnreadablePhotoError, match=TOO_MANY):
        decode_photo(COSTLY[name]())


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_whose_tags_lie_over_each_other_is_read_without_pillow(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = draw_photo("red", 0, (64, 48))
    entries = [(274, 3, 1, 6), *tags_that_lie_over_each_other(900, 40_000)]
    exif = tiff(entries, bytes(40_000))
    monkeypatch.setattr(Image.Image, "getexif", lambda *_: pytest.fail("read by Pillow"))
    assert decode_photo(save(photo, kind, exif=exif)).image.size == (48, 64)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "HEIF"])
def test_a_picture_that_its_library_holds_several_times_may_have_fewer_pixels(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(budget._MOST_PIXELS, kind, (64 * 48, 64 * 48 - 1))
    photo = draw_photo("red", 0, (64, 48))
    clear = photo.copy()
    clear.putalpha(100)
    assert decode_photo(save(photo, kind)).image.size == (64, 48)
    if kind != "WEBP":
        with pytest.raises(UnreadablePhotoError, match=f"are read of a {kind} here"):
            decode_photo(save(clear, kind))
    with pytest.raises(UnreadablePhotoError, match=f"are read of a {kind} here"):
        decode_photo(save(photo.resize((65, 48)), kind))


def deep_png(colours: int, bands_: int, most: int, rng: np.random.Generator) -> bytes:
    values = rng.integers(0, most, (61, 97, bands_)).astype(">u2")
    header = struct.pack(">IIBBBBB", 97, 61, 16, colours, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")
    )


def test_a_picture_in_bands_is_the_same(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    grey = rng.integers(0, 256, (61, 97)).astype(np.uint8)
    floats = Image.fromarray(np.where(grey > 250, np.nan, grey / 2 - 3).astype(np.float32))
    clear = Image.fromarray(rng.integers(0, 256, (61, 97, 4)).astype(np.uint8))
    photos = [
        save(clear, "PNG"), save(clear.convert("LA"), "PNG"), save(floats, "TIFF"),
        save(Image.fromarray(grey), "PNG", transparency=7), save(clear.convert("RGB").convert("LAB"), "TIFF"),
        deep_png(4, 2, 900, rng), deep_png(6, 4, 900, rng), deep_png(2, 3, 900, rng), deep_png(0, 1, 900, rng),
    ]  # fmt: skip
    whole = [decode_photo(photo) for photo in photos]
    monkeypatch.setattr(bands, "PIXELS", 500)
    monkeypatch.setattr(depth, "_PIXELS", 500)
    for photo, expected in zip(photos, whole, strict=True):
        found = decode_photo(photo)
        assert found.image.tobytes() == expected.image.tobytes()
        assert found.scale == expected.scale


@pytest.mark.parametrize("most", [100, 254, 1000, 4095])
def test_samples_as_text_are_those_of_the_bytes(most: int, rng: np.random.Generator) -> None:
    values = rng.integers(0, most + 1, 12 * 9 * 3)
    text = b"P3 # made by hand\n12 9\n%d\n" % most + b"\n".join(b"%d" % v for v in values) + b" # the end"
    kind = np.uint8 if most < 256 else ">u2"
    packed = b"P6\n12 9\n%d\n" % most + values.astype(kind).tobytes()
    expected = np.array([min(255, round(int(v) / most * 255)) for v in values], np.uint8).tobytes()
    assert decode_photo(text).image.tobytes() == expected
    assert decode_photo(packed).image.tobytes() == expected


def test_usual_photos_are_far_below_every_limit(rng: np.random.Generator) -> None:
    noise = Image.fromarray(rng.integers(0, 256, (300, 400, 3)).astype(np.uint8))
    for data in (
        save(noise, "JPEG", progressive=True), save(noise, "PNG", compress_level=0), save(noise, "GIF"),
        save(noise.quantize(), "TIFF", tiffinfo={278: 1}), save(noise, "WEBP"), save(noise, "BMP"),
    ):  # fmt: skip
        assert decode_photo(data).image.size == (400, 300)


def one_strip(bits: int, value: bytes = b"\x90") -> bytes:
    """A TIFF in colours of so many bits, in one strip that is packed."""
    width, height = 640, 480
    packed = zlib.compress(value * (width * height * 3 * bits // 8))
    shape = [(273, 4, 1, 400), (278, 4, 1, height), (279, 4, 1, len(packed))]
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, 300),
        (259, 3, 1, 8),
        (262, 3, 1, 2),
        *shape,
    ]
    entries.insert(6, (277, 3, 1, 3))
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return head.ljust(300, b"\0") + struct.pack("<3H", *[bits] * 3) + bytes(94) + packed


def test_a_picture_that_takes_more_memory_than_its_pixels_may_have_fewer_where_they_are_limited(
    rng: np.random.Generator,
) -> None:
    cmyk = Image.fromarray(rng.integers(0, 256, (480, 640, 4)).astype(np.uint8), "CMYK")
    # 8 bytes a pixel of coefficients and some; 6 of a strip and 4; and 4 more where it is read twice
    fine = save(cmyk, "JPEG", progressive=True, subsampling=0)
    for kind, data, most in (
        ("JPEG", fine, 300_000),
        ("TIFF", one_strip(16), 350_000),
        ("TIFF", one_strip(16, b"\x10"), 500_000),
    ):
        whole = decode_photo(data)
        assert decode_photo(data, max_pixels=550_000).image.tobytes() == whole.image.tobytes()
        with pytest.raises(UnreadablePhotoError, match=f"are read of a {kind} here"):
            decode_photo(data, max_pixels=most)
    assert decode_photo(one_strip(8), max_pixels=310_000).image.size == (640, 480)
    # a PNG is read by rows
    dark = deep_png(2, 3, 900, rng)
    assert decode_photo(dark, max_pixels=97 * 61).image.tobytes() == decode_photo(dark).image.tobytes()


def test_a_progressive_jpeg_of_many_samples_comes_smaller_where_pixels_are_limited(
    rng: np.random.Generator,
) -> None:
    noise = Image.fromarray(rng.integers(0, 256, (480, 640, 3)).astype(np.uint8))
    fine = save(noise, "JPEG", progressive=True, subsampling=0)
    usual = save(noise, "JPEG", progressive=True, subsampling=2)
    assert decode_photo(fine, max_pixels=310_000).image.size == (320, 240)
    assert decode_photo(usual, max_pixels=310_000).image.size == (640, 480)
    assert decode_photo(fine, max_pixels=400_000).image.size == (640, 480)
    # what a network takes is smaller still, and the same as ever
    small = decode_photo(fine, least_short_side=64, max_pixels=310_000).image
    assert small.tobytes() == decode_photo(fine, least_short_side=64).image.tobytes()


def test_a_tile_of_gigabytes_around_a_small_picture_is_refused() -> None:
    sides = [(256, 4, 1, 64), (257, 4, 1, 64), (322, 4, 1, 40_000), (323, 4, 1, 40_000), (259, 4, 1, 8)]
    data = tiff([*sides, (324, 4, 1, 300), (325, 4, 1, 100)], bytes(200))
    with pytest.raises(UnreadablePhotoError, match="are read of a TIFF here"):
        decode_photo(data)
