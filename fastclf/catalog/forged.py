"""Rows of a catalog that came with a folder: what they name has to lie in it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from ..errors import CatalogError
from ..system import DATABASE
from .store import Store

_PATHS = ("name", "given_split")
_PARTS = ("label", "folder_label", "sha256", "split", "pixel_hash")
_MEASURES = ("width", "height")
_TYPES: dict[str, set[type]] = {
    **{name: {str} for name in (*_PATHS, *_PARTS[:-1])},
    "pixel_hash": {str, type(None)},
    **{name: {int} for name in ("id", "size")},
    **{name: {int, type(None)} for name in _MEASURES},
}
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


def refuse_forged(rows: Sequence[sqlite3.Row], folder: Path) -> None:
    """Refuse photos' rows of which one leads out of the folder, or is of other types than fastclf writes.

    All are looked at together, column by column, which takes a quarter of the time; one by one only where
    something is found.

    Raises
    ------
    CatalogError
        If so.
    """
    if not rows or not _is_suspect(dict(zip(rows[0].keys(), zip(*rows, strict=True), strict=True))):
        return
    for row in rows:
        _refuse_forged(row, folder)


def _is_suspect(columns: Mapping[str, Sequence[Any]]) -> bool:
    """Tell whether some row among all, by their columns, may be one to refuse."""
    if any(set(map(type, columns[name])) - types for name, types in _TYPES.items()):
        return True
    texts = {name: list(filter(None, columns[name])) for name in (*_PATHS, *_PARTS)}
    lines = ["\n".join(chain(*(texts[name] for name in names))) for names in (_PATHS, _PARTS)]
    is_long = sum(max(map(len, column), default=0) for column in texts.values()) > _LONGEST
    is_marked = any(mark in f"\n{text}\n" for mark in _MARKS for text in lines)
    return is_long or is_marked or "/" in lines[1]


def _refuse_forged(row: sqlite3.Row, folder: Path) -> None:
    # what was not read yet has no measures
    measured = [row[name] for name in _MEASURES if row[name] is not None]
    parts = [row[name] for name in _PARTS if name != "pixel_hash" or row[name] is not None]
    texts = [row[name] for name in _PATHS] + parts
    numbers = [row["id"], row["size"], *measured]
    is_typed = all(isinstance(n, int) for n in numbers) and all(isinstance(text, str) for text in texts)
    if not is_typed or leads_out("\n".join(texts)) or "/" in "".join(parts):
        _refuse(row, folder)


def leads_out(names: str) -> bool:
    """Tell whether one of some lines names what may lie outside of a folder."""
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
