"""The public web: which addresses may be fetched, within which limits, and how politely."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
