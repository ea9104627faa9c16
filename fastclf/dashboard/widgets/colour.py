"""The maker's colour, made readable: one for light pages and one for dark ones."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PIL import ImageColor

# What text in the colour stands on: the darkest light ground and the lightest dark one.
_LIGHT, _DARK = (0xEE, 0xF1, 0xF5), (0x25, 0x2D, 0x38)
_ENOUGH = 4.6  # WCAG 2 AA asks 4.5 for text


def find_accents(colour: str) -> dict[str, str]:
    """Return {"light": colour, "dark": colour}, nearest to "#rgb" or "#rrggbb" with AA contrast; else {}.

    Examples
    --------
    >>> find_accents("#ffcc00")
    {'light': '#826800', 'dark': '#ffcc00'}
    """
    if not re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", colour.strip()):
        return {}
    rgb = ImageColor.getrgb(colour.strip())[:3]
    return {"light": _move(rgb, (0, 0, 0), _LIGHT), "dark": _move(rgb, (255, 255, 255), _DARK)}


def _move(rgb: Sequence[int], towards: Sequence[int], ground: Sequence[int]) -> str:
    for step in range(101):
        moved = [round(a + (b - a) * step / 100) for a, b in zip(rgb, towards, strict=True)]
        low, high = sorted(map(_luminance, (moved, ground)))
        if (high + 0.05) / (low + 0.05) >= _ENOUGH:
            break
    return "#" + bytes(moved).hex()


def _luminance(rgb: Sequence[int]) -> float:
    r, g, b = (v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
