"""The dashboard: ipywidgets over plain models; imports neither torch nor, before an answer, ONNX Runtime."""

from .app import build_app

__all__ = ["build_app"]
