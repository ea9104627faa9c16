from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from fastclf.errors import FastclfError, UnreadablePhotoError
from fastclf.photos import MAX_BYTES, decode_photo, encode_jpeg, hash_pixels, make_thumbnail

from ..drawing import bad_files, draw_photo, encode


@pytest.mark.parametrize("name", bad_files())
def test_a_bad_file_gets_one_sentence_with_its_name_and_the_reason(name: str, tmp_path: Path) -> None:
    data, words = bad_files()[name]
    (tmp_path / name).write_bytes(data)
    for source in (data, tmp_path / name):
        with pytest.raises(UnreadablePhotoError) as caught:
            decode_photo(source, name)
        message = str(caught.value)
        assert message.startswith(name)
        assert message.endswith(".")
        assert "\n" not in message
        assert any(word in message for word in words.split("|")), message


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_path_that_is_no_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, words in {
        "missing": "does not exist", "folder": "is a folder", "fifo": "is a pipe", "zero": "is a pipe or a device",
        "loop": "is a link that leads back to itself",
    }.items():  # fmt: skip
        with pytest.raises(UnreadablePhotoError, match=f"^{name} {words}"):
            decode_photo(tmp_path / name)


def test_a_file_over_the_limit_is_not_opened() -> None:
    with pytest.raises(UnreadablePhotoError, match="20 MB"):
        decode_photo(bytes(MAX_BYTES + 1), "big.jpg")


def test_every_byte_flip_and_every_cut_gives_pixels_or_a_sentence(rng: np.random.Generator) -> None:
    pillow_heif.register_heif_opener()
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "MPO", "HEIF"):
        original = encode(draw_photo("red", 0, (64, 48)), kind)
        for _ in range(120):
            damaged = bytearray(original)
            for at in rng.integers(0, len(damaged), 3):
                damaged[at] = rng.integers(0, 256)
            data = bytes(damaged[: rng.integers(1, len(damaged) + 1)])
            try:
                assert decode_photo(data, "x").image.mode == "RGB"
            except FastclfError as e:
                assert str(e).startswith("x ")


# the transpose that a camera held this way has to undo, by the orientation in the file; 0 is none
UNDO = {0: None, 1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}


@pytest.mark.parametrize("orientation", UNDO)
def test_exif_orientation_is_applied_and_said(orientation: int) -> None:
    upright = Image.new("RGB", (800, 480), "white")
    upright.paste((255, 0, 0), (0, 0, 400, 240))  # red top left
    undo = UNDO[orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    data = encode(stored, "JPEG", exif=exif)
    for least in (None, 100):
        photo = decode_photo(data, least_side=least)
        assert photo.size == upright.size
        assert photo.upright is photo.plain is (orientation in (0, 1))
        assert (photo.image.width == 800) == (least is None)
        assert photo.image.width * 480 == photo.image.height * 800
        near, far = photo.image.getpixel((5, 5)), photo.image.getpixel((photo.image.width - 5, 5))
        assert (near[0] > 240, near[1] < 20, min(far) > 240) == (True, True, True)


def test_alpha_is_laid_over_white() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    decoded = decode_photo(encode(image, "PNG"))
    assert decoded.image.getpixel((3, 3)) == (255, 255, 255)
    assert decoded.image.getpixel((0, 0)) == (255, 0, 0)
    assert abs(decoded.image.getpixel((1, 0))[0] - 127) <= 1
    assert not decoded.plain


@pytest.mark.parametrize("mode", ["P", "LA", "L", "RGB"])
def test_other_kinds_of_transparency_are_laid_over_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0)).convert("LA" if mode == "LA" else "RGBA")
    if mode == "P":
        data = encode(image.quantize(4), "PNG")
    elif mode == "LA":
        data = encode(image, "PNG")
    else:
        black = 0 if mode == "L" else (0, 0, 0)
        data = encode(Image.new(mode, (4, 4), black), "PNG", transparency=black)
    decoded = decode_photo(data)
    assert decoded.image.getpixel((0, 0)) == (255, 255, 255)
    assert not decoded.plain


