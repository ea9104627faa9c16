"""The About tab: what the model is for, how good it is, and the photos behind its mix-ups."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
