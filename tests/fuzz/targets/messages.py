"""What a browser may send: messages to every widget of the page, and changes of their state."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from fastclf.dashboard.classify import ClassifyModel, ClassifyPanel
from fastclf.dashboard.clean.change_list import ChangeList
from fastclf.dashboard.clean.filters import FilterBar
from fastclf.dashboard.clean.grid import PhotoGrid
from fastclf.dashboard.clean.model import ReviewModel
from fastclf.dashboard.texts import language
from fastclf.dashboard.widgets import PageFrame, PhotoViewer
from fastclf.inbox import Inbox
from fastclf.model import Predictor

from ...dashboard.memory import VOCAB, MemoryStore, build_group, build_item
from ...drawing import draw_photo, encode
from ...toy import write_toy_bundle
from ..tape import Tape
from ..target import FindingError, Target, make_folder

PACKAGE = str(Path(__file__).parents[3] / "fastclf")
PHOTO = encode(draw_photo("red", 3), "JPEG")
# {widget: {type of a message: what it says}}
SPOKEN = {
    "drop": {
        "photo": "id batch name said", "large": "id batch name size", "address": "id batch url",
        "cancel": "batch", "example": "id batch index said", "examples": "", "settle": "batch", "x": "id",
    },
    "answers": {
        "hello": "", "clear": "", "restore": "", "forget": "", "table": "", "large": "key", "remove": "key",
        "why": "key", "stop": "key", "wrong": "key label", "x": "key",
    },
    "grid": {
        "act": "keys action label", "page": "step to", "size": "n", "find": "part", "sure": "", "undo": "",
        "redo": "", "apply": "", "close": "", "group": "kind group", "need": "keys", "large": "key", "x": "key",
    },
    "changes": {"drop": "key", "confirm": "key", "close": "", "need": "keys", "x": "key"},
}  # fmt: skip
USUAL: dict[str, tuple[Any, ...]] = {
    "id": (1, 2), "batch": (1, 2), "name": ("a.jpg", "../b.png"), "said": ({"label": "red"}, {"label": []}),
    "size": (30_000_000, 1), "index": (0, 2), "key": (1, 2, 60), "label": ("red", "blue"),
    "keys": ([1], [60, 61], [[]], [None]), "action": ("relabel", "remove", "skip", "keep"), "step": (1, -1),
    "to": (0, 1), "n": (24, 48), "part": ("red", "a" * 300), "kind": ("duplicate",), "group": (1,),
}  # fmt: skip
# None of them leads to another machine.
ADDRESSES = ("", "http://127.0.0.1/", "http://[::1]/a.jpg", "file:///etc/passwd", "data:image/png;base64,AAAA",
             "data:,", "javascript:1", "http://", "https://[", "\0", "a" * 10_000, None, [], {}, ["x"])  # fmt: skip
# Of one input; a page is made anew for each.
_MOST_MESSAGES = 24


@cache
def open_model() -> tuple[Path, Predictor]:
    folder = write_toy_bundle(make_folder() / "model")
    return folder, Predictor(folder, threads=1)


class _Visitor:
    """What a visitor's page talks to."""

    def __init__(self) -> None:
        folder, predictor = open_model()
        examples = sorted((folder / "examples").iterdir())
        model = ClassifyModel(lambda: predictor, Inbox(folder.parent / "inbox.sqlite"), [str(folder)])
        self.panel = ClassifyPanel(model, examples, VOCAB)
        self.widgets: dict[str, widgets.Widget] = {
            "drop": self.panel.drop, "answers": self.panel.answers, "frame": PageFrame(foot=True),
            "viewer": PhotoViewer(), "upload": self.panel.plain.upload,
        }  # fmt: skip


