"""What a page's reader has and a test has not: photos in folders. A page asks for it by `<!-- before: NAME -->`.

Each function is given the page's folder and may return variables of the environment.
"""

from __future__ import annotations

from pathlib import Path

from ..illustrations import draw_objects


def photos_of_mugs(folder: Path) -> None:
    """`photos/mugs` with twenty photos each of mugs, glasses and bowls."""
    draw_objects(folder / "photos" / "mugs", per_class=20)
