"""Importing fastai and torch when training needs them, with a sentence where they are not installed."""

from __future__ import annotations

import os
import warnings

from ..errors import MissingExtraError


def load_fastai() -> None:
    """Import fastai and timm.

    Raises
    ------
    MissingExtraError
        If a package of the extra `train` is not installed.
    """
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
            "Training all layers needs the package {name}, which is not installed. Run "
            '`pip install "fastclf[train]"`, or train a head (--mode head).',
            name=e.name,
        ) from None
