"""What a page shows of itself before its scripts run: title, intro and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ...model import ModelBundle
from ..widgets import find_accents

_COLOUR = "#1b57b3"  # of the style sheet
_ANSWERS = """A photo classifier as a page: it answers in the browser of whoever opens it. There is no
server, and no photo leaves the browser"""
_TEACHES = """A page on which photo classifiers are taught and tried, in the browser of whoever opens it.
There is no server, and no photo leaves the browser"""


@dataclass(frozen=True)
class Face:
    """Title, intro and colour of a page, and for its README what it is and what is in its folder."""

    title: str
    intro: str
    what: str
    holds: str
    colour: str = _COLOUR

    @classmethod
    def of_model(cls, bundle: ModelBundle) -> Self:
        """Return the face of a page that answers as a model does."""
        manifest = bundle.manifest
        return cls(
            manifest.title.strip() or "Photo classifier",
            manifest.intro.strip(),
            _ANSWERS,
            "the model",
            find_accents(manifest.colour).get("light", _COLOUR),
        )


TEACHING = Face(
    "Teach a photo classifier",
    "Name your classes, show some photos of each, and try what it has learned. All of it happens in this "
    "browser.",
    _TEACHES,
    "the network that looks at photos",
)
"""The face of a page that classifiers are taught on."""
