"""What training needs beside the core, with a sentence where it is not installed."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec

from ..errors import MissingExtraError, UsageError, describe_error
from ..system import advise_install, is_out_of_memory

_FOR_A_HEAD = ("onnx", "scipy", "threadpoolctl")


def check_head() -> None:
    """Make sure of what a head is fitted and written with, which fine-tuning begins with, too.

    Raises
    ------
    MissingExtraError
        If a package of the extra `head` is not installed.
    """
    for name in _FOR_A_HEAD:
        if find_spec(name) is None:
            raise MissingExtraError(
                "Training needs the package {name}, which is not installed. Run "
                "`{install}`, or `{more}` to train all layers as well.",
                install=advise_install("head"),
                more=advise_install("train"),
                name=name,
            )


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
        if not isinstance(e, ModuleNotFoundError) or is_out_of_memory(e):
            raise UsageError(
                "fastai and torch are installed, but cannot be loaded ({reason}). Where memory is short, "
                "close other programs; else run `{install}` again, or train a head (--mode head) "
                "without --arch.",
                reason=describe_error(e),
                install=advise_install("train"),
            ) from e
        raise MissingExtraError(
            "Training all layers, and other architectures, need the package {name}, which is not installed. "
            "Run `{install}`, or train a head (--mode head) without --arch.",
            install=advise_install("train"),
            name=e.name,
        ) from None
