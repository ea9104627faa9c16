"""The frame of the page: style sheet and colour in, the page's language out, the foot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from ..texts import LANGUAGES, language
from .scripted import ScriptedWidget, read_shorter
from .status import logged


def read_style() -> str:
    """Return the one style sheet: the page's own, then those that lie beside their panels.

    What cleaners alone see brings its own along, and a page without a server, too.
    """
    own = Path(__file__).with_name("style.css")
    others = own.parent.parent.rglob("*.css")
    # what cleaners alone see, and what the dashboard does not show
    apart = ("clean", "site")
    return read_shorter([own, *sorted(s for s in others if s.parent.name not in apart and s != own)])


class PageFrame(ScriptedWidget):
    """Brings the style sheet and the maker's colour, and hears from the page which language to speak.

    The page sends its choice when it has drawn itself; `spoken` says that all words are in it. With `foot`
    it is the page's foot as well: what becomes of photos, and a choice of languages.
    """

    _css = read_style()

    languages = traitlets.Dict(default_value=LANGUAGES).tag(sync=True)
    foot = traitlets.Bool(False).tag(sync=True)
    accents = traitlets.Dict().tag(sync=True)
    wanted = traitlets.Unicode().tag(sync=True)
    spoken = traitlets.Unicode("en").tag(sync=True)

    @traitlets.observe("wanted")
    def _on_wanted_change(self, change: dict[str, Any]) -> None:
        if change["new"] in LANGUAGES:
            with logged("the page could not be put into another language"):
                language.code = change["new"]
            self.spoken = change["new"]
