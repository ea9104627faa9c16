"""Colour profiles: what a camera meant is what the network sees, and a broken profile changes nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from fastclf.photos import decode_photo

from ..profiles import P3, SRGB, build_profile

RED = (200, 40, 40)
OPTIONS = {"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}


def save(image: Image.Image, kind: str, profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, icc_profile=profile, **OPTIONS.get(kind, {}))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_wide_red_is_the_red_that_was_meant(kind: str) -> None:
    decoded = decode_photo(save(Image.new("RGB", (20, 20), RED), kind, build_profile(P3)))
    # what a browser shows of it, and sends
    assert np.abs(np.asarray(decoded.image).astype(int) - (218, 0, 26)).max() <= 6
    assert not decoded.plain
    assert "icc_profile" not in decoded.image.info


@pytest.mark.parametrize(
    "profile",
    [
        None, build_profile(SRGB), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        build_profile(P3)[:300], b"nothing", build_profile(P3, b"GRAY"), build_profile(P3) + bytes(5 * 2**20),
    ],
    ids=["none", "as sRGB", "sRGB", "cut", "nothing", "of greys", "huge"],
)  # fmt: skip
def test_a_profile_that_says_nothing_changes_nothing(profile: bytes | None) -> None:
    decoded = decode_photo(save(Image.new("RGB", (20, 20), RED), "TIFF", profile))
    assert (np.asarray(decoded.image) == RED).all()
    assert decoded.plain


def test_alpha_and_palettes_keep_their_profile() -> None:
    clear = Image.new("RGBA", (20, 20), (*RED, 255))
    palette = Image.new("RGB", (20, 20), RED).quantize(4)
    for image in (clear, palette):
        decoded = decode_photo(save(image, "PNG", build_profile(P3)))
        assert np.abs(np.asarray(decoded.image).astype(int) - (218, 0, 26)).max() <= 6


def test_a_profile_that_cannot_be_read_is_known_afterwards() -> None:
    photo, p3 = Image.new("RGB", (40, 30), RED), build_profile(P3)
    for image, profile, known in (
        (photo, None, True),
        (photo, p3, True),
        (photo.convert("L"), p3, True),  # the grey copy of a coloured photo
        (photo, b"no profile at all", False),
        (photo, p3[:300], False),
        (photo, build_profile(P3, b"CMYK"), False),
    ):
        decoded = decode_photo(save(image, "PNG", profile))
        assert decoded.colours_known == known
        if not known:
            assert decoded.image.getpixel((0, 0)) == RED
