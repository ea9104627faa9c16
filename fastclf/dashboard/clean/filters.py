"""The Clean panel's filters: which doubts, which class, which split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..texts import name_class, say, show, write_count
from .model import ReviewModel
from .queue import VIEWS
from .review import REPORT
from .wording import SPLIT_WORDS, VIEW_WORDS

_NAMES = ("view", "label", "split", "show_removed")


class FilterBar(widgets.HBox):
    """Three drop-downs and a tick; `guard` runs their changes of the model, and catches what it raises."""

    def __init__(self, model: ReviewModel, guard: Callable[[Callable[[], Any]], None]) -> None:
        self.model = model
        self._guard = guard
        self._filling = False
        self.view, self.label, self.split = widgets.Dropdown(), widgets.Dropdown(), widgets.Dropdown()
        self.show_removed = widgets.Checkbox(indent=False)
        super().__init__([self.view, self.label, self.split, self.show_removed])
        self.add_class("fastclf-clean-filters")
        for name in _NAMES:
            getattr(self, name).observe(self._on_filter_change, "value")

    def say_words(self) -> None:
        """Say the labels in the page's language; the options come with `show`."""
        self.view.description = say("Show")
        self.label.description = say("Class")
        self.split.description = say("Split")
        self.show_removed.description = say("Removed ones too")

    def show(self) -> None:
        """Bring options, counts and values up to date."""
        model, counts = self.model, self.model.count_views()
        always = ("doubts", "all", model.view, *([REPORT] if model.store.has_inbox else []))
        views = [view for view in VIEWS if counts[view] or view in always]
        self._filling = True
        try:
            _fill(
                self.view,
                [(f"{show(VIEW_WORDS[v])} ({write_count(counts[v])})", v) for v in views],
                model.view,
            )
            _fill(
                self.label,
                [(say("all classes"), ""), *((name_class(label), label) for label in model.vocab)],
                model.label,
            )
            splits = [(say("all photos"), ""), *((show(SPLIT_WORDS[s]), s) for s in model.find_splits() if s)]
            _fill(self.split, splits, model.split)
            self.show_removed.value = model.show_removed
        finally:
            self._filling = False

    def _on_filter_change(self, change: dict[str, Any]) -> None:
        if not self._filling:
            name = next(name for name in _NAMES if getattr(self, name) is change["owner"])
            self._guard(lambda: setattr(self.model, name, change["new"]))


def _fill(dropdown: widgets.Dropdown, options: list[tuple[str, str]], value: str) -> None:
    if dropdown.options != tuple(options):
        dropdown.options = options
    if dropdown.value != value:
        dropdown.value = value
