"""The cards: pictures and answers out; why, that's wrong, remove, clear and the table back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import FastclfError, StoppedError
from ...system import start_thread
from ..texts import name_class, name_classes, say
from ..widgets import BadMessageError, ScriptedWidget
from .answers import Answer, build_card
from .model import ClassifyModel

if TYPE_CHECKING:
    from ...model import Explanation

_logger = logging.getLogger(__name__)


class AnswerList(ScriptedWidget):
    """A card a photo, the newest upload first; a card travels once.

    What is removed can be brought back for a while; the page says when that is over.
    """

    _parts = ("card.js", "lens.js", "choice.js", "toast.js", "kept.js", "table.js", "picture.js")

    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # {class: what the page calls it}, where that differs
    names = traitlets.Dict().tag(sync=True)
    has_inbox = traitlets.Bool(False).tag(sync=True)

    def __init__(self, model: ClassifyModel, labels: list[str]) -> None:
        self.model = model
        self._stops: dict[int, threading.Event] = {}
        self._lock, self._explains = threading.Lock(), False
        self._wanted: tuple[int, threading.Event] | None = None
        super().__init__(labels=labels, names=name_classes(labels), has_inbox=model.inbox is not None)
        model.observe(self._on_answers_change, "answers")
        model.observe(lambda _: self._send_all(), "resends")

    def say_words(self) -> None:
        """Say the cards in the page's language."""
        self.names = name_classes(self.labels)
        super().say_words()
        # the pictures are there already
        self._send_words(self.model.answers)

    def _send_words(self, answers: Sequence[Answer]) -> None:
        self.send({"type": "words", "cards": [build_card(answer) for answer in answers]})

    def _on_answers_change(self, change: dict[str, Any]) -> None:
        old, new = ({answer.key: answer for answer in side} for side in (change["old"], change["new"]))
        gone = [key for key in old if key not in new]
        for key in gone:
            self._stop(key)
        if gone:
            self.send({"type": "gone", "keys": gone})
        added = [answer for key, answer in new.items() if key not in old]
        if added:
            self._send_cards("add", added)
        if marked := [a for key, a in new.items() if key in old and a.said != old[key].said]:
            self._send_words(marked)

    def _send_all(self) -> None:
        self._send_cards("all", list(self.model.answers))

    def _send_cards(self, kind: str, answers: list[Answer]) -> None:
        self.send(
            {"type": kind, "cards": [build_card(answer) for answer in answers]},
            buffers=[answer.thumbnail or b"" for answer in answers],
        )

    def handle(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Send or clear the cards or the table, or do what is asked of one card."""
        kind, key = message.get("type"), message.get("key")
        if kind == "hello":
            self._send_all()
        elif kind == "clear":
            self.model.clear()
        elif kind == "restore":
            self.model.restore()
        elif kind == "forget":
            self.model.forget()
        elif kind == "table":
            self.send({"type": "table"}, buffers=[self.model.build_table()])
        elif type(key) is not int or self.model.find(key) is None:
            raise BadMessageError(f"{kind!r} about the card {key!r}")
        elif kind == "large":
            self.send_large(key, self.model.read_large(key))
        elif kind == "remove":
            self.model.remove(key)
        elif kind == "why":
            self._explain(key)
        elif kind == "stop":
            self._stop(key)
        elif kind == "wrong":
            self._report(key, message.get("label"))
        else:
            super().handle(message, buffers)

    def fail(self, message: dict[str, Any]) -> None:
        """Show that an action on a card did not work."""
        self._fail(message.get("key"), say("That did not work. Try again or reload the page."))

    def _explain(self, key: int) -> None:
        for other in list(self._stops):
            self._stop(other)  # the last one asked for is the one that is looked at
            if other != key:
                self.send({"type": "stopped", "key": other})
        stop = self._stops[key] = threading.Event()
        with self._lock:
            self._wanted = (key, stop)
            begun, self._explains = self._explains, True
        if not begun:
            start_thread(self._run_wanted)

    def _run_wanted(self) -> None:
        """Explain one after the other: covering a photo piece by piece keeps a core busy."""
        while True:
            with self._lock:
                wanted, self._wanted = self._wanted, None
                self._explains = wanted is not None
            if wanted is None:
                return
            self._run_explain(*wanted)

    def _run_explain(self, key: int, stop: threading.Event) -> None:
        def tell(done: int, total: int) -> None:
            self.send({"type": "progress", "key": key, "done": done, "total": total})

        try:
            if stop.is_set():
                return
            found = self.model.explain(key, tell, stop.is_set)
            answer = self.model.find(key)
            if stop.is_set() or answer is None or answer.thumbnail is None:
                return
            picture = found.render(_read_size(answer.thumbnail))
            words = _say_explanation(found)
            self.send({"type": "why", "key": key, "words": words}, buffers=[picture])
        except StoppedError:
            pass  # nobody waits for it any more
        except FastclfError as e:
            self._fail(key, self.model.describe_fault(e))
        except Exception:
            _logger.exception("an answer could not be explained")
            self.fail({"key": key})

    def _report(self, key: int, label: Any) -> None:
        if label is not None and label not in self.labels:
            raise BadMessageError(f"the label {label!r} is no class")
        try:
            parcel = self.model.report(key, label)
        except FastclfError as e:
            self._fail(key, self.model.describe_fault(e))
            return
        kept = say("Thank you. The owner of this page will look at it.")
        saved = say("Your report is saved as a file. Send it to whoever gave you this page.")
        self.send(
            {"type": "acknowledged", "key": key, "words": saved if parcel else kept},
            buffers=[parcel] if parcel else [],
        )

    def _stop(self, key: int) -> None:
        event = self._stops.pop(key, None)
        if event is not None:
            event.set()

    def _fail(self, key: Any, words: str) -> None:
        self.send({"type": "fault", "key": key, "words": words})


def _say_explanation(found: Explanation) -> str:
    """Say what the marks mean and, for who does not see them, where they are."""
    label, place = name_class(found.label), _say_place(found.find_place())
    if found.method == "class activation":
        words = say("The marked parts speak for {label}.", label=label)
    else:
        words = say("Without the marked parts the answer {label} becomes less sure.", label=label)
    return f"{words} {place}".strip()


def _say_place(place: tuple[int, int] | None) -> str:
    rows = (
        (say("Mostly the upper left."), say("Mostly the top."), say("Mostly the upper right.")),
        (say("Mostly the left."), say("Mostly the middle."), say("Mostly the right.")),
        (say("Mostly the lower left."), say("Mostly the bottom."), say("Mostly the lower right.")),
    )
    return "" if place is None else rows[place[0]][place[1]]


def _read_size(jpeg: bytes) -> tuple[int, int]:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size
