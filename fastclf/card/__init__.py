"""The model card: what a model is for, how good it is and where it fails, from its manifest alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
