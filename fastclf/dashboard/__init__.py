"""The dashboard: ipywidgets over plain models; imports neither torch nor, before an answer, ONNX Runtime."""

from typing import TYPE_CHECKING, Any

from .app import build_app

if TYPE_CHECKING:
    from .cleaner import ImageClassifierCleaner

__all__ = ["ImageClassifierCleaner", "build_app"]


def __getattr__(name: str) -> Any:
    """Import the cleaner at its first use: a visitor's page does without it."""
    if name != "ImageClassifierCleaner":
        raise AttributeError(f"module 'fastclf.ui' has no attribute {name!r}")
    from .cleaner import ImageClassifierCleaner

    return ImageClassifierCleaner
