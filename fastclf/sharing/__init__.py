"""Where a dashboard can be put: on Binder by a link, on a server of one's own by a folder of files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
