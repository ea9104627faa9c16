"""Near-duplicates: found by hashes, confirmed on aligned pixels or by features, never chained."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
