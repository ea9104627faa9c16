"""Pretrained networks whose weights are at hand, frozen, as graphs: features without torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
