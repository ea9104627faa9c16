"""Where photos come in: one zone for chosen, dragged, pasted and taken photos, and for web addresses."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import traitlets

from ...errors import FastclfError, UnreadablePhotoError
from ...photos import MAX_BYTES, decode_photo, describe_excess, encode_jpeg, make_thumbnail, reads_heif
from ...system import start_thread
from ..texts import say, translate
from ..widgets import ScriptedWidget, Status
from .answers import Said
from .model import ClassifyModel, cut_name
from .recent import Recent

_logger = logging.getLogger(__name__)

# Photos that the page takes at once; it sends them one by one.
MOST_PHOTOS = 100
# Above this the page sends a smaller copy; what stays is several times what a network looks at.
LARGEST_SENT = 300_000
LONGEST_SIDE = (640, 1280)
_EXAMPLE_SIDE = 96
# A picture may stand in its own address, in base64.
_LONGEST_ADDRESS = 4 * MAX_BYTES
_MOST_FETCHES = 3
_LARGEST = 2**53
_LONGEST_ID = 64


class PhotoDrop(ScriptedWidget):
    """Takes photos from the page, one message each, and tells it when each has its answer.

    The page scales photos down to some four times `side`, the longer side of what the network sees. After a
    reload it sends again what it has kept, under the numbers of before.
    """

    _parts = ("camera.js", "live.js")

    limits = traitlets.Dict().tag(sync=True)
    examples = traitlets.Int(0).tag(sync=True)
    said = traitlets.Dict().tag(sync=True)
    # set by the page's script: from then on nobody needs the plain upload
    alive = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self, model: ClassifyModel, examples: Sequence[Path] = (), side: int = 224, labels: Sequence[str] = ()
    ) -> None:
        self.model, self.labels = model, list(labels)
        self._examples = list(examples)
        self._batches: Recent[str, int] = Recent()
        self._cancelled: Recent[str, bool] = Recent()
        self._told: Recent[tuple[str, int], dict[str, Any] | None] = Recent()
        self._fetches = threading.BoundedSemaphore(_MOST_FETCHES)
        low, high = LONGEST_SIDE
        super().__init__(
            examples=len(self._examples),
            limits={
                "photos": MOST_PHOTOS,
                "bytes": MAX_BYTES,
                "sent": LARGEST_SENT,
                "side": min(max(4 * side, low), high),
                "heic": reads_heif(),
            },
        )
        model.observe(self._on_state_change, ["status", "message"])

    def _on_state_change(self, _: Any) -> None:
        bad = self.model.status is Status.ERROR
        self.said = {"text": self.model.message if bad else "", "bad": bad}

    def handle(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        """Take a photo, an address or an example, end an upload, or send the examples' pictures."""
        kind = message.get("type")
        if kind in ("photo", "large", "address", "example") and self._is_known(message):
            return
        if kind == "photo" and buffers:
            self._take(message, buffers[0])
        elif kind == "large":
            self._refuse(message)
        elif kind == "address":
            self._begin_fetch(message)
        elif kind == "cancel":
            self._cancelled[_read_batch(message)] = True
        elif kind == "example":
            self._take_example(message)
        elif kind == "examples":
            self._send_examples()
        elif kind == "settle":
            self._batches.pop(_read_batch(message), None)
            self.model.settle()
        else:
            super().handle(message, buffers)

    def fail(self, message: dict[str, Any]) -> None:
        """Show that a photo could not be taken."""
        self._finish(message, say("The photo did not arrive whole. Choose it again."))

    def _is_known(self, message: dict[str, Any]) -> bool:
        """Tell whether a message came before: after a broken line the page sends again what may be lost.

        Then what was said about it may be lost too, and is said again.
        """
        place = (_read_batch(message), _read_order(message))
        if place not in self._told:
            self._told[place] = None
            return False
        if (told := self._told[place]) is not None:
            self.model.resends += 1
            self.send(told)
        return True

    def _take(self, message: dict[str, Any], data: memoryview) -> None:
        if data.nbytes > MAX_BYTES:
            self._refuse({**message, "size": data.nbytes})
        else:
            self._answer(message, message.get("name"), bytes(data))

    def _refuse(self, message: dict[str, Any]) -> None:
        """Say of a photo that was too large to be sent how large it is."""
        size = message.get("size")
        size = size if type(size) is int and size > MAX_BYTES else MAX_BYTES + 1
        name = cut_name(message.get("name"))
        fault = UnreadablePhotoError(name, describe_excess(size, MAX_BYTES))
        done = self.model.refuse_photo(name, fault, self._find_batch(message), _read_order(message))
        self._finish(message, "" if done else self.model.message, stop=not done)

    def _begin_fetch(self, message: dict[str, Any]) -> None:
        if len(str(message.get("url") or "")) > _LONGEST_ADDRESS:
            self._finish(message, say("This address is too long. Save the photo and choose it here."))
        elif self._fetches.acquire(blocking=False):
            start_thread(self._fetch, message)
        else:
            self._finish(
                message, say("Other addresses are still being fetched. Try this one again in a moment.")
            )

    def _take_example(self, message: dict[str, Any]) -> None:
        index = message.get("index")
        if type(index) is int and 0 <= index < len(self._examples):
            path = self._examples[index]
            try:
                self._answer(message, path.name, path.read_bytes(), index + 1)
            except OSError:
                self._finish(message, say("This example photo is not there any more."))

    def _fetch(self, message: dict[str, Any]) -> None:
        from ...collect import fetch_photo

        try:
            name, data = fetch_photo(str(message.get("url") or ""))
            self._answer(message, name, data)
        except FastclfError as e:
            self._finish(message, translate(e.message))
        except Exception:
            _logger.exception("fetching a photo failed")
            self._finish(message, say("That address did not work. Save the photo and choose it here."))
        finally:
            self._fetches.release()

    def _answer(self, message: dict[str, Any], name: object, source: bytes, example: int = 0) -> None:
        done = self.model.add(
            name,
            source,
            self._find_batch(message),
            _read_order(message),
            is_wanted=lambda: _read_batch(message) not in self._cancelled,
            example=example,
            said=self._read_said(message),
        )
        self._finish(message, "" if done else self.model.message, stop=not done)

    def _find_batch(self, message: dict[str, Any]) -> int:
        # cards of one upload stand together, whichever order they come in
        batch = message.get("batch")
        least = batch if isinstance(batch, int) and 0 < batch < _LARGEST else 0
        named = _read_batch(message)
        if named not in self._batches:
            self._batches[named] = self.model.begin_batch(least)
        return self._batches[named]

    def _read_said(self, message: dict[str, Any]) -> Said | None:
        """Return what the page says that its visitor has said of the photo before."""
        said = message.get("said")
        label = said.get("label") if isinstance(said, dict) else None
        return Said(label) if isinstance(said, dict) and (label is None or label in self.labels) else None

    def _finish(self, message: dict[str, Any], fault: str = "", *, stop: bool = False) -> None:
        """Tell the page that a photo is done, and with `stop` that the others will not be."""
        order = _read_order(message)
        told = {"type": "done", "id": order, "fault": fault, "stop": stop}
        self._told[(_read_batch(message), order)] = told
        self.send(told)

    def _send_examples(self) -> None:
        self.send({"type": "examples"}, buffers=[_read_example(path) for path in self._examples])


def _read_example(path: Path) -> bytes:
    try:
        return encode_jpeg(make_thumbnail(decode_photo(path).image, _EXAMPLE_SIDE))
    except FastclfError:
        return b""


def _read_batch(message: dict[str, Any]) -> str:
    return str(message.get("batch"))[:_LONGEST_ID]


def _read_order(message: dict[str, Any]) -> int:
    order = message.get("id")
    return order if type(order) is int and abs(order) < _LARGEST else 0
