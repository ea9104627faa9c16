"""fastclf: from an idea to a photo classifier that anyone can open in a browser.

`Catalog`, `Predictor`, `Prediction` and `ModelBundle` are light; training lives in `fastclf.training`.
"""

import os
from typing import TYPE_CHECKING, Any

from .errors import FastclfError

if TYPE_CHECKING:
    from .bundle import ModelBundle
    from .catalog import Catalog
    from .explain import Explanation
    from .predictor import Prediction, Predictor

__all__ = ["Catalog", "Explanation", "FastclfError", "ModelBundle", "Prediction", "Predictor", "__version__"]

__version__ = "0.1.0"

# ONNX Runtime reports its use to its maker unless it is told not to before it loads, wherever that is.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Catalog": "catalog",
    "Explanation": "explain",
    "ModelBundle": "bundle",
    "Prediction": "predictor",
    "Predictor": "predictor",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: the dashboard's first paint needs no ONNX Runtime."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fastclf' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
