"""General features from a pretrained network whose weights are on this machine; nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from fastai.vision.all import imagenet_stats
from huggingface_hub import try_to_load_from_cache
from torch import nn

from ...check import GeneralFeatures
from ...model import FeatureCache, Preprocess, fill_cache
from ...photos import Photo, Progress
from ...system import hash_file

# The first whose weights are at hand is taken: the better on ImageNet, the earlier.
ARCHS = (
    "resnet50", "convnext_tiny.fb_in22k", "levit_256", "mobilenetv4_conv_small", "resnet34", "resnet18",
)  # fmt: skip


@dataclass(frozen=True)
class Backbone:
    """A pretrained network with its weights' file."""

    arch: str
    weights: Path

    @property
    def features(self) -> GeneralFeatures:
        """How its features are called in the cache and in words."""
        name = f"{self.arch}-{hash_file(self.weights)[:16]}"
        return GeneralFeatures(name, f"{self.arch} with its published weights, frozen")


def find_backbone(archs: Sequence[str] = ARCHS) -> Backbone | None:
    """Return a pretrained network whose weights an earlier download left on this machine, or None."""
    for arch in archs:
        path = find_weights(arch)
        if path is not None:
            return Backbone(arch, path)
    return None


def find_weights(arch: str) -> Path | None:
    """Return the file of an architecture's default weights in torchvision's or timm's cache, or None."""
    if arch in torchvision.models.list_models(module=torchvision.models):
        url = torchvision.models.get_model_weights(arch).DEFAULT.url
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
        if path.is_file():
            return path
    if timm.is_model(arch):
        repository = timm.models.get_pretrained_cfg(arch).hf_hub_id
        for name in ("model.safetensors", "pytorch_model.bin") if repository else ():
            found = try_to_load_from_cache(str(repository).rstrip("/"), name)
            if isinstance(found, str):
                return Path(found)
    return None


def extract_general(
    backbone: Backbone, cache: FeatureCache, photos: Sequence[Photo], progress: Progress | None = None
) -> int:
    """Compute and cache the pooled features of the photos that lack them; returns how many."""
    if all(p.sha256 in cache.load() for p in photos):
        return 0
    preprocess, run = _open(backbone)
    return fill_cache(cache, photos, preprocess, run, progress)


def _open(backbone: Backbone) -> tuple[Preprocess, Callable[[Any], Any]]:
    """Return the transform, and what computes (N, D) features: the network without its classifier."""
    if backbone.weights.suffix == ".pth":
        model = torchvision.models.get_model(backbone.arch, weights=None)
        model.load_state_dict(torch.load(backbone.weights, map_location="cpu", weights_only=True))
        model.fc = nn.Identity()
        size, (mean, std) = 224, imagenet_stats
    else:
        overlay = {"file": str(backbone.weights)}
        model = timm.create_model(
            backbone.arch, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
        )
        config = timm.data.resolve_model_data_config(model)
        size, mean, std = config["input_size"][-1], config["mean"], config["std"]
    model.eval()
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))

    def run(batch: Any) -> Any:
        with torch.no_grad():
            return model((torch.from_numpy(batch) - shift) / scale).flatten(1).numpy().astype(np.float32)

    return Preprocess((3, size, size), (size, size), "squish"), run
