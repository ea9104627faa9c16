"""ImageClassifierCleaner: fastai's name and contract, without fastai."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ...errors import Message, UsageError
from ..texts import say
from ..widgets import PageFrame, PhotoViewer, SpokenBox
from .grid import PhotoGrid
from .model import ReviewModel
from .predicted_photos import PredictedStore, read_source
from .queue import ALL
from .review import Decision

KEEP, DELETE = "<Keep>", "<Delete>"
_SPLITS = {"Train": "train", "Valid": "valid"}


class ImageClassifierCleaner(SpokenBox):
    """Relabel or remove the photos that a model finds hardest; changes no file.

    As with fastai's, a class and a split are chosen, the photos with the highest loss come first, and
    ``delete()`` and ``change()`` say what was chosen for the paths in ``fns``. Unlike there, choices survive
    a switch of class or split, there are pages, undo and keys, and a Learner's training photos are predicted
    without random augmentation (``dls.test_dl``), so their order is the same every time.

    Parameters
    ----------
    source
        A fastai Learner, or anything with ``fns`` (N paths), ``labels`` (N, names or indices) and
        ``pred_probs`` (N, K), optionally ``vocab`` (K names) and ``splits`` (N of "train", "valid", "test").
        Without splits all photos count as "Train". Photos of a split "test" are left out: what a model
        answers on them is not to be seen while cleaning.
    max_n
        Most photos of one class and split, 30 as in fastai; None for all.
    page_size
        Photos on one page.

    Raises
    ------
    UsageError
        If the source is neither, or its parts do not fit together.

    Examples
    --------
    Of a Learner it is ``ImageClassifierCleaner(learn)``, whose cell shows the widget; then:

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> answered = SimpleNamespace(
    ...     fns=["photos/bears/black/000.png", "photos/bears/teddy/000.png"],
    ...     labels=["black", "teddy"],
    ...     pred_probs=np.array([[0.2, 0.8], [0.1, 0.9]]),
    ...     vocab=["black", "teddy"],
    ... )
    >>> cleaner = ImageClassifierCleaner(answered)
    >>> [str(file) for file in cleaner.fns], cleaner.change(), cleaner.delete()
    (['photos/bears/black/000.png'], [], [])

    What was chosen is applied by the catalog::

        with Catalog("photos/bears") as catalog:
            catalog.remove(cleaner.fns[idx] for idx in cleaner.delete())
            for idx, label in cleaner.change():
                catalog.relabel([cleaner.fns[idx]], label)
    """

    def __init__(self, source: Any, max_n: int | None = 30, *, page_size: int = 24) -> None:
        if max_n is not None and max_n < 1:
            raise UsageError("max_n is {max_n}; it must be 1 or more, or None for all photos.", max_n=max_n)
        store = PredictedStore(read_source(source))
        losses = store.photos.losses
        self.model = ReviewModel(
            store, page_size=page_size, limit=max_n, rank=lambda item: (-losses[item.key],)
        )
        self.dd_cats = widgets.Dropdown(options=store.vocab)
        self.dd_ds = widgets.Dropdown(options=tuple(_SPLITS))
        self.model.view = ALL
        self._on_filter_change(None)
        self.model.load()
        self.grid = PhotoGrid(self.model, fastai=True)
        self._undo, self._redo = widgets.Button(), widgets.Button()
        row = widgets.HBox([self.dd_cats, self.dd_ds, self._undo, self._redo])
        super().__init__([PageFrame(), row.add_class("fastclf-clean-filters"), self.grid, PhotoViewer()])
        self.add_class("fastclf")
        self._link()
        self.say_words()

    @property
    def fns(self) -> list[Path]:
        """The paths of the current class and split over all pages, highest loss first, at most `max_n`."""
        return [item.fn for item in self.model.queue]

    @property
    def pending(self) -> dict[Path, str]:
        """The choices of all classes and splits, the current one included.

        {path: new label or "<Delete>"}; what is kept is not in it.
        """
        return {self.model.item(key).fn: _value(decision) for key, decision in self.model.pending.items()}

    @property
    def widget(self) -> ImageClassifierCleaner:
        """The cleaner itself, where fastai's keeps its widget."""
        return self

    def values(self) -> list[str]:
        """Return what was chosen for each of `fns`: "<Keep>", "<Delete>" or the new label."""
        return [_value(self.model.pending.get(item.key)) for item in self.model.queue]

    def delete(self) -> list[int]:
        """Return the indices into `fns` of the photos to delete."""
        return [i for i, value in enumerate(self.values()) if value == DELETE]

    def change(self) -> list[tuple[int, str]]:
        """Return (index into `fns`, new label) of the photos to relabel."""
        return [(i, value) for i, value in enumerate(self.values()) if value not in (KEEP, DELETE)]

    def say_words(self) -> None:
        """Say everything in the page's language; the options stay fastai's."""
        self.dd_cats.description, self.dd_ds.description = say("Class"), say("Split")
        self._undo.description, self._redo.description = say("Undo"), say("Redo")

    def show_failure(self) -> None:
        """Show that what was asked for did not work."""
        self.model.refuse(Message("That did not work, and nothing was changed."))

    def _link(self) -> None:
        self.dd_cats.observe(self._on_filter_change, "value")
        self.dd_ds.observe(self._on_filter_change, "value")
        self._undo.on_click(lambda _: self.guard(self.model.undo))
        self._redo.on_click(lambda _: self.guard(self.model.redo))
        self.model.observe(self._on_history_change, ["can_undo", "can_redo", "revision"])
        self._on_history_change(None)

    def _on_filter_change(self, _: Any) -> None:
        self.guard(self._filter)

    def _filter(self) -> None:
        self.model.label, self.model.split = self.dd_cats.value, _SPLITS[self.dd_ds.value]

    def _on_history_change(self, _: Any) -> None:
        self._undo.disabled, self._redo.disabled = not self.model.can_undo, not self.model.can_redo


def _value(decision: Decision | None) -> str:
    if decision is None:
        return KEEP
    return DELETE if decision.action == "remove" else str(decision.label)
