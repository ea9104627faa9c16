"""What the panels are put together from: widgets that say their words again, rows, pieces of HTML."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..texts import language
from .status import logged

_logger = logging.getLogger(__name__)


class SpokenWidget(widgets.Widget):
    """A widget that says its words again when the page asks for another language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language.observe(self._on_language_change, "code")

    def close(self) -> None:
        """Close the widget and stop listening."""
        with contextlib.suppress(ValueError):  # one that was never finished does not listen
            language.unobserve(self._on_language_change, "code")
        super().close()

    def say_words(self) -> None:
        """Say everything in the page's language."""
        raise NotImplementedError

    def guard(self, act: Callable[[], Any]) -> None:
        """Do what a person asked for; a fault of ours is logged, and a sentence shown."""
        try:
            act()
        except Exception:
            _logger.exception("an action of the %s failed", type(self).__name__)
            self.show_failure()

    def show_failure(self) -> None:
        """Show that what was asked for did not work."""

    def _on_language_change(self, _: Any) -> None:
        with logged(f"the {type(self).__name__} could not be put into another language"):
            self.say_words()


class SpokenBox(SpokenWidget, widgets.VBox):
    """A box that says its words again when the page asks for another language."""


def build_row(*children: widgets.Widget) -> widgets.HBox:
    """Return buttons side by side."""
    return widgets.HBox(children).add_class("fastclf-buttons")
