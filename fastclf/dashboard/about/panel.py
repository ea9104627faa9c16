"""The About tab: what the model is for, how good it is, what it mixes up, and the rest of its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from ...errors import FastclfError
from ...model import ModelBundle
from ..widgets import SpokenBox, logged
from .confusion import CleanPhotos, ConfusionMatrix
from .model import CellModel, ConfusionTable, find_confusion
from .words import ABOVE, BELOW, attempt, render_fault

if TYPE_CHECKING:
    from .photos import ValidationPhotos


class AboutPanel(SpokenBox):
    """The model card in the page's look and language, filled when it is first looked at.

    `photos` finds those behind the cells of the confusion matrix; a visitor has none and reads counts. With
    `clean_photos` those of a cell can be opened in the Clean tab.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        photos: ValidationPhotos | None = None,
        clean_photos: CleanPhotos | None = None,
    ) -> None:
        self.bundle, self.photos, self._clean_photos = bundle, photos, clean_photos
        self.matrix: ConfusionMatrix | None = None
        self._table: ConfusionTable | None = None
        self._parts: tuple[widgets.HTML, ...] = ()
        super().__init__()
        self.add_class("fastclf-about")

    def start(self) -> None:
        """Show the model as it is on disk now; a second call does something only if it was retrained."""
        self.guard(self._start)

    def close(self) -> None:
        """Close the widgets and stop listening."""
        self._clear()
        super().close()

    def say_words(self) -> None:
        """Say every part in the page's language; one that cannot be said leaves the others alone."""
        for html, render in zip(self._parts, (*ABOVE, *BELOW), strict=False):
            html.value = attempt(render, self.bundle.manifest.to_dict(), self._table)

    def show_failure(self) -> None:
        """Show a sentence instead of the card."""
        self._clear()
        self.children = [widgets.HTML(render_fault())]

    def _start(self) -> None:
        bundle = self._read_bundle()
        if not self._parts or bundle is not self.bundle:
            self.bundle = bundle
            self._build()

    def _read_bundle(self) -> ModelBundle:
        """Return the bundle that is shown, or a newer one that has taken its place."""
        try:
            today = ModelBundle.load(self.bundle.path, verify=False)
        except FastclfError:
            return self.bundle  # whoever asks the model will hear what is wrong with it
        return self.bundle if today.manifest == self.bundle.manifest else today

    def _build(self) -> None:
        self._clear()
        self._table = None
        with logged("the confusion matrix could not be read"):
            self._table = find_confusion(self.bundle.manifest.to_dict())
        self._parts = tuple(widgets.HTML() for _ in (*ABOVE, *BELOW))
        self.say_words()
        if self._table is not None:
            self.matrix = ConfusionMatrix(
                CellModel(self.bundle, self._table, self.photos), self._clean_photos
            )
        n, matrix = len(ABOVE), [self.matrix] if self.matrix else []
        self.children = [*self._parts[:n], *matrix, *self._parts[n:]]

    def _clear(self) -> None:
        children, self.children = self.children, []
        for child in children:
            child.close()
        self._parts, self.matrix = (), None
