"""What all tabs are made of: widgets with a script of ours, status, colour, small parts."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
