"""What arrives becomes a photo to keep: to the byte where it can be, turned, scaled, converted where it must."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from fastclf.collect.prepare import prepare_photo
from fastclf.errors import UnreadablePhotoError
from fastclf.photos import MAX_BYTES, decode_photo
from fastclf.system import hash_bytes

from ..drawing import bad_files, draw_scene, encode

SCENE = draw_scene("scene", (200, 120))
FORMATS = {".jpg": "JPEG", ".png": "PNG"}


def exif(orientation: int | None = None) -> Image.Exif:
    block = Image.Exif()
    block[ExifTags.Base.Make] = "SecretCamera"
    if orientation:
        block[ExifTags.Base.Orientation] = orientation
    return block


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference of two pictures of one size, in grey levels."""
    assert a.size == b.size
    return float(np.abs(np.asarray(a.convert("RGB"), float) - np.asarray(b.convert("RGB"), float)).mean())


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")])
@pytest.mark.parametrize("side", [200, 640])
def test_a_small_photo_is_kept_to_the_byte(kind: str, suffix: str, side: int) -> None:
    image = SCENE.convert("RGB" if kind == "JPEG" else "RGBA")
    if kind != "JPEG":  # what is clear stays clear
        image.putalpha(SCENE.convert("L"))
    data = encode(image, kind)
    photo = prepare_photo(data, side)
    assert photo.data == data
    assert photo.received == photo.stored == hash_bytes(data)
    assert photo.name == hash_bytes(data)[:20] + suffix


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_photos_that_differ_in_metadata_alone_become_one_file_under_their_own_names(kind: str) -> None:
    plain, marked = encode(SCENE, kind), encode(SCENE, kind, exif=exif())
    assert b"SecretCamera" in marked
    one, two = prepare_photo(plain, 640), prepare_photo(marked, 640)
    assert difference(opened(one.data), opened(two.data)) == 0
    assert b"SecretCamera" not in two.data
    assert one.received != two.received
    assert (two.received, two.stored) == (hash_bytes(marked), hash_bytes(two.data))
    assert two.name.startswith(two.received[:20])
    if kind != "WEBP":  # a WebP with a head for extensions keeps it
        assert one.stored == two.stored


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_stored_upright_without_saying_so(orientation: int) -> None:
    for kind, options, most in (("PNG", {}, 0), ("JPEG", {"quality": 95}, 4 if orientation > 1 else 0)):
        data = encode(SCENE, kind, exif=exif(orientation), **options)
        photo = prepare_photo(data, 640)
        assert opened(photo.data).format == kind
        assert difference(opened(photo.data), ImageOps.exif_transpose(opened(data))) <= most
        assert not opened(photo.data).getexif()
        assert b"SecretCamera" not in photo.data


def test_a_photo_that_only_its_xmp_calls_turned_is_turned() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = encode(SCENE, "JPEG", xmp=xmp)
    assert decode_photo(data).image.size == (120, 200)
    photo = prepare_photo(data, 640)
    assert opened(photo.data).size == (120, 200)
    assert decode_photo(photo.data).image.size == (120, 200)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((1600, 1200), 640, (640, 480)), ((1200, 1600), 640, (480, 640)), ((641, 480), 640, (640, 479)),
        ((1280, 960), 640, (640, 480)),  # a JPEG is decoded to just that
        ((2560, 300), 640, (640, 75)), ((640, 640), 640, (640, 640)), ((1999, 2), 100, (100, 1)),
        ((300, 200), 1, (1, 1)), ((300, 200), 299, (299, 199)),
        *(((200, 120), side, (200, 120)) for side in (200, 203, 5000)),  # it is not enlarged
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_longer_side_is_what_was_asked_for(
    kind: str, size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    image = draw_scene("large", (size[0], max(size[1], 40))).crop((0, 0, *size))
    assert opened(prepare_photo(encode(image, kind), side).data).size == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_scaled_photo_looks_like_the_whole_one(kind: str) -> None:
    large = draw_scene("large", (1000, 750))
    options = {} if kind == "PNG" else {"quality": 95}
    small = opened(prepare_photo(encode(large, kind, **options), 200).data)
    assert difference(small, large.resize((200, 150), Image.Resampling.LANCZOS)) < 3


@pytest.mark.parametrize(
    ("kind", "options", "suffix"),
    [
        ("GIF", {}, ".png"),
        ("BMP", {}, ".png"),
        ("TIFF", {}, ".png"),
        ("TIFF", {"compression": "jpeg"}, ".png"),
        ("AVIF", {}, ".jpg"),
        ("MPO", {"save_all": True, "append_images": [SCENE.rotate(90)]}, ".jpg"),
        ("WEBP", {"save_all": True, "append_images": [SCENE.rotate(90)]}, ".jpg"),
    ],
)
def test_what_is_no_format_of_the_web_becomes_one_without_needless_loss(
    kind: str, options: dict[str, object], suffix: str
) -> None:
    data = encode(SCENE, kind, **options)
    photo = prepare_photo(data, 640)
    image = opened(photo.data)
    assert image.format == FORMATS[suffix]
    assert photo.name == hash_bytes(data)[:20] + suffix
    assert difference(image, decode_photo(data).image) <= (0 if suffix == ".png" else 5)
    assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize(
    ("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".jpg"), ("BMP", ".png")]
)
def test_a_large_photo_stays_without_loss_where_it_was(kind: str, suffix: str) -> None:
    # a photo of an archive may be larger than one that is uploaded
    photo = prepare_photo(encode(SCENE, kind) + bytes(MAX_BYTES if kind == "BMP" else 0), 100)
    assert photo.name.endswith(suffix)
    assert opened(photo.data).format == FORMATS[suffix]


def test_a_sound_photo_of_an_unusual_build_is_kept_as_a_picture() -> None:
    """Two bytes that belong to nothing, over which decoders go and the stripping does not."""
    data = encode(SCENE, "JPEG")
    at = data.index(b"\xff\xda")
    odd = data[:at] + b"\x00\x01" + data[at:]
    assert difference(decode_photo(odd).image, SCENE) < 5
    photo = prepare_photo(odd, 640)
    assert photo.name.endswith(".jpg")
    assert difference(opened(photo.data), SCENE) < 6


@pytest.mark.parametrize("name", bad_files())
def test_what_is_no_photo_is_refused_with_its_reason(name: str) -> None:
    data, words = bad_files()[name]
    with pytest.raises(UnreadablePhotoError, match=words.replace("(", r"\(").replace(")", r"\)")):
        prepare_photo(data, 640)
