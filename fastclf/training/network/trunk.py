"""Where a network's features end and its last linear layer begins."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import ExportError


class Trunk(nn.Module):
    """A whole network without its last linear layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """Return the (N, D) input of the last linear layer."""
        features: Tensor = self.model(image)
        return features


@dataclass(frozen=True)
class Parts:
    """A network taken apart.

    The body gives maps (N, D, H, W) where it `pools`, whose means are the features, else features (N, D). A
    batch norm between these and the last, linear layer can be folded into it.
    """

    body: nn.Module
    pools: bool
    norm: nn.BatchNorm1d | None
    linear: nn.Linear


def split_network(model: nn.Module, example: Tensor | None = None) -> Parts:
    """Take a network apart before its last linear layer.

    A head of (pool, flatten,) batch norm, dropout and linear is recognised by its layers. Any other network
    (in evaluation mode) is followed with an example (N, 3, H, W): its answer has to be what one linear layer
    gives.
    """
    parts = _read_head(model)
    if parts is None and example is not None:
        parts = _cut_last_layer(model, example)
    if parts is None:
        raise ExportError(
            "This Learner's head is not one linear layer. Build it with fastclf.training.build_learner, or "
            "vision_learner(..., lin_ftrs=[], concat_pool=False)."
        )
    return parts


def _read_head(model: nn.Module) -> Parts | None:
    """Return the parts of a network with a one-layer head, None where it has another."""
    if not isinstance(model, nn.Sequential) or len(model) != 2:
        return None
    body, head = model[0], model[1]
    layers = [
        m for m in head.modules() if not list(m.children()) and not isinstance(m, nn.Dropout | nn.Identity)
    ]
    pools = bool(layers) and isinstance(layers[0], nn.AdaptiveAvgPool2d)
    if pools and layers[0].output_size not in (1, (1, 1)):
        return None
    if pools:
        layers = layers[2:]
    norm = layers[0] if layers and isinstance(layers[0], nn.BatchNorm1d) else None
    rest = layers[1:] if norm is not None else layers
    if len(rest) != 1 or not isinstance(rest[0], nn.Linear):
        return None
    return Parts(body, pools, norm, rest[0])


def _cut_last_layer(model: nn.Module, example: Tensor) -> Parts:
    name = _find_last_layer(model, example)
    linear = model.get_submodule(name)
    trunk = copy.deepcopy(model)
    parent, _, child = name.rpartition(".")
    setattr(trunk.get_submodule(parent), child, nn.Identity())
    with torch.no_grad():
        features = trunk(example)
    if features.ndim != 2:
        raise ExportError(
            "The last linear layer of this Learner's network sees {shape} numbers a "
            "photo; a row of features is needed.",
            shape=tuple(features.shape[1:]),
        )
    return Parts(Trunk(trunk), False, None, linear)


def _watch_linear_layers(model: nn.Module, example: Tensor) -> tuple[Any, dict[str, list[Tensor]]]:
    """Return the network's answer, and by name all that its linear layers gave."""
    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and name}
    given: dict[str, list[Tensor]] = {name: [] for name in linear}
    hooks = [
        layer.register_forward_hook(lambda _m, _i, out, n=name: given[n].append(out.clone()))
        for name, layer in linear.items()
    ]
    try:
        with torch.no_grad():
            return model(example), given
    finally:
        for hook in hooks:
            hook.remove()


def _find_last_layer(model: nn.Module, example: Tensor) -> str:
    """Return the name of the linear layer whose answer is the network's."""
    answer, given = _watch_linear_layers(model, example)
    if not isinstance(answer, Tensor):
        raise ExportError(
            "This Learner's network answers with a {kind}; a row of numbers a photo is what can be exported.",
            kind=type(answer).__name__,
        )
    for name, outs in given.items():
        if len(outs) == 1 and outs[0].shape == answer.shape and torch.equal(outs[0], answer):
            return name
    last = next((type(m).__name__ for m in reversed(list(model.modules()))), "nothing")
    raise ExportError(
        "This Learner's network does not end with a linear layer (its last part is {last}); what "
        "can be exported answers with what nn.Linear gives, as vision_learner's do (without y_range "
        "and bn_final).",
        last=last,
    )
