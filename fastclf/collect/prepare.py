"""What arrived becomes a photo to keep: judged by its bytes, upright, not too large, without GPS."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from ..photos import MAX_FOLDER_BYTES, DecodedPhoto, decode_photo, encode_jpeg, encode_png
from ..system import hash_bytes
from .metadata import strip_metadata

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
# A photo that was drawn or photographed without loss stays without loss.
_LOSSLESS = ("PNG", "GIF", "BMP", "TIFF")
# Chosen, not measured: most photos were JPEGs before, and a second encoding must not add marks of its own.
_QUALITY = 92
# So much of the hash names a file: 80 bits, and names stay readable.
_NAME_DIGITS = 20


@dataclass(frozen=True)
class Prepared:
    """A photo as it will be stored: its file, and the sha256 of what arrived and of what is stored."""

    data: bytes
    name: str
    received: str
    stored: str


def prepare_photo(data: bytes, largest_side: int) -> Prepared:
    """Judge bytes and make a photo of them.

    A JPEG, PNG or WebP that stands upright and is small enough keeps its pixels to the byte, and loses its
    metadata. Another is turned and scaled; other formats become JPEG, or PNG where they are lossless.

    Raises
    ------
    UnreadablePhotoError
        If that is no photo.
    """
    photo = decode_photo(data, "it", max_bytes=MAX_FOLDER_BYTES, least_side=largest_side)
    kept = _keep(data, photo, largest_side)
    if kept is None:
        kind = "PNG" if photo.format in _LOSSLESS else "JPEG"
        image = _scale(photo.image, largest_side)
        kept = encode_png(image) if kind == "PNG" else encode_jpeg(image, _QUALITY)
    else:
        kind = photo.format
    received = hash_bytes(data)
    name = received[:_NAME_DIGITS] + _SUFFIXES[kind]
    return Prepared(data=kept, name=name, received=received, stored=hash_bytes(kept))


def _keep(data: bytes, photo: DecodedPhoto, largest_side: int) -> bytes | None:
    if photo.format not in _SUFFIXES or not photo.upright or max(photo.size) > largest_side:
        return None
    return strip_metadata(data, photo.format)


def _scale(image: Image.Image, largest_side: int) -> Image.Image:
    longest = max(image.size)
    if longest <= largest_side:
        return image
    width, height = (max(1, round(side * largest_side / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.HAMMING, reducing_gap=2.0)
