"""Training with fastai and timm; the only part of fastclf that imports torch.

>>> from fastclf.training import train  # doctest: +SKIP
>>> train("photos/bears", "model", arch="resnet18")  # doctest: +SKIP
"""

import os
import warnings

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
        f'Training needs the package {e.name}, which is not installed. Run `pip install "fastclf[train]"`.'
    ) from None

from .callbacks import EpochProgress, EpochRecord
from .data import TrainingData, build_dls, load_data
from .export import export_bundle
from .fitting import Fitted, fit
from .head import train_head
from .importing import import_learner
from .learner import build_learner
from .options import TrainOptions
from .phases import Phase, plan_phases
from .run import train

__all__ = [
    "EpochProgress",
    "EpochRecord",
    "Fitted",
    "Phase",
    "TrainOptions",
    "TrainingData",
    "build_dls",
    "build_learner",
    "export_bundle",
    "fit",
    "import_learner",
    "load_data",
    "plan_phases",
    "train",
    "train_head",
]
