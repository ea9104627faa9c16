"""The plain upload, for a page where scripts of widgets do not run."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from ...photos import MAX_BYTES
from ..texts import say
from ..widgets import SpokenBox, Status, build_row, render_status
from .model import MAX_FILES, ClassifyModel
from .photo_drop import PhotoDrop


class PlainUpload(SpokenBox):
    """FileUpload and the answers in words; the style sheet hides it while the drop zone lives."""

    def __init__(self, model: ClassifyModel, drop: PhotoDrop) -> None:
        self.model, self._drop = model, drop
        self.upload = widgets.FileUpload(accept="image/*,.heic,.heif", multiple=True, button_style="primary")
        self.clear = widgets.Button()
        self.note, self.list = widgets.HTML(), widgets.HTML()
        super().__init__([build_row(self.upload, self.clear), self.note, self.list])
        self.add_class("fastclf-plain")
        self.upload.observe(lambda change: self.guard(lambda: self._take(change["new"])), "value")
        self.clear.on_click(lambda _: self.model.clear())
        model.observe(lambda _: self.say_words(), ["status", "message", "answers"])
        self.say_words()

    def say_words(self) -> None:
        """Say in the page's language what can be done, and the answers."""
        if self._drop.alive:
            return
        model = self.model
        busy = model.status is Status.BUSY
        self.upload.description, self.clear.description = say("Choose photos"), say("Clear all")
        self.upload.disabled, self.clear.disabled = busy, busy or not model.answers
        hint = say(
            "Up to {n} photos at once, {size} MB together. Answers appear below.",
            n=MAX_FILES,
            size=MAX_BYTES // 2**20,
        )
        self.note.value = render_status(model.status, model.message or hint)
        rows = "".join(f"<li>{escape(a.name)}: {escape(a.words)}</li>" for a in model.answers)
        self.list.value = f"<ol>{rows}</ol>" if rows else ""

    def show_failure(self) -> None:
        """Show that the photos did not come."""
        self.model.refuse(say("The upload did not arrive whole. Choose the photos again."))

    def _take(self, files: Any) -> None:
        if files:
            photos = [(str(file["name"]), bytes(file["content"])) for file in files]
            # an empty value frees the browser's and the kernel's copies, and lets the same file come again
            self.upload.value = ()
            self.model.classify(photos)
