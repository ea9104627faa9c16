"""The Classify panel: choose photos, read answers."""

from __future__ import annotations

import logging
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ..images import MAX_BYTES
from .cards import render_card
from .models import MAX_FILES, ClassifyPanelModel, Status

_logger = logging.getLogger(__name__)

_HINT = f"Up to {MAX_FILES} photos at once, {MAX_BYTES // 2**20} MB each. Answers appear below."


class ClassifyPanel(widgets.VBox):
    """FileUpload for several photos, example photos, an Output with the answers.

    Parameters
    ----------
    model
        The panel's state.
    examples
        Photos to try without an upload.
    """

    def __init__(self, model: ClassifyPanelModel, examples: list[Path]) -> None:
        self.model = model
        self._examples = examples
        self.upload = widgets.FileUpload(
            accept="image/*,.heic,.heif", multiple=True, description="Choose photos", button_style="primary"
        )
        self.try_examples = widgets.Button(description="Try example photos", icon="")
        self.clear = widgets.Button(description="Clear", disabled=True)
        self.note = widgets.HTML()
        self.note.add_class("fastclf-note")
        self.output = widgets.Output()
        self.output.add_class("fastclf-answers")
        buttons = [self.upload, *([self.try_examples] if examples else []), self.clear]
        row = widgets.HBox(buttons)
        row.add_class("fastclf-buttons")
        super().__init__([row, self.note, self.output])
        self._link()

    def _link(self) -> None:
        self.upload.observe(self._on_upload_change, "value")
        self.try_examples.on_click(self._on_try_examples_click)
        self.clear.on_click(self._on_clear_click)
        self.model.observe(self._on_answers_change, "answers")
        self.model.observe(self._on_state_change, ["status", "message"])
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
            self.model.refuse("The upload did not arrive whole. Choose the photos again.")

    def _on_try_examples_click(self, _: Any) -> None:
        self.model.classify([(path.name, path) for path in self._examples])

    def _on_clear_click(self, _: Any) -> None:
        self.model.clear()

    def _on_answers_change(self, change: dict[str, Any]) -> None:
        self.output.outputs = tuple(
            {
                "output_type": "display_data",
                "data": {"text/html": render_card(answer), "text/plain": answer.words},
                "metadata": {},
            }
            for answer in change["new"]
        )

    def _on_state_change(self, _: Any) -> None:
        status, busy = self.model.status, self.model.status is Status.BUSY
        self.upload.disabled = self.try_examples.disabled = busy
        self.clear.disabled = busy or not self.model.answers
        kind = "alert" if status is Status.ERROR else "status"
        text = self.model.message or _HINT
        self.note.value = f'<p role="{kind}" class="fastclf-{status.value}">{escape(text)}</p>'
