"""Mugs, glasses and bowls on a table, drawn with Pillow: what the documents show where photos of one's own would be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Draw = Callable[[ImageDraw.ImageDraw, np.random.Generator, float, float, float], None]

SIZE = (480, 360)
_FINER = 2  # drawn at twice the size, then scaled down
_WALLS = [
    (236, 229, 216),
    (214, 226, 232),
    (226, 217, 232),
    (219, 232, 219),
    (240, 224, 214),
    (205, 211, 222),
]
_TABLES = [(154, 108, 72), (188, 145, 102), (108, 82, 66), (214, 190, 160), (128, 128, 132), (92, 104, 98)]
_GLAZES = [
    (196, 64, 54),
    (44, 92, 150),
    (236, 236, 230),
    (64, 120, 92),
    (222, 168, 60),
    (90, 74, 120),
    (50, 54, 60),
]
_DRINKS = [(120, 180, 220), (230, 150, 60), (150, 40, 60), (190, 215, 120), (235, 235, 240)]


def draw_object(kind: str, seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A drawing of a mug, glass or bowl; every seed gives another place, size, colour, wall and table."""
    rng = np.random.default_rng([seed, *map(ord, kind)])
    width, height = size[0] * _FINER, size[1] * _FINER
    horizon = height * rng.uniform(0.5, 0.68)
    image = _draw_room(rng, width, height, horizon)
    scale = height * rng.uniform(0.42, 0.6)
    x, floor = width * rng.uniform(0.34, 0.66), min(height * 0.93, horizon + scale * rng.uniform(0.25, 0.5))
    _cast_shadow(image, x, floor, scale)
    _KINDS[kind](ImageDraw.Draw(image, "RGBA"), rng, x, floor, scale)
    turned = image.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC, fillcolor=_choose(rng, _WALLS))
    margin = round(height * 0.05)
    inner = turned.crop((margin, margin, width - margin, height - margin))
    return inner.resize(size, Image.Resampling.LANCZOS)


def draw_objects(folder: Path, per_class: int, size: tuple[int, int] = SIZE, first: int = 0) -> Path:
    """Write that many JPEGs of each kind into folders of its name."""
    for kind in _KINDS:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(first, first + per_class):
            draw_object(kind, i, size).save(folder / kind / f"{kind}-{i:02d}.jpg", quality=88)
    return folder


def _choose(rng: np.random.Generator, colours: list[Colour]) -> Colour:
    picked = np.array(colours[rng.integers(len(colours))]) + rng.integers(-12, 13, 3)
    r, g, b = picked.clip(0, 255).tolist()
    return r, g, b


def _shade(colour: Colour, by: float) -> Colour:
    r, g, b = (min(255, max(0, round(c * by))) for c in colour)
    return r, g, b


