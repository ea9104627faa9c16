"""The faults that `faults.py` plants: broken files, copies, foreign pictures and poor photos."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png")

Make = Callable[[Image.Image, np.random.Generator], Image.Image]
MakeBytes = Callable[[bytes, np.random.Generator], bytes]


def find_photos(folder: Path) -> list[Path]:
    """Return the photos of a labelled folder in a fixed order."""
    return sorted(p for p in folder.glob("*/**/*") if p.suffix.lower() in SUFFIXES)


def copy_folder(source: Path, dest: Path) -> list[Path]:
    """Copy the photos of a labelled folder, and nothing else of it."""
    for path in find_photos(source):
        target = dest / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return find_photos(dest)


def open_rgb(path: Path) -> Image.Image:
    """Decode a photo with Pillow alone, upright."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def encode(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return a photo as bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(len(data) * rng.uniform(0.1, 0.9))]


def _flip_until_broken(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip single bytes anywhere until Pillow no longer decodes the file."""
    broken = bytearray(data)
    for _ in range(1000):
        broken[rng.integers(len(broken))] ^= int(rng.integers(1, 256))
        try:
            Image.open(io.BytesIO(bytes(broken))).load()
        except (OSError, SyntaxError, ValueError):
            return bytes(broken)
    return bytes(data[:10])


def _make_bomb(_: bytes, rng: np.random.Generator) -> bytes:
    side = int(rng.integers(14_000, 18_000))
    return encode(Image.new("1", (side, side)), "PNG")


BROKEN: dict[str, MakeBytes] = {
    "truncated": _truncate,
    "0 bytes": lambda data, rng: b"",
    "web page named .jpg": lambda data, rng: b"<!DOCTYPE html><html><body>Not found</body></html>",
    "bomb (over 190 million pixels)": _make_bomb,
    "bytes flipped until it breaks": _flip_until_broken,
    "text named .jpg": lambda data, rng: b"This is not a photo.\n" * int(rng.integers(1, 200)),
}


def _save_16_bit(image: Image.Image) -> bytes:
    deep = np.asarray(image.convert("L")).astype(np.uint16) * 257
    return encode(Image.fromarray(deep), "PNG")


def _save_turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(image, exif=exif)


# Unusual files that are sound: not one may be called unreadable.
SOUND: dict[str, Callable[[Image.Image], bytes]] = {
    "CMYK": lambda image: encode(image.convert("CMYK")),
    "progressive": lambda image: encode(image, progressive=True),
    "16 bits a pixel": _save_16_bit,
    "palette": lambda image: encode(image.quantize(64), "PNG"),
    "PNG named .jpg": lambda image: encode(image, "PNG"),
    "turned by EXIF": _save_turned,
    "rubbish behind its end": lambda image: encode(image) + b"\0rubbish" * 50,
}

# (suffix, file format) of exact copies by pixels.
LOSSLESS = ((".png", "PNG"), (".bmp", "BMP"))


def _resize(factor: float) -> Make:
    def make(image: Image.Image, _: np.random.Generator) -> Image.Image:
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        return image.resize(size, Image.Resampling.BICUBIC)

    return make


def _crop(share: float, *, centre: bool) -> Make:
    """Take `share` of the width and of the height away, around the middle or at a random place."""

    def make(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        width, height = (round(side * (1 - share)) for side in image.size)
        across, down = (0.5, 0.5) if centre else rng.random(2)
        x, y = round((image.width - width) * across), round((image.height - height) * down)
        return image.crop((x, y, x + width, y + height))

    return make


def _brighten(factor: float) -> Make:
    def make(image: Image.Image, _: np.random.Generator) -> Image.Image:
        lit = np.asarray(image, np.float32) * factor + 0.5
        return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))

    return make


# {name: (how, JPEG quality, recall to reach, whether only with features)}
COPIES: dict[str, tuple[Make, int, float, bool]] = {
    "resized to 50 %": (_resize(0.5), 95, 0.95, False),
    "resized to 150 %": (_resize(1.5), 95, 0.95, False),
    "JPEG quality 30": (lambda image, rng: image, 30, 0.95, False),
    "5 % cropped, middle": (_crop(0.05, centre=True), 95, 0.95, False),
    "5 % cropped, anywhere": (_crop(0.05, centre=False), 95, 0.95, False),
    "15 % brighter": (_brighten(1.15), 95, 0.95, False),
    "15 % darker": (_brighten(0.85), 95, 0.95, False),
    "10 % cropped, anywhere": (_crop(0.10, centre=False), 95, 0.90, True),
    "10 % cropped from each side": (_crop(0.20, centre=True), 95, 0.90, True),
    "mirrored": (lambda image, rng: ImageOps.mirror(image), 95, 0.90, True),
}


def _fade(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return Image.fromarray((255 - (255 - np.asarray(image, np.float32)) * 0.15).astype(np.uint8))


def _blur(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(0.02 * max(image.size)))


def _empty(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Keep one colour of the photo and a camera's noise."""
    colour = np.asarray(image).reshape(-1, 3)[int(rng.integers(image.width * image.height))]
    noise = rng.normal(0, 2, (image.height, image.width, 3))
    return Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8))


def _strip(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.crop((0, 0, image.width, max(1, round(image.width / 5))))


# {kind of `fastclf.issues.quality`: how}
POOR: dict[str, Make] = {
    "dark": _brighten(0.15),
    "light": _fade,
    "blurred": _blur,
    "empty": _empty,
    "grey": lambda image, rng: image.convert("L").convert("RGB"),
    "odd size": _resize(0.2),
    "odd shape": _strip,
}


def draw_noise(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw a picture of noise."""
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def draw_plain(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw a picture of one colour."""
    return Image.new("RGB", size, tuple(int(c) for c in rng.integers(0, 256, 3)))


def choose(items: Sequence[Path], n: int, rng: np.random.Generator) -> list[Path]:
    """Choose `n` different items, all if there are fewer."""
    chosen = rng.choice(len(items), min(n, len(items)), replace=False)
    return [items[i] for i in chosen]


def save_beside(original: Path, word: str, data: bytes, suffix: str = ".jpg") -> Path:
    """Write a planted file into the class folder of a photo."""
    target = original.with_name(f"planted_{word}_{original.stem}{suffix}")
    target.write_bytes(data)
    return target
