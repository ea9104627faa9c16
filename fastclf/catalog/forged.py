"""Rows of a catalog that came with a folder: what they name has to lie in it."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import NoReturn

from ..errors import CatalogError
from ..system import DATABASE
from .store import Store

_PATHS = ("name", "given_split")
_PARTS = ("label", "folder_label", "sha256", "pixel_hash", "split")
_NUMBERS = ("id", "width", "height", "size")
_LEADS_OUT = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^\.$|\0", re.MULTILINE)


def refuse_bytes(store: Store, folder: Path) -> None:
    """Refuse a catalog in which bytes stand where text should; may raise a CatalogError."""
    columns = ("path", "label", "folder_label", "given_split", "sha256")
    where = " OR ".join(f"{column} >= x''" for column in columns)
    for row in store.read(f"SELECT path AS name, label FROM photos WHERE {where} LIMIT 1"):
        _refuse(row, folder)


def refuse_forged(row: sqlite3.Row, folder: Path) -> None:
    """Refuse a photo's row that leads out of the folder, or is of other types than fastclf writes.

    Raises
    ------
    CatalogError
        If so.
    """
    try:
        paths, parts = (("\n".join([row[name] for name in names])) for names in (_PATHS, _PARTS))
        is_sound = not (_LEADS_OUT.search(paths) or _LEADS_OUT.search(parts) or "/" in parts)
        is_sound = is_sound and all(isinstance(row[name], int) for name in _NUMBERS)
    except TypeError:
        is_sound = False
    if not is_sound:
        _refuse(row, folder)


def _refuse(row: sqlite3.Row, folder: Path) -> NoReturn:
    raise CatalogError(
        "The catalog {file} names something outside of its folder ({name!r}, of the class {label!r}), so "
        "somebody may have forged it. Move it away: fastclf then starts a new one.",
        file=folder / ".fastclf" / DATABASE,
        name=str(row["name"])[:80],
        label=str(row["label"])[:80],
    )
