"""The list of models that were in use before, each with a button that brings it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets as widgets

from ...card import moment
from ...head import EarlierModel
from ..texts import say
from ..widgets import build_row, render_paragraph


class EarlierModels(widgets.VBox):
    """Earlier models with date and figures; `use` is called with the stamp of the one that is wanted back."""

    def __init__(self, use: Callable[[str], None]) -> None:
        self._use = use
        self._shown: list[widgets.Widget] = []
        self.buttons: list[widgets.Button] = []
        super().__init__()
        self.add_class("fastclf-earlier")

    def show(self, models: Sequence[EarlierModel]) -> None:
        """Show these models in the page's language, each with its button; nothing without any."""
        old, self.buttons = self._shown, []
        head = widgets.HTML(f"<h3>{escape(say('Earlier models'))}</h3>")
        self._shown = [head, *map(self._build_row, models)] if models else []
        self.children = self._shown
        self.layout.display = "" if models else "none"
        for widget in old:
            widget.close()

    def _build_row(self, model: EarlierModel) -> widgets.HBox:
        button = widgets.Button(description=say("Use this one"), tooltip=_describe(model))
        button.on_click(lambda _: self._use(model.stamp))
        self.buttons.append(button)
        return build_row(button, widgets.HTML(render_paragraph(_describe(model))))


def _describe(model: EarlierModel) -> str:
    time = moment(model.created)
    if model.accuracy is None:
        return say("made {time}, not measured", time=time)
    share = f"{model.accuracy * 100:.1f} %"
    return say("made {time}, {share} of {n} validation photos right", time=time, share=share, n=model.n)
