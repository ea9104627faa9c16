"""Training with fastai and timm; the only part of fastclf that imports torch.

>>> from fastclf.training import train  # doctest: +SKIP
>>> train("photos/bears", "model", arch="resnet18")  # doctest: +SKIP
"""

from ..errors import MissingExtraError

try:
    import fastai  # noqa: F401
    import timm  # noqa: F401
    import torch  # noqa: F401
except ImportError as e:
    raise MissingExtraError(
        f'Training needs the package {e.name}, which is not installed. Run `pip install "fastclf[train]"`.'
    ) from None

from .data import TrainingData, build_dls, load_data
from .export import export_bundle
from .learner import build_learner, fit
from .run import TrainOptions, train

__all__ = [
    "TrainOptions", "TrainingData", "build_dls", "build_learner", "export_bundle", "fit", "load_data", "train",
]  # fmt: skip