def test_sixteen_bits_are_scaled_to_eight() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    decoded = decode_photo(encode(Image.fromarray(ramp), "PNG"))
    expected = np.round(ramp / 257)
    assert np.abs(np.asarray(decoded.image)[..., 0] - expected).max() <= 1
    assert not decoded.plain


def test_cmyk_becomes_rgb() -> None:
    decoded = decode_photo(encode(Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK"), "JPEG"))
    assert decoded.image.mode == "RGB"
    assert decoded.plain
    red, green, blue = decoded.image.getpixel((8, 8))
    assert red > 150 > green + blue


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decode_photo(data).image.getpixel((9, 9)) == (255, 0, 0)


def test_nothing_of_the_file_but_the_picture_is_kept() -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    exif[ExifTags.Base.Artist] = "Somebody"
    image = decode_photo(encode(draw_photo("red", 0), "JPEG", exif=exif, comment=b"secret")).image
    again = encode_jpeg(image)
    assert b"Somebody" not in again
    assert b"secret" not in again
    assert not Image.open(io.BytesIO(again)).getexif()


def test_a_heic_photo_is_read_where_the_extra_is_installed() -> None:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 30, 30))).save(buffer)
    decoded = decode_photo(buffer.getvalue(), "IMG_1.HEIC")
    assert decoded.image.size == (64, 48)
    assert not decoded.plain


def test_equal_pixels_hash_alike_whatever_the_file() -> None:
    photo = draw_photo("red", 0)
    png, bmp = (decode_photo(encode(photo, kind)).image for kind in ("PNG", "BMP"))
    assert hash_pixels(png) == hash_pixels(bmp)
    assert hash_pixels(png) != hash_pixels(png.transpose(Image.Transpose.ROTATE_90))
    assert hash_pixels(png) != hash_pixels(draw_photo("red", 1))


@pytest.mark.parametrize("size", [(1000, 10), (8, 8), (300, 200)])
def test_a_thumbnail_keeps_the_aspect_and_fits(size: tuple[int, int]) -> None:
    small = make_thumbnail(Image.new("RGB", size), 256)
    assert max(small.size) <= 256
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.35)


@pytest.mark.parametrize(
    "size", [(1600, 1200), (1201, 1599), (1281, 640), (641, 17), (17, 2001), (640, 480), (65, 33)]
)
@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
def test_a_photo_that_may_come_smaller_never_comes_smaller_than_asked(
    size: tuple[int, int], kind: str
) -> None:
    options = {"save_all": True, "append_images": [Image.new("RGB", size)]} if kind == "MPO" else {}
    data = encode(Image.new("RGB", size, "red"), kind, **options)
    for least in (1, 8, 33, 64, 320, 639, 640, 641, 5000):
        photo = decode_photo(data, least_side=least)
        assert (photo.size, photo.format) == (size, kind)
        assert max(photo.image.size) >= min(least, max(size))
        # the shape stays, to a pixel
        assert abs(photo.image.width * size[1] - photo.image.height * size[0]) <= max(size)
    assert decode_photo(data).image.size == size


@pytest.mark.parametrize(
    ("kind", "least", "comes"),
    [
        ("JPEG", 640, (1000, 750)),
        ("JPEG", 500, (500, 375)),
        ("JPEG", 1001, (2000, 1500)),
        ("PNG", 640, (2000, 1500)),
    ],
)
def test_a_large_jpeg_comes_at_a_part_of_its_size_and_nothing_else_does(
    kind: str, least: int, comes: tuple[int, int]
) -> None:
    options = {"compress_level": 1} if kind == "PNG" else {}
    data = encode(Image.new("RGB", (2000, 1500), "red"), kind, **options)
    assert decode_photo(data, least_side=least).image.size == comes
