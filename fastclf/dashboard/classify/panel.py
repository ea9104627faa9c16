"""The Classify panel: photos in, cards out; a plain upload where scripts of widgets do not run."""

from __future__ import annotations

import logging
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ...photos import MAX_BYTES
from ..texts import language, say
from ..widgets import Status
from .answer_list import AnswerList
from .model import MAX_FILES, ClassifyModel
from .photo_drop import PhotoDrop

_logger = logging.getLogger(__name__)


class ClassifyPanel(widgets.VBox):
    """A drop zone with example photos, the plain upload, and the answers.

    Parameters
    ----------
    model
        The panel's state.
    examples
        Photos to try without an upload.
    labels
        The model's classes.
    side
        Longer side of what the network sees, in pixels.
    """

    def __init__(
        self, model: ClassifyModel, examples: list[Path], labels: list[str] | None = None, side: int = 224
    ) -> None:
        self.model = model
        self.drop = PhotoDrop(model, examples, side)
        self.plain = PlainUpload(model, self.drop)
        self.answers = AnswerList(model, labels or [])
        super().__init__([self.drop, self.plain, self.answers])
        self.add_class("fastclf-classify")


class PlainUpload(widgets.VBox):
    """FileUpload and the answers in words; the style sheet hides it while the drop zone lives.

    Parameters
    ----------
    model
        Answers.
    drop
        What stands in its place where it lives.
    """

    def __init__(self, model: ClassifyModel, drop: PhotoDrop) -> None:
        self.model, self._drop = model, drop
        self.upload = widgets.FileUpload(accept="image/*,.heic,.heif", multiple=True, button_style="primary")
        self.clear = widgets.Button()
        self.note, self.list = widgets.HTML(), widgets.HTML()
        row = widgets.HBox([self.upload, self.clear])
        row.add_class("fastclf-buttons")
        super().__init__([row, self.note, self.list])
        self.add_class("fastclf-plain")
        self.upload.observe(self._on_upload_change, "value")
        self.clear.on_click(lambda _: self.model.clear())
        model.observe(self._on_state_change, ["status", "message", "answers"])
        language.observe(self._on_state_change, "code")
        self._on_state_change(None)

    def _on_upload_change(self, change: dict[str, Any]) -> None:
        if not change["new"]:
            return
        try:
            files = [(str(f["name"]), bytes(f["content"])) for f in change["new"]]
            # an empty value frees the browser's and the kernel's copies, and lets the same file come again
            self.upload.value = ()
            self.model.classify(files)
        except Exception:
            _logger.exception("an upload failed")
            self.model.refuse(say("The upload did not arrive whole. Choose the photos again."))

    def _on_state_change(self, _: Any) -> None:
        if self._drop.alive:
            return
        model = self.model
        busy = model.status is Status.BUSY
        self.upload.description, self.clear.description = say("Choose photos"), say("Clear all")
        self.upload.disabled, self.clear.disabled = busy, busy or not model.answers
        kind = "alert" if model.status is Status.ERROR else "status"
        text = model.message or say(
            "Up to {n} photos at once, {size} MB each. Answers appear below.",
            n=MAX_FILES,
            size=MAX_BYTES // 2**20,
        )
        self.note.value = f'<p role="{kind}" class="fastclf-{model.status.value}">{escape(text)}</p>'
        rows = "".join(f"<li>{escape(a.name)}: {escape(a.words)}</li>" for a in model.answers)
        self.list.value = f"<ol>{rows}</ol>" if rows else ""
