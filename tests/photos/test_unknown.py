"""What is wrong with a file is said by its format's name, with what to do."""

from __future__ import annotations

import gzip
import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from fastclf.errors import MemoryShortageError, UnreadablePhotoError
from fastclf.photos import decode_photo

from ..drawing import draw_photo, encode
from .written import segment, write_tiff

ZEROS = np.zeros((8, 8, 13))


def zip_bytes() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as z:
        z.writestr("a.txt", "a")
    return made.getvalue()


def with_frame(kind: int, bits: int = 8) -> bytes:
    made = bytearray(encode(draw_photo("red", 0), "JPEG"))
    at = made.find(b"\xff\xc0")
    made[at + 1], made[at + 4] = kind, bits
    return bytes(made)


def spoil(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


PNG = encode(draw_photo("red", 0), "PNG")
CASES = {
    "13 bands": (write_tiff(ZEROS.astype("u2")), "is a TIFF of 13 bands; 1, 3 or 4 are read"),
    "7 bands": (write_tiff(ZEROS[..., :7].astype("u1")), "is a TIFF of 7 bands; 1, 3 or 4 are read"),
    "5 bands": (write_tiff(ZEROS[..., :5].astype("u1")), "is a TIFF of 5 bands; 1, 3 or 4 are read"),
    "2 bands": (write_tiff(ZEROS[..., :2].astype("u2")), "is a TIFF of 2 bands; 1, 3 or 4 are read"),
    "floats": (write_tiff(ZEROS[..., :3].astype("f4"), 3), "is a TIFF with colours of 32 bits; 8 or 16 are read"),
    "doubles": (write_tiff(ZEROS[..., 0].astype("f8"), 3), "is a TIFF of 64 bits"),
    "complex": (write_tiff(ZEROS[..., 0].astype("c8"), 6), "is a TIFF of 64 bits"),
    "12 bits": (with_frame(0xC0, 12), "is a JPEG of 12 bits"),
    "lossless": (with_frame(0xC3), "JPEG (lossless) picture"),
    "hierarchical": (with_frame(0xC5), "JPEG (hierarchical) picture"),
    "header": (spoil(PNG, 29), "is a damaged PNG"),
    "size": (PNG[:8] + b"\0\0\0\x02" + PNG[12:], "is a damaged PNG"),
    "webp": (encode(draw_photo("red", 0), "WEBP")[:16] + bytes(40), "is a damaged WebP"),
    "gif": (b"GIF89a" + bytes(3), "is a damaged GIF"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(90), "is a damaged JPEG"),
    "ppm": (b"P6\nabc", "is a damaged PPM"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(90), "is a JPEG 2000 picture"),
    "jpeg xl": (b"\xff\x0a" + bytes(90), "is a JPEG XL picture"),
    "jpeg-ls": (b"\xff\xd8\xff\xf7\0\x0b\x08" + bytes(90), "is a JPEG-LS picture"),
    "photoshop": (b"8BPS\0\1" + bytes(90), "is a Photoshop picture"),
    "dicom": (bytes(128) + b"DICM" + bytes(9), "is a DICOM picture"),
    "tga": (b"\1" + bytes(90) + b"TRUEVISION-XFILE.\0", "is a TGA picture"),
    "cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(90), "is a camera's RAW photo (CR2)"),
    "cr3": (b"\0\0\0\x18ftypcrx " + bytes(90), "is a camera's RAW photo (CR3)"),
    "dng": (write_tiff(ZEROS[..., :3].astype("u1"), more=[(50706, 4, [1])]), "is a camera's RAW photo (DNG)"),
    "nef": (
        write_tiff(ZEROS[..., :3].astype("u1"), more=[(254, 4, [1]), (330, 4, [9])]),
        "is a camera's RAW photo (NEF, ARW)",
    ),
    "zip": (zip_bytes(), "is a ZIP archive, not a photo; unpack it"),
    "gzip": (gzip.compress(b"a"), "is a gzip archive, not a photo; unpack it"),
    "rar": (b"Rar!\x1a\7\1\0", "is a RAR archive"),
    "mp4": (b"\0\0\0\x20ftypisom" + bytes(90), "is a video, not a photo"),
    "mov": (b"\0\0\0\x14ftypqt  " + bytes(90), "is a video, not a photo"),
    "mkv": (b"\x1a\x45\xdf\xa3" + bytes(90), "is a video, not a photo"),
    "pdf": (b"%PDF-1.7\n", "is a PDF document, not a photo"),
    "icon": (encode(Image.new("RGB", (32, 32)), "ICO"), "is an icon, not a photo"),
    "numpy": (b"\x93NUMPY\1\0", "is a NumPy file, not a photo"),
    "wave": (b"RIFF\0\0\0\0WAVEfmt ", "is a sound, not a photo"),
    "json": (b' {"error": "no such file"}', "is JSON text, probably a server's error, not a photo"),
    "text": ("Größe: 3".encode(), "is text, not a photo"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "`git lfs pull`"),
    "html": (b"\xef\xbb\xbf\n<!DOCTYPE html><p>", "is a web page"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_words_name_the_format_and_never_advise_it(name: str) -> None:
    data, words = CASES[name]
    with pytest.raises(UnreadablePhotoError) as caught:
        decode_photo(data, "x")
    said = str(caught.value)
    assert words in said, said
    format = re.search(r"is an? (?:damaged )?(JPEG|PNG|TIFF|WebP|GIF|PPM)", said)
    assert format is None or f"save it as {format[1]}" not in said, said


def test_a_long_name_and_a_fault_of_the_disk_are_told() -> None:
    with pytest.raises(UnreadablePhotoError, match="has a name that is too long"):
        decode_photo("x" * 300)


def test_a_table_of_huffman_codes_cut_off_is_a_damaged_jpeg() -> None:
    data = b"\xff\xd8" + segment(0xC4, b"\0" * 3) + encode(draw_photo("red", 0), "JPEG")[2:]
    with pytest.raises(UnreadablePhotoError, match="damaged"):
        decode_photo(data)


@pytest.mark.parametrize(
    ("size", "error"), [((40, 30), MemoryShortageError), ((6000, 4000), UnreadablePhotoError)]
)
def test_a_small_photo_is_not_to_blame_where_memory_is_short(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], error: type[Exception]
) -> None:
    def run_out(*_: object) -> None:
        raise MemoryError

    data = encode(Image.new("1", size), "PNG")
    monkeypatch.setattr("fastclf.photos.decode._read", run_out)
    with pytest.raises(error, match="memory"):
        decode_photo(data)
