"""Widgets with a script of ours, and the frame that tells the page's language."""

from __future__ import annotations

import contextlib
import logging
from importlib import resources
from typing import Any, ClassVar

import anywidget
import traitlets

from ..texts import LANGUAGES, language, select_texts

_logger = logging.getLogger(__name__)
_FOLDER = resources.files("fastclf.dashboard")
_STYLES = ("widgets/style.css", "clean/grid.css", "about/about.css")


def read_script(name: str) -> str:
    """Return a script of the package behind what all scripts share."""
    return "\n".join((_FOLDER / file).read_text(encoding="utf-8") for file in ("widgets/common.js", name))


def read_style() -> str:
    """Return the one style sheet, whose parts are kept apart: the page, the grid of photos, the card."""
    return "\n".join((_FOLDER / file).read_text(encoding="utf-8") for file in _STYLES)


class ScriptedWidget(anywidget.AnyWidget):
    """An anywidget whose script gets its words in the page's language.

    A subclass names its file, from the dashboard's folder, in `script`; there ``t("...")`` of
    ``makeTranslator(model)`` looks a text up.
    """

    script: ClassVar[str] = ""

    texts = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if cls.__dict__.get("script"):  # not for the class that adding traits derives
            cls._esm = read_script(cls.script)
        super().__init_subclass__(**kwargs)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(texts=select_texts(self._words_script(), language.code), **kwargs)
        language.observe(self._on_language_change, "code")

    def close(self) -> None:
        """Close the widget and stop listening."""
        with contextlib.suppress(ValueError):  # one that was never finished does not listen
            language.unobserve(self._on_language_change, "code")
        super().close()

    @classmethod
    def _words_script(cls) -> str:
        return (_FOLDER / cls.script).read_text(encoding="utf-8") if cls.script else ""

    def _on_language_change(self, change: dict[str, Any]) -> None:
        self.texts = select_texts(self._words_script(), change["new"])


class PageFrame(ScriptedWidget):
    """Brings the style sheet and the maker's colour, and hears from the page which language to speak.

    The page sends its choice when it has drawn itself; `spoken` says that all words are in it. With `foot`
    it is the page's foot as well: what becomes of photos, and a choice of languages.
    """

    script = "widgets/frame.js"
    _css = read_style()

    languages = traitlets.Dict(default_value=LANGUAGES).tag(sync=True)
    foot = traitlets.Bool(False).tag(sync=True)
    accents = traitlets.Dict().tag(sync=True)
    wanted = traitlets.Unicode().tag(sync=True)
    spoken = traitlets.Unicode("en").tag(sync=True)

    @traitlets.observe("wanted")
    def _on_wanted_change(self, change: dict[str, Any]) -> None:
        if change["new"] in LANGUAGES:
            try:
                language.code = change["new"]
            except Exception:
                _logger.exception("the page could not be put into another language")
            self.spoken = change["new"]
