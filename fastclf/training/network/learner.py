"""fastai Learners with the one-layer head, on torchvision and timm architectures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from fastai.vision.all import DataLoaders, Learner, accuracy, set_seed, vision_learner
from fastai.vision.learner import model_meta

from ...backbone import PACKAGED, find_packaged
from ...errors import FastclfError, UsageError, WeightsError, describe_error
from ...system import is_out_of_memory
from ..arch_names import build_unknown_arch
from .preprocessing import add_normalisation
from .weights import (
    check_fetchable,
    check_loaded,
    describe_licence,
    load_into_torchvision,
    load_packaged,
    read_weights,
)

_TORCHVISION = {f.__name__: f for f in model_meta if f.__module__.startswith("torchvision.")}


def resolve_arch(name: str) -> str | Callable[..., torch.nn.Module]:
    """Return what `vision_learner` takes for an architecture's name.

    fastai's own torchvision architectures come first (resnet18, densenet121), then timm's, then
    torchvision's others.
    """
    if name in _TORCHVISION:
        return _TORCHVISION[name]
    if timm.is_model(name):
        return name
    others = torchvision.models.list_models(module=torchvision.models)
    if name in others:
        found: Callable[..., torch.nn.Module] = torchvision.models.get_model_builder(name)
        return found
    raise build_unknown_arch(name)


def build_learner(
    dls: DataLoaders,
    arch: str = "resnet18",
    *,
    pretrained: bool = True,
    weights: str | Path | None = None,
    seed: int = 0,
    dropout: float = 0.2,
) -> Learner:
    """Build a Learner whose head is one linear layer over pooled features.

    Parameters
    ----------
    dls
        From `build_dls`.
    arch
        A torchvision or timm name.
    pretrained
        Whether to start from ImageNet weights: those that come by pip, else what timm or torchvision have
        fetched before or fetch now.
    weights
        A file to take the weights from instead: safetensors or PyTorch's.
    seed
        For the new weights.
    dropout
        Probability of dropout before the linear layer.

    Raises
    ------
    UsageError
        If the architecture is unknown or does not take the photos' size.
    WeightsError
        If pretrained weights are wanted and out of reach, or do not fit.
    """
    resolved = resolve_arch(arch)
    file = None if weights is None else Path(weights)
    state = None if file is None else read_weights(file)
    set_seed(seed, reproducible=True)
    packaged = pretrained and file is None and arch == PACKAGED.arch and find_packaged() is not None
    learn = _build(dls, arch, pretrained and not packaged, file, dropout)
    if packaged:
        load_packaged(learn.model[0])
        add_normalisation(learn, PACKAGED.mean, PACKAGED.std)
    if file is not None and state is not None:
        if callable(resolved):
            load_into_torchvision(learn.model[0], resolved, file, state)
        check_loaded(learn.model[0], arch, file, state)
    if pretrained:
        add_normalisation(learn)
        learn.freeze()
    _check_size(learn, arch)
    return learn


def _build(dls: DataLoaders, arch: str, pretrained: bool, file: Path | None, dropout: float) -> Learner:
    resolved = resolve_arch(arch)
    options: dict[str, Any] = {"lin_ftrs": [], "concat_pool": False, "ps": dropout, "metrics": accuracy}
    if file is not None and isinstance(resolved, str):
        # some networks' published files are of another format, which this one is not
        options["pretrained_cfg_overlay"] = {"file": str(file), "custom_load": False}
    # torchvision has no loader for files: such weights go into a body of new ones
    fetched = pretrained and not (file is not None and callable(resolved))
    if fetched and file is None:
        check_fetchable(arch, resolved)
    try:
        return vision_learner(dls, resolved, pretrained=fetched, **options)
    except Exception as e:
        if is_out_of_memory(e):
            raise
        raise _explain(arch, e, fetched, file) from e


def _explain(arch: str, error: Exception, fetched: bool, file: Path | None) -> FastclfError:
    if file is not None:
        return WeightsError(
            "The weights {file} do not fit {arch} ({reason}). Name the architecture that they belong "
            "to with --arch.",
            file=file,
            arch=arch,
            reason=describe_error(error),
        )
    if not fetched:
        return UsageError(
            "The architecture {arch} cannot be built ({reason}). Try another.",
            arch=arch,
            reason=describe_error(error),
        )
    return WeightsError(
        "The pretrained weights of {arch} could not be loaded ({reason}). Check the network, name a "
        "file of weights (--weights FILE), or train without them (--no-pretrained; from Python: "
        "pretrained=False).",
        arch=arch,
        reason=describe_error(error),
    )


def describe_weights(arch: str, *, pretrained: bool = True, weights: str | Path | None = None) -> str:
    """Return what is known of the licence of the weights that `build_learner` would begin with."""
    file = None if weights is None else Path(weights)
    return describe_licence(arch, resolve_arch(arch), pretrained=pretrained, file=file)


def measure_step(arch: str, size: int, batch_size: int = 16) -> float:
    """Return the seconds that one photo costs in a training step of new weights, at `size` pixels."""
    resolved = resolve_arch(arch)
    try:
        model = resolved() if callable(resolved) else timm.create_model(resolved)  # with new weights
        model.train()
        batch = torch.rand(batch_size, 3, size, size)
        for _ in range(2):  # the first step warms up
            started = time.perf_counter()
            out = model(batch)
            # some networks of torchvision answer with several outputs while they learn
            (out if isinstance(out, torch.Tensor) else out[0]).mean().backward()
    except Exception as e:
        if is_out_of_memory(e):
            raise
        raise UsageError(
            "The architecture {arch} cannot be trained at {size:d} x {size:d} pixels ({reason}). Name "
            "another --size or --arch.",
            arch=arch,
            size=size,
            reason=describe_error(e),
        ) from e
    return (time.perf_counter() - started) / batch_size


def find_fixed_size(arch: str) -> int | None:
    """Return the height and width that an architecture insists on, or None where it takes several."""
    resolved = resolve_arch(arch)
    config = timm.models.get_pretrained_cfg(resolved) if isinstance(resolved, str) else None
    return int(config.input_size[-1]) if config is not None and config.fixed_input_size else None


def _check_size(learn: Learner, arch: str) -> None:
    height, width = learn.dls.one_batch()[0].shape[-2:]
    device = next(learn.model.parameters()).device
    try:
        with torch.no_grad():
            learn.model.eval()(torch.zeros(1, 3, height, width, device=device))
    except Exception as e:
        if is_out_of_memory(e):
            raise
        raise UsageError(
            "The architecture {arch} does not take photos of {height:d} x {width:d} pixels ({reason}). "
            "Name another --size (224 fits most) or --arch.",
            arch=arch,
            height=height,
            width=width,
            reason=describe_error(e),
        ) from e
