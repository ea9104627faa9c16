"""The confusion matrix as a table of buttons, and the photos behind the cell that an owner opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from ...card import clean
from ..texts import name_class, say, translate
from ..widgets import BadMessageError, ScriptedWidget, Status, logged, say_share
from .model import CellModel, CellPhoto, ConfusionTable

CleanPhotos = Callable[[Sequence[int], str], None]


class ConfusionMatrix(ScriptedWidget):
    """Rows what the photos show, columns what the model said; a click says a cell in words.

    For an owner it also opens the cell's photos; a thumbnail travels when the page asks for it. They can be
    cleaned where there is `clean_photos`, which is called with their keys and words of what they are.
    """

    table = traitlets.Dict().tag(sync=True)
    opens = traitlets.Bool().tag(sync=True)
    # whether the photos of a cell can be worked on elsewhere on the page
    cleans = traitlets.Bool().tag(sync=True)
    cell = traitlets.Dict().tag(sync=True)

    def __init__(self, cells: CellModel, clean_photos: CleanPhotos | None = None) -> None:
        self.cells, self._clean_photos = cells, clean_photos
        table = cells.table
        super().__init__(
            table=build_table(table),
            opens=cells.photos is not None and table.part == "valid",
            cleans=clean_photos is not None,
        )
        self.add_class("fastclf-confusion-host")
        cells.observe(lambda _: self._draw(), "revision")

    def say_words(self) -> None:
        """Say the cell that is open in the page's language."""
        super().say_words()
        self.table = build_table(self.cells.table)
        self._draw()

    def _draw(self) -> None:
        with logged("the photos behind a cell could not be shown"):
            self.cell = self._build_cell()

    def _build_cell(self) -> dict[str, Any]:
        cells = self.cells
        if cells.cell is None:
            return {}
        row, column = cells.cell
        return {
            "row": row,
            "column": column,
            "busy": cells.status is Status.BUSY,
            "bad": cells.status is Status.ERROR,
            "note": translate(cells.note),
            "photos": [_build_photo(photo) for photo in cells.shown],
            "more": len(cells.found.photos) - len(cells.shown),
        }

    def handle(self, content: dict[str, Any], _: Any) -> None:
        """Open a cell, show more of it, or send pictures, as a message asks."""
        if not self.opens:
            return  # a visitor's page sends nothing
        kind, row, column = content.get("type"), content.get("row"), content.get("column")
        if kind == "open" and isinstance(row, int) and isinstance(column, int):
            self.cells.open(row, column)
        elif kind == "more":
            self.cells.show_more()
        elif kind == "clean" and self._clean_photos is not None and self.cells.found.photos:
            self._clean_photos([photo.key for photo in self.cells.found.photos], self.cells.words)
        elif kind == "close":
            self.cells.close()
        elif kind == "need":
            self._send_pictures(content.get("keys"))
        elif kind == "large" and content.get("key") in {p.key for p in self.cells.shown}:
            self.send_large(content["key"], self._read_large(content["key"]))
        else:
            raise BadMessageError(repr(content))

    def _send_pictures(self, keys: Any) -> None:
        wanted = set(keys) if isinstance(keys, list) and all(type(k) is int for k in keys) else set()
        self.send_pictures({p.key: self._read(p.key) for p in self.cells.shown if p.key in wanted})

    def _read(self, key: int) -> bytes | None:
        picture = None
        with logged("a thumbnail could not be read"):
            picture = self.cells.photos.read_thumbnail(key) if self.cells.photos else None
        return picture

    def _read_large(self, key: int) -> bytes | None:
        picture = None
        with logged("a photo could not be read"):
            picture = self.cells.photos.read_large(key) if self.cells.photos else None
        return picture


def build_table(table: ConfusionTable) -> dict[str, Any]:
    """Return the table as JSON, its classes as the page calls them."""
    names = [name_class(label, clean) for label in table.labels]
    return {"names": names, "counts": [list(r) for r in table.counts], "totals": list(table.totals)}


def _build_photo(photo: CellPhoto) -> dict[str, Any]:
    today = say("labelled {label} today", label=name_class(photo.today, clean)) if photo.today else ""
    # a number and its sign stay on one line
    share = translate(say_share(photo.probability)).replace(" %", "\N{NO-BREAK SPACE}%")
    return {
        "key": photo.key,
        "name": photo.name,
        "said": f"{name_class(photo.answer, clean)}, {share}",
        "today": say("removed since") if photo.removed else today,
    }
