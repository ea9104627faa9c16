"""Photos and their folders: the one decoder, the walk over class folders, the drawing of splits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
