"""What a page's reader has and a test has not: photos in folders. A page asks for it by `<!-- before: NAME -->`.

Each function is given the page's folder and may return variables of the environment.
"""

from __future__ import annotations

from pathlib import Path

from ..drawing import draw_photos


def photos_of_colours(folder: Path) -> None:
    """`photos/colours` with twenty photos of red, green and blue each."""
    draw_photos(folder / "photos" / "colours", per_class=20, size=(160, 120))
