"""What will change, shown before it is applied: a picture, before and after, and a cross to leave it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from ...errors import Message
from ..texts import name_class, say, translate
from ..widgets import BadMessageError, ScriptedWidget
from .model import ReviewModel
from .preview import say_safety
from .review import KEEP

MOST_ROWS = 500
_MOST_ASKED = 100


class ChangeList(ScriptedWidget):
    """The choices that wait, as pictures; `close` is called when the page asks to go back."""

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)
    more = traitlets.Unicode().tag(sync=True)

    def __init__(self, model: ReviewModel, close: Callable[[], None]) -> None:
        self.model = model
        self._close = close
        super().__init__()

    def draw(self, *, is_open: bool) -> None:
        """Send what will change now, or nothing."""
        found = self.model.build_preview()
        changes = found.changes if is_open else ()
        left = len(changes) - MOST_ROWS
        with self.hold_sync():
            self.summary = f"{translate(found.words)} {say_safety(found.added)}" if is_open else ""
            self.more = say("... and {n} more.", n=left) if left > 0 else ""
            self.rows = [
                {
                    "key": c.key,
                    "name": c.name,
                    "before": _show_state(c.before),
                    "after": _show_state(c.after),
                    "doubt": translate(c.doubt),
                }
                for c in changes[:MOST_ROWS]
            ]

    def handle(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Leave a photo as it is, go back, or send pictures, as a message asks."""
        kind = message.get("type")
        if kind == "drop":
            self.model.choose([self._read_key(message.get("key"))], KEEP)
        elif kind == "confirm":
            self.model.confirm([self._read_key(message.get("key"))])
        elif kind == "close":
            self._close()
        elif kind == "need":
            keys = message.get("keys")
            if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_ASKED:
                raise BadMessageError(f"the keys are no list of 1 to {_MOST_ASKED}")
            self.send_pictures({self._read_key(key): self._read(key) for key in keys})
        else:
            super().handle(message, buffers)

    def fail(self, message: dict[str, Any]) -> None:
        """Say that an action did not work; a picture is only missing then."""
        if message.get("type") != "need":
            self.model.refuse_action()

    def _read(self, key: int) -> bytes | None:
        try:
            return self.model.store.read_thumbnail(key)
        except Exception:
            return None

    def _read_key(self, key: object) -> int:
        if type(key) is not int or key not in self.model.pending:
            raise BadMessageError(f"no choice waits for photo {key!r}")
        return key


def _show_state(value: str) -> str:
    """Return a class as the page calls it, or what else a photo is."""
    return translate(value) if isinstance(value, Message) else name_class(value)
