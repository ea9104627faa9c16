"""The grid of photos: a page of tiles out, small checked messages back."""

from __future__ import annotations

import logging
from typing import Any

import traitlets

from ...errors import FastclfError
from ..texts import phrase, say, translate
from ..widgets import ScriptedWidget, Status
from .model import ReviewModel
from .tiles import BadEventError, Event, build_tile, parse_event

_logger = logging.getLogger(__name__)
_NO_PICTURE = phrase("There is no picture of it: the file could not be read.")


class PhotoGrid(ScriptedWidget):
    """Photos in tiles, for mouse, touch, keyboard and screen reader.

    A thumbnail travels once: the page keeps what it has and asks for what it lacks.

    Parameters
    ----------
    model
        The queue and the choices.
    """

    script = "clean/grid.js"

    vocab = traitlets.List(traitlets.Unicode()).tag(sync=True)
    tiles = traitlets.List(traitlets.Dict()).tag(sync=True)
    pictures = traitlets.Dict().tag(sync=True)
    place = traitlets.Dict().tag(sync=True)
    said = traitlets.Dict().tag(sync=True)

    def __init__(self, model: ReviewModel) -> None:
        self.model = model
        self._faults: dict[int, str] = {}
        self._sent: set[int] = set()
        super().__init__(vocab=model.vocab)
        self.add_class("fastclf-grid-host")
        self.on_msg(self._on_message)
        model.observe(self._on_revision_change, "revision")
        self.draw()

    def draw(self) -> None:
        """Send the current page and what has been said."""
        model = self.model
        items = model.page_items
        new = {item.key: self._read(item.key) for item in items if item.key not in self._sent}
        groups = {} if model.group is not None else model.groups
        with self.hold_sync():
            self.vocab = model.vocab
            if new:
                self.pictures = {str(key): picture for key, picture in new.items() if picture is not None}
                self._sent.update(new)
            self.tiles = [
                build_tile(i, model.mark_of(i.key), self._faults.get(i.key, ""), groups) for i in items
            ]
            self.place = self._build_place()
            self.said = {
                "text": translate(model.message),
                "bad": model.status is Status.ERROR,
                "number": model.spoken,
            }

    def _build_place(self) -> dict[str, Any]:
        model = self.model
        return {
            # another list: a selection made in the old one ends
            "list": f"{model.filter}{model.group}",
            "page": model.page,
            "pages": model.pages,
            "total": len(model.queue),
            "first": model.page * model.page_size + 1,
            "empty": self._say_empty(),
        }

    def _say_empty(self) -> str:
        if self.model.view == "report":
            return say("No visitor's report waits.")
        return say("No photo fits these filters.") if len(self.model) else say("There are no photos yet.")

    def _read(self, key: int) -> bytes | None:
        """Return a thumbnail; without one, note why."""
        try:
            picture = self.model.store.read_thumbnail(key)
            fault = "" if picture else _NO_PICTURE
        except FastclfError as e:
            picture, fault = None, e.message
        except Exception:
            _logger.exception("a thumbnail could not be read")
            picture, fault = None, _NO_PICTURE
        self._faults[key] = fault
        return picture

    def _on_language_change(self, change: dict[str, Any]) -> None:
        super()._on_language_change(change)
        self._on_revision_change(change)

    def _on_revision_change(self, _: Any) -> None:
        try:
            self.draw()
        except Exception:
            _logger.exception("the page could not be drawn")

    def _on_message(self, _: Any, content: Any, __: Any) -> None:
        model = self.model
        try:
            self._obey(parse_event(content, model.__contains__, model.vocab, model.groups))
        except BadEventError as e:
            _logger.warning("A message of the page was ignored: %s.", e)
        except Exception:
            _logger.exception("an action failed")
            model.refuse(phrase("That did not work, and nothing was changed. Try again or reload the page."))

    def _obey(self, event: Event) -> None:
        model = self.model
        if event.type == "act":
            model.choose(event.keys, event.action, event.label)
        elif event.type == "page":
            model.page = model.page + event.step
        elif event.type == "undo":
            model.undo()
        elif event.type == "redo":
            model.redo()
        elif event.type == "group" and event.group:
            model.open_group(event.group)
        elif event.type == "need":
            self._send_pictures(event.keys)

    def _send_pictures(self, keys: tuple[int, ...]) -> None:
        on_page = {item.key for item in self.model.page_items}
        pairs = [(key, self._read(key)) for key in keys if key in on_page]
        found = [(key, picture) for key, picture in pairs if picture is not None]
        self.send(
            {"type": "pictures", "keys": [key for key, _ in found]},
            buffers=[picture for _, picture in found],
        )
