"""The owner's part of the About tab that says how another site shows the page in a frame."""

from __future__ import annotations

import os

import traitlets

from ...errors import ServingError
from ...model import ModelBundle
from ...server import read_embed
from ...system import EXAMPLE_ORIGIN
from ..texts import find_maker_text, say
from ..widgets import ScriptedWidget, write_snippet


class EmbedSnippet(ScriptedWidget):
    """Lines to copy, and which sites may show the page.

    The page puts its own address into the `snippet`. `sites` are the origins that may show it, ("*",) for
    any, `option` is how one is named; `are_all_owners` says that whoever opens the page is one, `asks` that
    a password lets people in.
    """

    snippet = traitlets.Unicode().tag(sync=True)
    sites = traitlets.List(traitlets.Unicode()).tag(sync=True)
    are_all_owners = traitlets.Bool(False).tag(sync=True)
    option = traitlets.Unicode().tag(sync=True)
    asks = traitlets.Bool(False).tag(sync=True)

    def __init__(self, bundle: ModelBundle) -> None:
        title = os.environ.get("FASTCLF_TITLE", "").strip() or find_maker_text("title")
        super().__init__(
            snippet=write_snippet(title or bundle.manifest.title.strip() or say("Photo classifier")),
            sites=list(_find_sites()),
            option=f"--embed {EXAMPLE_ORIGIN}",
            # a password makes an owner of those alone who know it
            are_all_owners=not os.environ.get("FASTCLF_OWNER_PASSWORD_FILE"),
            asks=bool(os.environ.get("FASTCLF_PASSWORD_FILE")),
        )


def _find_sites() -> tuple[str, ...]:
    try:
        return read_embed()
    except ServingError:
        return ()  # the server has said so, and lets no other site show the page
