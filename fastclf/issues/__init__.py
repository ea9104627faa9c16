"""Checks of photos, a file a kind: arrays and pictures in, findings out; no model, no change."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
