"""The Classify panel: photos in, cards out."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets

from .answer_list import AnswerList
from .model import ClassifyModel
from .photo_drop import PhotoDrop
from .plain_upload import PlainUpload


class ClassifyPanel(widgets.VBox):
    """A drop zone with example photos, the plain upload, and the answers.

    `side` is the longer side of what the network sees, in pixels.
    """

    def __init__(
        self, model: ClassifyModel, examples: list[Path], labels: list[str] | None = None, side: int = 224
    ) -> None:
        self.model = model
        self.drop = PhotoDrop(model, examples, side, labels or [])
        self.plain = PlainUpload(model, self.drop)
        self.answers = AnswerList(model, labels or [])
        super().__init__([self.drop, self.plain, self.answers])
        self.add_class("fastclf-classify")
