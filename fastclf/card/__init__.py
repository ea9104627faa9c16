"""The model card: what a model is for, how good it is and where it fails, from its manifest alone."""

from .html import build_card_html
from .markdown import build_card_markdown
from .write import CARD_FILES, build_card, mend_card, save_manifest, write_card

__all__ = [
    "CARD_FILES",
    "build_card",
    "build_card_html",
    "build_card_markdown",
    "mend_card",
    "save_manifest",
    "write_card",
]
