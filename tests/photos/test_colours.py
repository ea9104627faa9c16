"""Colour profiles: what a camera meant is what the network sees, and a broken profile changes nothing."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from fastclf.photos import decode_photo

# The primaries of Display P3 as XYZ under the profile's white (D50), and sRGB's.
P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))
RED = (200, 40, 40)
OPTIONS = {"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def build_profile(primaries: tuple[tuple[float, float, float], ...], space: bytes = b"RGB ") -> bytes:
    """Write a profile of three primaries and sRGB's curve, as cameras' are."""
    steps = np.linspace(0, 1, 1024)
    curve = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    table = b"curv\0\0\0\0" + struct.pack(">I", 1024) + (curve * 65535).round().astype(">u2").tobytes()
    white = (0.9642, 1.0, 0.8249)
    tags = {
        name: b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))
        for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), (*primaries, white), strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), table)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + bytes(80)
    tags[b"cprt"] = b"text\0\0\0\0" + b"none\0\0\0\0"
    listing, body, place = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        listing += name + struct.pack(">II", place + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s12s4s",
        place + len(body),
        b"lcms",
        0x02400000,
        b"mntr",
        space,
        b"XYZ ",
        bytes(12),
        b"acsp",
    )
    head += bytes(28) + b"".join(map(_fixed, white)) + bytes(128 - len(head) - 40)
    return head + struct.pack(">I", len(tags)) + listing + body


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
