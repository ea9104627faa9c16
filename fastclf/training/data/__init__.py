"""From a folder of photos to fastai's DataLoaders, the same on every machine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
