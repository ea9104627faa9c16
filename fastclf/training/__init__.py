"""Training with fastai and timm; the only part of fastclf that imports torch.

>>> from fastclf.training import train  # doctest: +SKIP
>>> train("photos/bears", "model", arch="resnet18")  # doctest: +SKIP
"""

import os
import warnings

import lazy_loader

from ..errors import MissingExtraError

# Threads that spin while they wait make training several times slower where cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    with warnings.catch_warnings():
        # torch and torchvision warn about each other at import; a maker can do nothing about that
        warnings.simplefilter("ignore", FutureWarning)
        import fastai.vision.all  # noqa: F401
        import timm  # noqa: F401
except ImportError as e:
    raise MissingExtraError(
        'Training needs the package {name}, which is not installed. Run `pip install "fastclf[train]"`.',
        name=e.name,
    ) from None

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