class _Owner:
    """What the Clean tab talks to besides."""

    def __init__(self) -> None:
        items = [build_item(k, VOCAB[k % 3], 1 - k / 100, split="train") for k in range(8)]
        model = ReviewModel(MemoryStore([*items, *build_group("duplicate", 1, [60, 61, 62], best=61)]))
        model.load()
        grid = PhotoGrid(model, on_apply=model.apply)
        changes = ChangeList(model, lambda: None)
        changes.draw(is_open=True)
        bar = FilterBar(model, grid.guard)
        bar.show()
        self.widgets: dict[str, widgets.Widget] = {
            "grid": grid,
            "changes": changes,
            "view": bar.view,
            "label": bar.label,
            "split": bar.split,
        }


_Page = _Visitor | _Owner


def _check_sendable(content: Any, buffers: Any = None) -> None:
    json.dumps(content)
    for buffer in buffers or ():
        bytes(buffer)


class _Faults(logging.Handler):
    """Keeps what the product logs as a fault of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        place = traceback.extract_tb(error.__traceback__)[-1] if error else None
        where = f" at {Path(place.filename).name}:{place.lineno}" if place else ""
        self.found.append(f"{record.getMessage()}: {type(error).__name__}: {str(error)[:150]}{where}")


def take(data: bytes, open_page: Callable[[], _Page]) -> None:
    tape, faults, before = Tape(data), _Faults(), set(threading.enumerate())
    logger = logging.getLogger("fastclf")
    logger.addHandler(faults)
    page = open_page()
    for widget in page.widgets.values():
        widget.send = _check_sendable  # type: ignore[method-assign]
    try:
        for _ in range(_MOST_MESSAGES):
            if tape.ended:
                break
            tape.choose((_say, _say, _say, _change))(page, tape)
        for thread in set(threading.enumerate()) - before:
            thread.join(5)
    finally:
        logger.removeHandler(faults)
        widgets.Widget.close_all()
        language.code = "en"
    if faults.found:
        raise FindingError(f"messages: logged {faults.found[0]}")


def _say(page: _Page, tape: Tape) -> None:
    """Send a message of one's own."""
    name = tape.choose([name for name in SPOKEN if name in page.widgets])
    kind = tape.choose(tuple(SPOKEN[name]))
    message: Any = {"type": kind}
    for key in SPOKEN[name][kind].split():
        if key == "url":
            message[key] = tape.choose(ADDRESSES)
        elif how := tape.number(4):  # else it is left out
            message[key] = _plain(tape.value() if how == 3 else tape.choose(USUAL[key]))
    if tape.number(40) == 39:
        message = _plain(tape.value())
    buffers = [memoryview(tape.choose((PHOTO, b"", b"x", PHOTO[:200], bytes(50))))] * tape.choose((1, 0, 2))
    _guard(lambda: page.widgets[name]._handle_custom_msg(message, buffers))


def _plain(value: Any) -> Any:
    """What JSON can carry; bytes come as buffers."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _change(page: _Page, tape: Tape) -> None:
    """Change a widget's state, as the widgets' protocol lets a browser do."""
    widget = page.widgets[tape.choose(tuple(page.widgets))]
    state = {
        tape.choose(sorted(widget.keys)): _plain(tape.value("es", "ar", [1], "blue", "duplicate"))
        for _ in range(1 + tape.number(2))
    }
    data = {"method": "update", "state": state, "buffer_paths": []}
    message = {
        "content": {"comm_id": widget.model_id, "data": data},
        "buffers": [],
        "metadata": {},
        "header": {},
    }
    _guard(lambda: widget._handle_msg(message))


def _guard(do: Callable[[], object]) -> None:
    """Let the widgets' library refuse what it likes; what our own code raises is a finding."""
    try:
        do()
    except Exception as e:
        frames = traceback.extract_tb(e.__traceback__)
        if any(frame.filename.startswith(PACKAGE) for frame in frames):
            raise


def list_seeds() -> list[bytes]:
    return [bytes((n * k) % 256 for k in range(80)) for n in range(1, 40)]


TARGETS = [
    Target("visitor-message", lambda data: take(data, _Visitor), list_seeds),
    Target("owner-message", lambda data: take(data, _Owner), list_seeds),
]
