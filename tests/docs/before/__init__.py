"""What a page's reader has and a test has not. A page asks for it by `<!-- before: NAME -->`.

Each function is given the page's folder and may return variables of the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import photos, reference, sharing

Preparation = Callable[[Path], dict[str, str] | None]


def find_preparation(name: str) -> Preparation:
    """Return the function of that name."""
    [found] = [vars(module)[name] for module in (photos, reference, sharing) if name in vars(module)]
    return found
