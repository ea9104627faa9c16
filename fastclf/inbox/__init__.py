"""What visitors report: claims about answers, in an SQLite file of their own, waiting for the owner."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
