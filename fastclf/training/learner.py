"""fastai Learners with the one-layer head, on torchvision and timm architectures."""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import timm
import torch
import torchvision
from fastai.vision.all import DataLoaders, Learner, accuracy, set_seed, vision_learner
from fastai.vision.learner import model_meta

from ..errors import UsageProblem, WeightsError
from .callbacks import EpochProgress, EpochRecord, TimeBudget

_logger = logging.getLogger(__name__)
_TORCHVISION = {f.__name__: f for f in model_meta if f.__module__.startswith("torchvision.")}

# Base learning rates of Adam with the one-cycle schedule.
_LR_PRETRAINED = 2e-3
_LR_FROM_SCRATCH = 5e-3


def resolve_arch(name: str) -> str | Callable[..., torch.nn.Module]:
    """Return what `vision_learner` takes for an architecture's name.

    fastai's own torchvision architectures come first (resnet18, densenet121), then timm's, then
    torchvision's others.

    Raises
    ------
    UsageProblem
        If nobody knows the name; the message names similar ones.
    """
    if name in _TORCHVISION:
        return _TORCHVISION[name]
    if timm.is_model(name):
        return name
    others = torchvision.models.list_models(module=torchvision.models)
    if name in others:
        found: Callable[..., torch.nn.Module] = torchvision.models.get_model_builder(name)
        return found
    known = [*_TORCHVISION, *timm.list_models(), *others]
    similar = difflib.get_close_matches(name, known, n=3) or ["resnet18", "mobilenetv4_conv_small"]
    raise UsageProblem(f"There is no architecture {name!r}. Similar ones: {', '.join(similar)}.")


def build_learner(
    dls: DataLoaders, arch: str = "resnet18", *, pretrained: bool = True, seed: int = 0, dropout: float = 0.2
) -> Learner:
    """Build a Learner whose head is one linear layer over pooled features.

    Parameters
    ----------
    dls
        From `build_dls`.
    arch
        A torchvision or timm name.
    pretrained
        Whether to start from ImageNet weights, which are fetched if they are not at hand.
    seed
        For the new weights.
    dropout
        Probability of dropout before the linear layer.

    Raises
    ------
    UsageProblem
        If the architecture is unknown or does not take the photos' size.
    WeightsError
        If pretrained weights are wanted and out of reach.
    """
    resolved = resolve_arch(arch)
    set_seed(seed, reproducible=True)
    try:
        learn = vision_learner(
            dls, resolved, pretrained=pretrained, lin_ftrs=[], concat_pool=False, ps=dropout, metrics=accuracy
        )
    except Exception as e:
        if not pretrained:
            raise UsageProblem(f"The architecture {arch} cannot be built ({_brief(e)}). Try another.") from e
        raise WeightsError(
            f"The pretrained weights of {arch} could not be loaded ({_brief(e)}). Check the network, or "
            "train without them: --no-pretrained (from Python: pretrained=False)."
        ) from e
    _check_size(learn, arch)
    return learn


def fit(
    learn: Learner,
    epochs: int,
    *,
    pretrained: bool = True,
    lr: float | None = None,
    seed: int = 0,
    deadline: float | None = None,
    quiet: bool = False,
    cbs: Sequence[Any] = (),
) -> list[dict[str, Any]]:
    """Train: fastai's `fine_tune` on pretrained weights, one cycle over all layers on new ones.

    Parameters
    ----------
    learn
        From `build_learner`.
    epochs
        Epochs of all layers; `fine_tune` adds one of the head before them.
    pretrained
        Whether the body's weights are pretrained.
    lr
        Highest learning rate.
    seed
        For order, augmentation and dropout.
    deadline
        `time.monotonic()` at which fitting must be over; the epochs are planned from the first one's time.
    quiet
        Whether to show no progress.
    cbs
        More fastai callbacks.

    Returns
    -------
    list of dict
        A row an epoch: losses, accuracy, seconds.
    """
    record = EpochRecord()
    all_cbs = [record, EpochProgress(quiet), *cbs]
    if deadline is not None:
        all_cbs.append(TimeBudget(deadline))
    set_seed(seed, reproducible=True)
    with learn.no_bar(), learn.no_logging():
        if pretrained:
            learn.fine_tune(epochs, lr or _LR_PRETRAINED, cbs=all_cbs)
        else:
            learn.unfreeze()
            learn.fit_one_cycle(epochs, lr or _LR_FROM_SCRATCH, cbs=all_cbs)
    return record.epochs


def measure_step(arch: str, size: int, batch_size: int = 16, repeats: int = 1) -> float:
    """Return the seconds that one photo costs in a training step of new weights, at `size` pixels.

    The first of ``repeats + 1`` steps warms up and does not count.
    """
    resolved = resolve_arch(arch)
    model = (
        timm.create_model(resolved, pretrained=False) if isinstance(resolved, str) else resolved(weights=None)
    ).train()
    batch = torch.rand(batch_size, 3, size, size)
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        model(batch).mean().backward()
        times.append(time.perf_counter() - started)
    return min(times[1:]) / batch_size


def _check_size(learn: Learner, arch: str) -> None:
    height, width = learn.dls.one_batch()[0].shape[-2:]
    device = next(learn.model.parameters()).device
    try:
        with torch.no_grad():
            learn.model.eval()(torch.zeros(1, 3, height, width, device=device))
    except Exception as e:
        raise UsageProblem(
            f"The architecture {arch} does not take photos of {height} x {width} pixels ({_brief(e)}). "
            "Name another --size (224 fits most) or --arch."
        ) from e


def _brief(error: Exception) -> str:
    """Return the first line of an error that is not about fastclf, short enough for a sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")[:160]
