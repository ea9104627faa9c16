"""The grid of photos: a page of tiles out, small checked messages back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from ...errors import Message
from ..texts import name_classes, say, show, translate
from ..widgets import BadMessageError, ScriptedWidget, Status, logged, read_shorter, say_fault
from .model import ReviewModel
from .queue import GroupId
from .review import ACTIONS, KEEP, NEW, REPORT, SKIP, Decision, Reason, ReviewItem
from .wording import KIND_WORDS, SPLIT_WORDS, say_answer, say_outcome

MOST_KEYS = 10_000
MOST_LETTERS = 200
PAGE_SIZES = (24, 48, 96)
_NO_PICTURE = Message("There is no picture of it: the file could not be read.")


class PhotoGrid(ScriptedWidget):
    """Photos in tiles, for mouse, touch, keyboard and screen reader.

    A thumbnail travels once: the page keeps what it has and asks for what it lacks. `on_apply` is called when
    the keys for it are pressed, and `on_close` when Escape is, while what will change is shown. It brings the
    styles of all that lies around it.
    """

    _css = read_shorter(sorted(Path(__file__).parent.glob("*.css")))

    vocab = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # whether choices are called <Keep> and <Delete>, as fastai's cleaner calls them
    fastai = traitlets.Bool(False).tag(sync=True)
    tiles = traitlets.List(traitlets.Dict()).tag(sync=True)
    pictures = traitlets.Dict().tag(sync=True)
    # {class: what the page calls it}, where that differs
    names = traitlets.Dict().tag(sync=True)
    finds_similar = traitlets.Bool(False).tag(sync=True)
    place = traitlets.Dict().tag(sync=True)
    said = traitlets.Dict().tag(sync=True)
    # whether leaving the page would lose choices that wait
    unkept = traitlets.Bool(False).tag(sync=True)
    # whether what will change is shown, and how often the page was heard to ask for that: until it is, Escape
    # has to wait for the answer
    confirming = traitlets.Bool(False).tag(sync=True)
    asked = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        model: ReviewModel,
        *,
        fastai: bool = False,
        on_apply: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.model = model
        self._on_apply, self._on_close = on_apply, on_close
        self._faults: dict[int, str] = {}
        self._sent: set[int] = set()
        # the photo that the page shall lead to; counted, so that a page which opens late hears of it too
        self._lead: tuple[int, int | None] = 0, None
        super().__init__(vocab=model.vocab, fastai=fastai, finds_similar=model.store.finds_similar)
        self.add_class("fastclf-grid-host")
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
            self.names = name_classes(model.vocab)
            if new:
                self.pictures = {str(key): picture for key, picture in new.items() if picture is not None}
                self._sent.update(new)
            self.tiles = [self._build_tile(item, groups) for item in items]
            self.place = self._build_place()
            self.unkept = bool(model.unkept and model.pending)
            self.said = {
                "text": translate(model.message),
                "bad": model.status is Status.ERROR,
                "number": model.spoken,
                "keys": list(model.moved),
            }

    def _build_tile(self, item: ReviewItem, groups: Mapping[GroupId, Sequence[ReviewItem]]) -> dict[str, Any]:
        model, group = self.model, self.model.group

        def rank(reason: Reason) -> tuple[bool, float]:
            # what the list was made for comes first
            asked = (reason.kind, reason.group) == group or (group is None and reason.kind == model.view)
            return not asked, -reason.doubt

        reasons = sorted(item.reasons, key=rank)
        return _build_tile(item, reasons, model.choice_of(item.key), self._faults.get(item.key, ""), groups)

    def _build_place(self) -> dict[str, Any]:
        model, shortlist = self.model, self.model.shortlist
        return {
            # another list: a selection made in the old one ends
            "list": f"{model.filter}{shortlist and (shortlist.group or shortlist.words)}",
            # what these photos are, where they are not the whole list; copies are compared side by side
            "title": translate(shortlist.words) if shortlist else "",
            "copies": model.group is not None,
            "page": model.page,
            "pages": model.pages,
            "total": len(model.queue),
            "first": model.page * model.page_size + 1,
            "size": model.page_size,
            "part": model.part,
            "sure": model.count_sure() if self._on_apply is not None and shortlist is None else 0,
            "empty": self._say_empty(),
            "lead": list(self._lead),
        }

    def _say_empty(self) -> str:
        if self.model.view == REPORT:
            return say("No visitor's report waits.")
        if self.model.view == NEW:
            return say("No new photo waits for a label.")
        return say("No photo fits these filters.") if len(self.model) else say("There are no photos yet.")

    def _read(self, key: int) -> bytes | None:
        """Return a thumbnail; without one, note why."""
        try:
            picture = self.model.store.read_thumbnail(key)
            fault: str = "" if picture else _NO_PICTURE
        except Exception as e:
            picture, fault = None, say_fault(e, _NO_PICTURE)
        self._faults[key] = fault
        return picture

    def _read_large(self, key: int) -> bytes | None:
        try:
            return self.model.store.read_large(key)
        except Exception as e:
            self._faults[key] = say_fault(e, _NO_PICTURE)
            return None

    def go_back(self) -> None:
        """Leave the shortlist, and lead whoever looked at it to where the list was left."""
        self.lead(self.model.close_shortlist())

    def lead(self, key: int | None = None) -> None:
        """Lead whoever looks at the page to a photo of the list, or to its first."""
        self._lead = self._lead[0] + 1, key
        self.draw()

    def settle(self) -> None:
        """Select nothing any more, and lead whoever has just applied his choices to the next photo."""
        self.send({"type": "settled"})

    def say_words(self) -> None:
        """Say the tiles and what was said in the page's language."""
        super().say_words()
        self.draw()

    def _on_revision_change(self, _: Any) -> None:
        with logged("the page could not be drawn"):
            self.draw()

    def fail(self, message: dict[str, Any]) -> None:
        """Show that an action did not work."""
        self.model.refuse_action()

    def handle(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Act on photos, turn the page, undo, open a group or send pictures, as a message asks."""
        model, kind = self.model, message.get("type")
        if kind in ("group", "like", "copy", "large"):
            self._act_on(self._read_key(message), message)
        elif kind == "act":
            model.choose(self._read_keys(message), *self._read_action(message))
        elif kind == "page":
            model.page = model.page + _read_step(message) if "step" in message else _read_page(message)
        elif kind == "size":
            model.set_page_size(_read_size(message))
        elif kind == "find":
            model.part = _read_part(message)
        elif kind == "sure":
            model.accept_sure()
            self._ask_to_apply()
        elif kind == "undo":
            model.undo()
        elif kind == "redo":
            model.redo()
        elif kind == "apply":
            self._ask_to_apply()
        elif kind == "close":
            if self._on_close is not None:
                self._on_close()
        elif kind == "back":
            self.go_back()
        elif kind == "need":
            on_page = {item.key for item in model.page_items}
            self.send_pictures({key: self._read(key) for key in self._read_keys(message) if key in on_page})
        else:
            super().handle(message, buffers)

    def _act_on(self, key: int, message: dict[str, Any]) -> None:
        """Show a photo's copies, those most like it or itself large, or keep it among its copies."""
        kind = message["type"]
        if kind == "group":
            self.model.open_group(self._read_group(message), key)
        elif kind == "like":
            self.model.show_similar(key)
        elif kind == "copy":
            self.model.keep_copy(key)
        else:
            self.send_large(key, self._read_large(key))

    def _ask_to_apply(self) -> None:
        with self.hold_sync():
            self.asked += 1
            if self._on_apply is not None:
                self._on_apply()

    def _read_keys(self, message: dict[str, Any]) -> list[int]:
        keys = message.get("keys")
        if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
            raise BadMessageError(f"the keys are no list of 1 to {MOST_KEYS:,}")
        for key in keys:
            if type(key) is not int or key not in self.model:
                raise BadMessageError(f"there is no photo {key!r}")
        return keys

    def _read_key(self, message: dict[str, Any]) -> int:
        return self._read_keys({"keys": [message.get("key")]})[0]

    def _read_action(self, message: dict[str, Any]) -> tuple[str, str | None]:
        action, label = message.get("action"), message.get("label")
        if action not in (*ACTIONS, SKIP, KEEP):
            raise BadMessageError(f"the action is {action!r}")
        if action != "relabel":
            return action, None
        if not isinstance(label, str) or label not in self.model.vocab:
            raise BadMessageError(f"the label {label!r} is no class")
        return action, label

    def _read_group(self, message: dict[str, Any]) -> GroupId:
        name, number = message.get("kind"), message.get("group")
        if not isinstance(name, str) or type(number) is not int or (name, number) not in self.model.groups:
            raise BadMessageError(f"there is no group {name!r} {number!r}")
        return name, number


def _read_step(message: dict[str, Any]) -> int:
    step = message.get("step")
    if type(step) is not int or abs(step) != 1:
        raise BadMessageError(f"the step is {step!r}; it must be 1 or -1")
    return step


def _read_page(message: dict[str, Any]) -> int:
    page = message.get("to")
    if type(page) is not int or page < 0:
        raise BadMessageError(f"the page is {page!r}")
    return page


def _read_size(message: dict[str, Any]) -> int:
    size = message.get("n")
    if size not in PAGE_SIZES:
        raise BadMessageError(f"the size of a page is {size!r}; it must be one of {PAGE_SIZES}")
    return int(size)


def _read_part(message: dict[str, Any]) -> str:
    part = message.get("part")
    if not isinstance(part, str) or len(part) > MOST_LETTERS:
        raise BadMessageError(f"the part of a name is no text of at most {MOST_LETTERS} letters")
    return part


def _build_tile(
    item: ReviewItem,
    reasons: Sequence[Reason],
    choice: Decision | None,
    fault: str,
    groups: Mapping[GroupId, Sequence[ReviewItem]],
) -> dict[str, Any]:
    """Return one tile as JSON; names and labels go out as they are and are never read as HTML."""
    said = {r.suggested for r in reasons if r.kind in ("label", NEW)} - {None, item.label}
    return {
        "key": item.key,
        "name": item.name,
        "label": item.label,
        "outside": item.outside,
        "split": show(SPLIT_WORDS.get(item.split, item.split)) if item.split else item.noted,
        "removed": item.removed,
        # a reason that suggests it has said it
        "answer": "" if item.answer in said else translate(say_answer(item)),
        "differs": item.answer is not None and item.answer != item.label and not item.outside,
        "reasons": [_build_reason(reason, item, groups) for reason in reasons],
        "mark": choice.action if choice else "",
        "words": translate(say_outcome(item, choice)) if choice else "",
        "choice": choice.label if choice else None,
        "fault": translate(fault),
    }


def _build_reason(
    reason: Reason, item: ReviewItem, groups: Mapping[GroupId, Sequence[ReviewItem]]
) -> dict[str, Any]:
    size = len(groups.get((reason.kind, reason.group), ())) if reason.group is not None else 0
    return {
        "kind": reason.kind,
        "title": show(KIND_WORDS.get(reason.kind, reason.kind)),
        "text": translate(reason.text),
        "suggested": reason.suggested if reason.suggested != item.label else None,
        "group": reason.group,
        "size": size,
        "best": reason.best,
    }
