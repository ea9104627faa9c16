"""The maker's colour, made readable: one for light pages and one for dark ones."""

from __future__ import annotations

import re

# What text in the colour stands on: the darkest light ground and the lightest dark one.
_LIGHT, _DARK = (0xEE, 0xF1, 0xF5), (0x25, 0x2D, 0x38)
_ENOUGH = 4.6  # WCAG 2 AA asks 4.5 for text

Rgb = tuple[int, int, int]


def find_accents(colour: str) -> dict[str, str]:
    """Return {"light": colour, "dark": colour}, nearest to the maker's with AA contrast; {} for none.

    Parameters
    ----------
    colour
        "#rgb" or "#rrggbb"; anything else is no colour.

    Examples
    --------
    >>> find_accents("#ffcc00")
    {'light': '#806600', 'dark': '#ffcc00'}
    """
    match = re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", colour.strip())
    if not match:
        return {}
    digits = match[1] if len(match[1]) == 6 else "".join(2 * c for c in match[1])
    rgb = (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
    return {"light": _move(rgb, (0, 0, 0), _LIGHT), "dark": _move(rgb, (255, 255, 255), _DARK)}


def compute_contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast of two sRGB colours, 1 to 21 (WCAG 2)."""
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _move(rgb: Rgb, towards: Rgb, ground: Rgb) -> str:
    for step in range(101):
        mixed = [round(a + (b - a) * step / 100) for a, b in zip(rgb, towards, strict=True)]
        moved = (mixed[0], mixed[1], mixed[2])
        if compute_contrast(moved, ground) >= _ENOUGH:
            break
    return "#" + "".join(f"{value:02x}" for value in moved)


def _luminance(rgb: Rgb) -> float:
    r, g, b = (v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
