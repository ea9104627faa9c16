"""The dashboard: ipywidgets over plain models; imports neither torch nor, before an answer, ONNX Runtime."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
