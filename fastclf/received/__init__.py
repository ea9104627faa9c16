"""What comes back from a browser as a file: projects of Teach and of Teachable Machine, visitors' reports."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
