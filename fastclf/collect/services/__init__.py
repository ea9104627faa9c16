"""Services that find photos by words; a new one is a file in this folder and a line in `service.py`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
