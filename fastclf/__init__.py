"""fastclf: from an idea to a photo classifier that anyone can open in a browser.

What a maker needs is here by name and loaded at its first use; only `train` needs torch.
"""

import os

import lazy_loader

__version__ = "0.1.0"

# ONNX Runtime reports its use to its maker unless it is told not to before it loads, wherever that is.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
