"""Files, databases, folders and processes: what fastclf asks of the operating system, safe against a kill."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
