"""The About tab: what the model is for, how good it is, what it mixes up, and the rest of its card."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ...errors import FastclfError
from ...model import ModelBundle
from ..texts import language
from .confusion import ConfusionMatrix
from .model import AboutPhotos, CellModel, ConfusionTable, find_confusion
from .words import (
    attempt,
    render_confusion_intro,
    render_fault,
    render_foot,
    render_purpose,
    render_quality,
    render_rest,
    render_sureness,
)

_logger = logging.getLogger(__name__)


class AboutPanel(widgets.VBox):
    """The model card in the page's look and language, filled when it is first looked at.

    Parameters
    ----------
    bundle
        The model.
    photos
        Finds the photos behind the cells of the confusion matrix; None for a visitor, who reads counts.
    """

    def __init__(self, bundle: ModelBundle, photos: AboutPhotos | None = None) -> None:
        self.bundle, self.photos = bundle, photos
        self.matrix: ConfusionMatrix | None = None
        self._table: ConfusionTable | None = None
        self._parts: list[tuple[widgets.HTML, Callable[[], str]]] = []
        super().__init__()
        self.add_class("fastclf-about")

    def start(self) -> None:
        """Show the model as it is on disk now; a second call does something only if it was retrained."""
        try:
            bundle = self._read_bundle()
            if self._parts and bundle is self.bundle:
                return
            self.bundle = bundle
            self._build()
        except Exception:
            _logger.exception("the About tab could not be filled")
            self._fail()

    def close(self) -> None:
        """Close the widgets and stop listening."""
        self._clear()
        super().close()

    def _read_bundle(self) -> ModelBundle:
        """Return the bundle that is shown, or a newer one that has taken its place."""
        try:
            today = ModelBundle.load(self.bundle.path, verify=False)
        except FastclfError:
            return self.bundle  # whoever asks the model will hear what is wrong with it
        return self.bundle if today.manifest == self.bundle.manifest else today

    def _build(self) -> None:
        self._clear()
        manifest = self.bundle.manifest.to_dict()
        self._table = self._find_table()
        above = [
            lambda: render_purpose(manifest),
            lambda: render_quality(manifest),
            lambda: render_confusion_intro(manifest, self._table),
        ]
        below = [
            lambda: render_sureness(manifest),
            lambda: render_rest(manifest, self._table),
            lambda: render_foot(manifest),
        ]
        self._parts = [(widgets.HTML(), render) for render in (*above, *below)]
        children: list[widgets.Widget] = [html for html, _ in self._parts]
        if self._table is not None:
            self.matrix = ConfusionMatrix(CellModel(self.bundle, self._table, self.photos))
            children.insert(len(above), self.matrix)
        self._speak(None)
        self.children = children
        language.observe(self._speak, "code")

    def _find_table(self) -> ConfusionTable | None:
        try:
            return find_confusion(self.bundle.manifest.to_dict())
        except Exception:
            _logger.exception("the confusion matrix could not be read")
            return None

    def _speak(self, _: Any) -> None:
        """Say every part in the page's language; one that cannot be said leaves the others alone."""
        for html, render in self._parts:
            html.value = attempt(render)

    def _clear(self) -> None:
        if self._parts:
            language.unobserve(self._speak, "code")
        children = self.children
        self.children = []
        for child in children:
            child.close()
        self._parts, self.matrix = [], None

    def _fail(self) -> None:
        self._clear()
        self.children = [widgets.HTML(render_fault())]
