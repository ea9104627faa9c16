"""Widgets whose script lies beside their module, under the same name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from ..texts import language, select_texts
from .parts import SpokenWidget

_DASHBOARD = Path(__file__).parent.parent


def read_script(file: str | Path) -> str:
    """Return a script, its path from the dashboard's folder, behind what all scripts share."""
    common, own = Path(__file__).with_name("common.js"), _DASHBOARD / file
    return "\n".join(script.read_text(encoding="utf-8") for script in (common, own))


class ScriptedWidget(SpokenWidget, anywidget.AnyWidget):
    """An anywidget with the script of its module: ``grid.js`` for what ``grid.py`` defines.

    There ``t("...")`` of ``makeTranslator(model)`` looks a text up, in the page's language.
    """

    _script: ClassVar[str] = ""

    texts = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        script = Path(inspect.getfile(cls)).with_suffix(".js")
        # adding traits derives a class too, of the same module
        if cls.__module__ != cls.__mro__[1].__module__:
            cls._script, cls._esm = script.read_text(encoding="utf-8"), read_script(script)
        super().__init_subclass__(**kwargs)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(texts=select_texts(self._script, language.code), **kwargs)

    def say_words(self) -> None:
        """Send the script's words in the page's language."""
        self.texts = select_texts(self._script, language.code)
