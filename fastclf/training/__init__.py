"""Training: a head on frozen features, or all layers with fastai and timm; only the latter imports torch.

>>> from fastclf.training import train
>>> bundle = train("photos/bears", "model", mode="head", say=lambda words: None)
"""

from importlib.util import find_spec
from typing import Any

import lazy_loader

from .ready import check_head, load_fastai

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# What does without fastai until it is asked for more.
_LIGHT = ("train", "follow", "TrainOptions", "read_pickle")


def __getattr__(name: str) -> Any:
    if name in __all__:
        if name not in _LIGHT and find_spec("fastai") is None:
            load_fastai()  # says what brings the rest, too
        check_head()
        if name not in _LIGHT:
            load_fastai()
    return _load(name)
