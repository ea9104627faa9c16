"""The check of a folder of photos: what the catalog knows and what features tell, as one report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
