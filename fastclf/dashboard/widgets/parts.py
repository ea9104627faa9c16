"""What the panels of the Clean tab are put together from."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import ipywidgets as widgets

from ..texts import language

_logger = logging.getLogger(__name__)


class SpokenBox(widgets.VBox):
    """A box that says its words again when the page asks for another language."""

    def __init__(self, children: list[widgets.Widget], **kwargs: Any) -> None:
        super().__init__(children, **kwargs)
        language.observe(self._on_language_change, "code")

    def close(self) -> None:
        """Close the widget and stop listening."""
        with contextlib.suppress(ValueError):  # one that was never finished does not listen
            language.unobserve(self._on_language_change, "code")
        super().close()

    def say_words(self) -> None:
        """Say everything in the page's language."""
        raise NotImplementedError

    def _on_language_change(self, _: Any) -> None:
        try:
            self.say_words()
        except Exception:
            _logger.exception("a panel could not be put into another language")


def build_row(children: list[widgets.Widget]) -> widgets.HBox:
    """Return buttons side by side."""
    row = widgets.HBox(children)
    row.add_class("fastclf-buttons")
    return row


def build_html(*classes: str) -> widgets.HTML:
    """Return an empty piece of HTML with CSS classes."""
    html = widgets.HTML()
    for name in classes:
        html.add_class(name)
    return html
