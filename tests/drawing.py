"""Photos drawn with Pillow, good ones and bad ones."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"blue": (30, 30, 220), "green": (30, 200, 30), "red": (220, 30, 30)}


def draw_photo(label: str, seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A noisy photo in the class's colour; every seed gives other pixels."""
    rng = np.random.default_rng([seed, *COLOURS[label]])
    noise = rng.integers(-30, 31, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8))


def draw_photos(folder: Path, per_class: int, size: tuple[int, int] = (40, 30)) -> Path:
    for label in COLOURS:
        (folder / label).mkdir(parents=True)
        for i in range(per_class):
            (folder / label / f"{i:03d}.png").write_bytes(_draw_png(label, i, size))
    return folder


@cache
def _draw_png(label: str, seed: int, size: tuple[int, int]) -> bytes:
    return encode(draw_photo(label, seed, size), "PNG")


def draw_navy(folder: Path, n: int) -> Path:
    """Add a class that is nearly blue."""
    (folder / "navy").mkdir()
    for i in range(n):
        mixed = np.add(draw_photo("blue", 500 + i), np.array([0.0, 0, -12]))
        Image.fromarray(mixed.clip(0, 255).astype(np.uint8)).save(folder / "navy" / f"{i}.png")
    return folder


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_with_size(width: int, height: int) -> bytes:
    """A PNG whose header promises `width` x `height` pixels and whose body is nearly empty."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@cache
def bad_files() -> dict[str, tuple[bytes, str]]:
    """{name: (bytes, words that the reason must hold)} of files that are no usable photo."""
    jpeg = encode(draw_photo("red", 0, (400, 300)), "JPEG")
    png = encode(draw_photo("red", 0, (400, 300)), "PNG")
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0xFF
    return {
        "empty.jpg": (b"", "empty (0 bytes)"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut off"),
        "cut.png": (png[: len(png) // 2], "cut off"),
        "head-only.jpg": (jpeg[:20], "not a photo|damaged|cut off"),
        "flipped.png": (bytes(flipped), "damaged|cut off"),
        "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        "drawing.jpg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "text.png": (b"hello, this is no picture at all", "not a photo"),
        "zeros.jpg": (bytes(5000), "only zeros"),
        "bomb.png": (png_with_size(60_000, 60_000), "pixels"),
        "huge.png": (png_with_size(10_000, 9_000), "pixels"),
        "line.png": (encode(Image.new("RGB", (50_000, 1)), "PNG"), "times as long"),
        "document.jpg": (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + bytes(range(200)), "not a photo"),
        "icon.ico": (encode(Image.new("RGB", (32, 32)), "ICO"), "not a photo"),
    }


def draw_scenes(folder: Path, *labels: str, n: int) -> Path:
    for label in labels:
        (folder / label).mkdir(parents=True)
        for i in range(n):
            draw_scene(f"{label}{i}").save(folder / label / f"{i:02d}.png")
    return folder


def draw_scene(name: str, size: tuple[int, int] = (200, 160)) -> Image.Image:
    """A picture with structure of its own: shapes and shading that follow from `name` alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    shade = np.linspace(60, 200, size[0])[None, :, None] * rng.uniform(0.5, 1, 3)
    image = Image.fromarray(np.broadcast_to(shade, (size[1], size[0], 3)).astype(np.uint8))
    canvas = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
        w, h = rng.integers(10, size[0] // 3), rng.integers(10, size[1] // 3)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        (canvas.ellipse if rng.random() < 0.5 else canvas.rectangle)((x, y, x + w, y + h), fill=colour)
    return image
