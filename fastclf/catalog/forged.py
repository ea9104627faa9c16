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
_PARTS = ("label", "folder_label", "sha256", "split")
_MEASURES = ("width", "height")
# No system has a longer path.
_LONGEST = 4096
_LEADS_OUT = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^\.$|\0", re.MULTILINE)

_MARKS = ("..", "\n/", "\n\\", "\n.\n", "\0")


def refuse_unnameable(store: Store, folder: Path) -> None:
    """Refuse a catalog with bytes or an endless text where a name should stand; may raise a CatalogError."""
    columns = ("path", "label", "folder_label", "given_split", "sha256")
    where = " OR ".join(f"{column} >= x'' OR length({column}) > {_LONGEST}" for column in columns)
    shown = "substr(path, 1, 80) AS name, substr(label, 1, 80) AS label"
    for row in store.read(f"SELECT {shown} FROM photos WHERE {where} LIMIT 1"):
        _refuse(row, folder)


def refuse_forged(row: sqlite3.Row, folder: Path) -> None:
    """Refuse a photo's row that leads out of the folder, or is of other types than fastclf writes.

    Raises
    ------
    CatalogError
        If so.
    """
    # what was not read yet has no measures
    measured = [row[name] for name in _MEASURES if row[name] is not None]
    parts = [row[name] for name in _PARTS] + ([] if row["pixel_hash"] is None else [row["pixel_hash"]])
    texts = [row[name] for name in _PATHS] + parts
    numbers = [row["id"], row["size"], *measured]
    is_typed = all(isinstance(n, int) for n in numbers) and all(isinstance(text, str) for text in texts)
    if not is_typed or _leads_out("\n".join(texts)) or "/" in "".join(parts):
        _refuse(row, folder)


def _leads_out(names: str) -> bool:
    if len(names) > 4 * _LONGEST:
        return True
    # without one of these the pattern finds nothing, and takes ten times as long to say so
    lines = f"\n{names}\n"
    return any(mark in lines for mark in _MARKS) and _LEADS_OUT.search(names) is not None


def _refuse(row: sqlite3.Row, folder: Path) -> NoReturn:
    raise CatalogError(
        "The catalog {file} names something outside of its folder ({name!r}, of the class {label!r}), so "
        "somebody may have forged it. Move it away: fastclf then starts a new one.",
        file=folder / ".fastclf" / DATABASE,
        name=str(row["name"])[:80],
        label=str(row["label"])[:80],
    )
