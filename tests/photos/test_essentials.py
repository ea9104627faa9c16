"""What only describes a picture does not decide whether its pixels are read."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest

from fastclf.errors import UnreadablePhotoError
from fastclf.photos import decode_photo

from ..drawing import draw_photo, encode
from .written import chunk, segment, write_exif, write_tiff

PHOTO = draw_photo("red", 0, (60, 40))
PNG = encode(PHOTO, "PNG")
JPEG = encode(PHOTO, "JPEG")
WEBP = encode(PHOTO, "WEBP", lossless=True)
TURNED = (274, 3, 1, struct.pack("<H", 6))


def spoil(made: bytes) -> bytes:
    return made[:-1] + bytes([made[-1] ^ 1])


def put(data: bytes, more: bytes, at: int = 33) -> bytes:
    return data[:at] + more + data[at:]


PNGS = {
    "long zTXt": put(PNG, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (2 << 20)))),
    "long iTXt": put(PNG, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * (2 << 20)))),
    "long iCCP": put(PNG, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(2 << 20)))),
    "much text": put(PNG, chunk(b"zTXt", b"C\0\0" + zlib.compress(b"x" * 900_000)) * 80),
    "checksum of a text": put(PNG, spoil(chunk(b"tEXt", b"Comment\0hello"))),
    "checksum of a time": put(PNG, spoil(chunk(b"tIME", bytes(7)))),
    "unpacks to nothing": put(PNG, chunk(b"zTXt", b"Comment\0\0no zlib")),
    "unknown packing": put(PNG, chunk(b"zTXt", b"Comment\0\7" + bytes(9))),
    "transparency of a wrong length": put(PNG, chunk(b"tRNS", b"x")),
    "short gamma": put(PNG, chunk(b"gAMA", b"")),
    "short size": put(PNG, chunk(b"pHYs", b"\0")),
    "two animations": put(PNG, chunk(b"acTL", struct.pack(">II", 1, 0)) + chunk(b"fcTL", bytes(3))),
    "length beyond the end": put(PNG, struct.pack(">I", 2**31 - 9) + b"tEXt" + b"abc"),
    "text after the pixels": put(
        PNG, chunk(b"zTXt", b"C\0\0" + zlib.compress(b"x" * (2 << 20))), len(PNG) - 12
    ),
    "no end": PNG[:-12],
    "junk behind": PNG + bytes(range(256)),
    "zlib of zeros in EXIF": put(PNG, chunk(b"eXIf", bytes(90))),
}
JPEGS = {
    "MPO index": put(JPEG, segment(0xE2, b"MPF\0II*\0" + bytes(40)), 2),
    "MPO index of nonsense": put(JPEG, segment(0xE2, b"MPF\0" + bytes(range(60))), 2),
    "short ICC": put(JPEG, segment(0xE2, b"ICC_PROFILE\0"), 2),
    "ICC of parts that lack": put(JPEG, segment(0xE2, b"ICC_PROFILE\0\3\7abc"), 2),
    "Photoshop": put(JPEG, segment(0xED, b"Photoshop 3.0\x008BIM\x04\xed\0\0\xff\xff"), 2),
    "short JFIF": put(JPEG, segment(0xE0, b"JFIF\0"), 2),
    "EXIF of zeros": put(JPEG, segment(0xE1, b"Exif\0\0" + bytes(50)), 2),
    "EXIF that leads to itself": put(JPEG, segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(50)), 2),
    "short Adobe": put(JPEG, segment(0xEE, b"Adobe\0"), 2),
    "long comment": put(JPEG, segment(0xFE, b"x" * 60_000), 2),
    "fill bytes": put(JPEG, b"\xff\xff\xff", 2),
    "junk behind": JPEG + bytes(range(256)) * 9,
    "another photo behind": JPEG + encode(draw_photo("blue", 0, (60, 40)), "JPEG"),
}


@pytest.mark.parametrize("name", PNGS)
def test_a_png_is_read_whatever_describes_it(name: str) -> None:
    assert decode_photo(PNGS[name]).image.tobytes() == PHOTO.tobytes()


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_is_read_whatever_describes_it(name: str) -> None:
    assert decode_photo(JPEGS[name]).image.tobytes() == decode_photo(JPEG).image.tobytes()


@pytest.mark.parametrize("kind", [b"ICCP", b"EXIF", b"XMP ", b"ABCD"])
@pytest.mark.parametrize("flag", [0x20, 0x08, 0x04, 0])
def test_a_webp_is_read_whatever_describes_it(kind: bytes, flag: int) -> None:
    more = kind + struct.pack("<I", 6) + b"broken"
    head = b"VP8X" + struct.pack("<I", 10) + bytes([flag, 0, 0, 0, 59, 0, 0, 39, 0, 0])
    for chunks in (head + more + WEBP[12:], head + WEBP[12:] + more, WEBP[12:] + more):
        data = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
        assert decode_photo(data).image.tobytes() == PHOTO.tobytes()


@pytest.mark.parametrize("tag", [270, 282, 305, 34665, 34853, 34675, 700, 50341, 65000])
def test_a_tiff_is_read_whatever_describes_it(tag: int) -> None:
    values = np.asarray(PHOTO)
    data = write_tiff(values, more=[(tag, 4, [2**31, 2**32 - 1, 7])])
    assert (np.asarray(decode_photo(data).image) == values).all()


# a number as a fraction of nothing, below zero, of a type that is none, text where a number belongs
ODD = {
    "-1/0": (282, 10, 1, struct.pack("<ii", -1, 0)), "1/0": (282, 5, 1, struct.pack("<II", 1, 0)),
    "no type": (282, 99, 1, b"\1"), "text": (282, 2, 4, b"abc\0"), "double": (282, 12, 1, struct.pack("<d", np.nan)),
    "far away": (271, 2, 2**31 - 1, struct.pack("<I", 2**31)), "unicode": (271, 2, 8, b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\0"),
    "sub-list": (34665, 4, 1, struct.pack("<I", 2**30)), "GPS": (34853, 4, 1, struct.pack("<I", 3)),
    "maker": (37500, 7, 9, b"\xff" * 9),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_photo_with_an_odd_number_in_its_exif_is_turned(odd: str, kind: str) -> None:
    data = encode(PHOTO, kind, exif=write_exif(TURNED, ODD[odd])[6 if kind == "PNG" else 0 :])
    assert decode_photo(data).image.size == (40, 60)


@pytest.mark.parametrize(
    ("kind", "value", "turned"),
    [
        (3, struct.pack("<H", 6), True), (4, struct.pack("<I", 6), True), (1, b"\6", True), (9, struct.pack("<i", 6), True),
        (3, struct.pack("<H", 0), False), (3, struct.pack("<H", 9), False), (3, struct.pack("<H", 65535), False),
        (2, b"abc\0", False), (5, struct.pack("<II", 6, 0), False), (12, struct.pack("<d", np.nan), False),
    ],
)  # fmt: skip
def test_an_orientation_of_any_type_is_obeyed_or_passed_over(kind: int, value: bytes, turned: bool) -> None:
    data = encode(PHOTO, "JPEG", exif=write_exif((274, kind, 1, value)))
    assert decode_photo(data).image.size == ((40, 60) if turned else (60, 40))


def test_what_only_we_read_is_copied_for_fastai_and_a_lost_profile_is_told() -> None:
    assert not decode_photo(PNGS["checksum of a text"]).plain
    assert decode_photo(PNGS["checksum of a text"]).colours_known
    assert not decode_photo(PNGS["long iCCP"]).colours_known
    assert decode_photo(PNG).plain


def test_a_wrong_checksum_of_the_pixels_still_counts() -> None:
    at = PNG.index(b"IDAT")
    for place in (at + 10, 20):
        damaged = bytearray(PNG)
        damaged[place] ^= 1
        with pytest.raises(UnreadablePhotoError, match=r"^x is (a damaged PNG|cut off)"):
            decode_photo(bytes(damaged), "x")


def test_later_frames_and_comments_of_a_gif_do_not_matter() -> None:
    frames = [draw_photo(label, 3, (60, 60)).quantize(64) for label in ("red", "green", "blue")]
    made = io.BytesIO()
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:], comment=b"x" * 9_000)
    data = made.getvalue()
    whole = decode_photo(data).image.tobytes()
    for end in (data[:-40], data[: -len(data) // 3], data[:-40] + bytes(40)):
        assert decode_photo(end).image.tobytes() == whole
