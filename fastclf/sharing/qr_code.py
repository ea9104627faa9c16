"""A link as a QR code, for a phone to read from a terminal, a slide or a poster."""

from __future__ import annotations

import io
from pathlib import Path

import segno

from ..errors import UsageError
from ..system import find_file_error, write_atomic

# a printed code is read with a seventh of it under a thumb
_LEVEL = "M"


def draw_qr(text: str) -> str:
    """Return lines of half blocks that draw the code on a terminal, light on dark or dark on light."""
    out = io.StringIO()
    segno.make(text, error=_LEVEL, micro=False).terminal(out, compact=True, border=2)
    return out.getvalue().rstrip("\n")


def write_qr(text: str, file: Path) -> None:
    """Write the code as an SVG drawing.

    Parameters
    ----------
    text
        What the code says, a link for example.
    file
        The drawing; its name ends in .svg.

    Raises
    ------
    UsageError
        If the file is not named so, or cannot be written.

    Examples
    --------
    >>> write_qr("https://bears.example.org/", Path("code.svg"))
    >>> Path("code.svg").is_file()
    True
    """
    if file.suffix.lower() != ".svg":
        raise UsageError(
            "--qr is {file}; it writes a drawing, so name a file that ends with .svg.", file=file
        )
    if reason := find_file_error(file):
        raise UsageError(
            "{file} cannot be written ({reason}). Name another with --qr.", file=file, reason=reason
        )
    out = io.BytesIO()
    code = segno.make(text, error=_LEVEL, micro=False)
    code.save(out, kind="svg", scale=8, border=4, light="#fff", title=text)
    write_atomic(file, out.getvalue())
