"""The page's icon, in the maker's colour: as a drawing, and as the PNG files that phones ask for."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

SIZES = (192, 512)
_UNITS = 32  # the drawing's side
_FINE = 4  # drawn so many times larger, for smooth edges


def draw_svg(colour: str) -> str:
    """Return the icon, a camera on a coloured ground, as SVG."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_UNITS} {_UNITS}">'
        f'<rect width="{_UNITS}" height="{_UNITS}" rx="7" fill="{colour}"/>'
        '<path d="M6 11h5l2-3h6l2 3h5v13H6z" fill="#fff"/>'
        f'<circle cx="16" cy="17" r="4.5" fill="{colour}"/></svg>'
    )


def draw_png(colour: str, side: int) -> bytes:
    """Return the same as PNG, without round corners: phones cut their own."""
    scale = side * _FINE / _UNITS
    image = Image.new("RGB", (side * _FINE, side * _FINE), colour)
    draw = ImageDraw.Draw(image)
    outline = [(6, 11), (11, 11), (13, 8), (19, 8), (21, 11), (26, 11), (26, 24), (6, 24)]
    draw.polygon([(x * scale, y * scale) for x, y in outline], fill="#ffffff")
    draw.ellipse([v * scale for v in (11.5, 12.5, 20.5, 21.5)], fill=colour)
    small = image.resize((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "PNG", optimize=True)
    return out.getvalue()