def _draw_room(rng: np.random.Generator, width: int, height: int, horizon: float) -> Image.Image:
    wall, table = _choose(rng, _WALLS), _choose(rng, _TABLES)
    rows = np.arange(height)[:, None]
    light = np.where(rows < horizon, 1.04 - 0.12 * rows / height, 0.86 + 0.2 * rows / height)
    colours = np.where(rows[:, :, None] < horizon, np.array(wall), np.array(table)) * light[:, :, None]
    pixels = np.repeat(colours, width, axis=1) + rng.normal(0, 2.5, (height, width, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _cast_shadow(image: Image.Image, x: float, floor: float, scale: float) -> None:
    shadow = Image.new("L", image.size)
    reach = scale * 0.52
    ImageDraw.Draw(shadow).ellipse(
        (x - reach, floor - scale * 0.1, x + reach * 1.25, floor + scale * 0.1), fill=120
    )
    image.paste((30, 26, 24), mask=shadow.filter(ImageFilter.GaussianBlur(scale * 0.05)))


def _draw_sides(
    draw: ImageDraw.ImageDraw,
    x: float,
    top: float,
    floor: float,
    widths: tuple[float, float],
    colour: Colour,
    alpha: int = 255,
) -> None:
    """Fill a body of revolution in upright stripes, lit from the left."""
    upper, lower = widths
    steps = 60
    for i in range(steps):
        a, b = -1 + 2 * i / steps, -1 + 2 * (i + 1) / steps
        middle = (a + b) / 2
        light = 1.08 - 0.42 * (middle + 0.35) ** 2
        corners = [(x + a * upper, top), (x + b * upper, top), (x + b * lower, floor), (x + a * lower, floor)]
        draw.polygon(corners, fill=(*_shade(colour, light), alpha))


def _draw_mug(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, floor: float, scale: float
) -> None:
    glaze, wide = _choose(rng, _GLAZES), scale * rng.uniform(0.34, 0.42)
    top, flat, side = floor - scale * rng.uniform(0.78, 0.92), wide * 0.22, 1 if rng.random() < 0.5 else -1
    middle, reach = (top + floor) / 2, scale * 0.22
    handle = sorted([x + side * wide * 0.75, x + side * (wide + reach)])
    draw.ellipse(
        (handle[0], middle - reach, handle[1], middle + reach),
        outline=_shade(glaze, 0.8),
        width=round(scale * 0.075),
    )
    draw.ellipse((x - wide, floor - flat, x + wide, floor + flat), fill=_shade(glaze, 0.75))
    _draw_sides(draw, x, top, floor, (wide, wide), glaze)
    if rng.random() < 0.5:
        band = scale * 0.1
        _draw_sides(draw, x, middle - band, middle + band, (wide, wide), _choose(rng, _GLAZES))
    draw.ellipse((x - wide, top - flat, x + wide, top + flat), fill=_shade(glaze, 1.05))
    draw.ellipse((x - wide * 0.88, top - flat * 0.8, x + wide * 0.88, top + flat * 0.85), fill=(74, 48, 34))


def _draw_glass(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, floor: float, scale: float
) -> None:
    upper = scale * rng.uniform(0.27, 0.33)
    lower, top, flat = upper * rng.uniform(0.62, 0.85), floor - scale, upper * 0.2
    drink, full = _choose(rng, _DRINKS), rng.uniform(0.3, 0.85)
    level, at_level = floor - full * scale * 0.95, lower + (upper - lower) * full * 0.95
    draw.ellipse((x - lower, floor - flat, x + lower, floor + flat), fill=(*_shade(drink, 0.8), 210))
    _draw_sides(draw, x, level, floor, (at_level, lower), drink, 190)
    draw.ellipse((x - at_level, level - flat, x + at_level, level + flat), fill=(*_shade(drink, 1.1), 230))
    _draw_sides(draw, x, top, level, (upper, at_level), (225, 238, 245), 70)
    draw.ellipse(
        (x - upper, top - flat, x + upper, top + flat),
        outline=(250, 252, 255, 230),
        width=round(scale * 0.014),
    )
    shine = [(x - upper * 0.62, top + scale * 0.12), (x - lower * 0.62, floor - scale * 0.12)]
    draw.line(shine, fill=(255, 255, 255, 150), width=round(scale * 0.03))


def _draw_bowl(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: float, floor: float, scale: float
) -> None:
    glaze, wide = _choose(rng, _GLAZES), scale * rng.uniform(0.66, 0.8)
    deep, flat = scale * rng.uniform(0.46, 0.58), wide * 0.2
    top, steps = floor - deep, 50
    for i in range(steps):
        part = i / steps
        reach = wide * (1 - part**2.6) ** 0.5
        y = top + deep * part
        _draw_sides(draw, x, y, y + deep / steps + 1, (reach, reach), glaze)
    foot = wide * 0.34
    draw.ellipse((x - foot, floor - flat * 0.5, x + foot, floor + flat * 0.2), fill=_shade(glaze, 0.7))
    draw.ellipse((x - wide, top - flat, x + wide, top + flat), fill=_shade(glaze, 1.08))
    draw.ellipse(
        (x - wide * 0.9, top - flat * 0.8, x + wide * 0.9, top + flat * 0.85), fill=_choose(rng, _DRINKS)
    )


_KINDS: dict[str, Draw] = {"bowl": _draw_bowl, "glass": _draw_glass, "mug": _draw_mug}
