"""Mugs, glasses and spoons on a table, drawn with Pillow: each at another place, in other colours and light."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (480, 360)
Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, width, height


def draw_tableware(folder: Path, *labels: str, n: int) -> Path:
    """Write `n` photos of each class into a folder of its own, named as a phone names them."""
    for label in labels:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            draw_thing(label, i).save(folder / label / f"IMG_{_name_number(label, i):04d}.jpg", quality=85)
    return folder


def _name_number(label: str, i: int) -> int:
    return 1000 * (1 + sorted(_DRAWN).index(label)) + 17 + i


def draw_thing(label: str, i: int) -> Image.Image:
    """Draw one photo; every `i` gives another one."""
    rng = np.random.default_rng([i, zlib.crc32(label.encode())])
    image = _draw_room(rng)
    height = rng.uniform(0.45, 0.7) * SIZE[1]
    width = height * rng.uniform(0.55, 0.75)
    box = (
        rng.uniform(0.15, 0.7) * (SIZE[0] - width),
        rng.uniform(0.25, 0.8) * (SIZE[1] - height),
        width,
        height,
    )
    _DRAWN[label](image, box, rng)
    soft = image.filter(ImageFilter.GaussianBlur(0.8))
    noise = rng.normal(0, 5, (SIZE[1], SIZE[0], 3)) + rng.uniform(-15, 15)
    return Image.fromarray(np.clip(np.asarray(soft) + noise, 0, 255).astype(np.uint8))


def _draw_room(rng: np.random.Generator) -> Image.Image:
    """A wall and a table, lit from one side."""
    image = Image.new("RGB", SIZE, _mix(rng, 0.05, 0.3, 0.55, 0.95))
    edge = int(rng.uniform(0.4, 0.7) * SIZE[1])
    ImageDraw.Draw(image).rectangle((0, edge, *SIZE), _mix(rng, 0.2, 0.6, 0.3, 0.75))
    light = np.linspace(*rng.permutation([0.8, 1.1]), SIZE[0])[None, :, None]
    return Image.fromarray(np.clip(np.asarray(image) * light, 0, 255).astype(np.uint8))


def _draw_mug(image: Image.Image, box: Box, rng: np.random.Generator) -> None:
    """An opaque body with a handle at one side and something dark in it."""
    x, y, w, h = box
    h *= 0.8
    colour, rim = _mix(rng, 0.5, 0.95, 0.45, 0.95), h * 0.16
    canvas = ImageDraw.Draw(image)
    side = x if rng.random() < 0.5 else x + w
    canvas.ellipse(
        (side - w * 0.3, y + h * 0.22, side + w * 0.3, y + h * 0.8),
        outline=_shade(colour, 0.85),
        width=int(w * 0.11),
    )
    canvas.ellipse((x, y + h - rim, x + w, y + h + rim), colour)
    canvas.rectangle((x, y, x + w, y + h), colour)
    canvas.rectangle((x, y, x + w * 0.18, y + h), _shade(colour, 0.8))
    canvas.ellipse((x, y - rim, x + w, y + rim), _shade(colour, 1.15))
    canvas.ellipse((x + w * 0.07, y - rim * 0.7, x + w * 0.93, y + rim * 0.8), (60, 35, 20))


def _draw_glass(image: Image.Image, box: Box, rng: np.random.Generator) -> None:
    """A clear body that narrows downwards, with a drink in it and light along its sides."""
    x, y, w, h = box
    w *= 0.8
    layer = Image.new("RGBA", SIZE)
    canvas = ImageDraw.Draw(layer)
    foot, rim, full = w * 0.14, h * 0.05, rng.uniform(0.25, 0.6)

    def row(share: float) -> tuple[float, float, float]:
        return x + foot * share, x + w - foot * share, y + h * share

    (left, right, level), (low, lower, bottom) = row(full), row(1)
    canvas.polygon([(x, y), (x + w, y), (lower, bottom), (low, bottom)], (235, 245, 250, 70))
    drink = _mix(rng, 0.3, 0.9, 0.6, 0.95)
    canvas.polygon([(left, level), (right, level), (lower, bottom - rim), (low, bottom - rim)], (*drink, 130))
    canvas.ellipse((left, level - rim, right, level + rim), (*_shade(drink, 1.1), 150))
    for (top, end), bright in (((x, low), 210), ((x + w, lower), 170), ((x + w * 0.2, low + w * 0.1), 230)):
        canvas.line((top, y, end, bottom), (250, 252, 255, bright), width=4)
    canvas.ellipse((x, y - rim, x + w, y + rim), outline=(245, 250, 255, 220), width=4)
    canvas.ellipse((low, bottom - rim, lower, bottom + rim), (240, 248, 255, 150))
    image.paste(layer, (0, 0), layer)


def _draw_spoon(image: Image.Image, box: Box, rng: np.random.Generator) -> None:
    """A bowl at the end of a thin handle, at any angle."""
    x, y, w, h = box
    layer = Image.new("RGBA", SIZE)
    canvas = ImageDraw.Draw(layer)
    metal, middle = int(rng.uniform(150, 215)), x + w / 2
    canvas.rounded_rectangle((middle - w * 0.05, y + h * 0.3, middle + w * 0.05, y + h), 5, (metal,) * 3)
    canvas.ellipse((middle - w * 0.2, y - h * 0.05, middle + w * 0.2, y + h * 0.38), (metal,) * 3)
    canvas.ellipse((middle - w * 0.13, y, middle + w * 0.08, y + h * 0.3), (min(255, metal + 40),) * 3)
    turned = layer.rotate(
        rng.uniform(-80, 80), center=(middle, y + h / 2), resample=Image.Resampling.BILINEAR
    )
    image.paste(turned, (0, 0), turned)


_DRAWN: dict[str, Callable[[Image.Image, Box, np.random.Generator], None]] = {
    "glass": _draw_glass,
    "mug": _draw_mug,
    "spoon": _draw_spoon,
}


def _mix(rng: np.random.Generator, *ranges: float) -> Colour:
    """Draw a colour of any hue, of a saturation and a brightness in the given ranges."""
    low, high, dark, light = ranges
    parts = colorsys.hsv_to_rgb(rng.random(), rng.uniform(low, high), rng.uniform(dark, light))
    red, green, blue = (int(255 * part) for part in parts)
    return red, green, blue


def _shade(colour: Colour, by: float) -> Colour:
    red, green, blue = (min(255, int(part * by)) for part in colour)
    return red, green, blue
