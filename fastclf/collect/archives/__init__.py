"""Photos that lie together: archives, folders and cloud paths, read one file after the other."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
