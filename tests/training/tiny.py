"""A network that trains in a second, and weights for it that no network has to bring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

ARCH, SIZE = "test_resnet", 32


def write_weights(path: Path, arch: str = ARCH, seed: int = 1) -> Path:
    """Write a timm network's own state dict, as its makers publish it."""
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    save_file(timm.create_model(arch, pretrained=False).state_dict(), path)
    return path


def build(data: Any, *, weights: Path | None = None, seed: int = 0, **changes: Any) -> Any:
    """Build a Learner of drawn photos, from scratch or from a file."""
    from fastclf.training import build_dls, build_learner

    learned = weights is not None
    options = {"pretrained": learned, "batch_size": 8, "seed": seed, **changes}
    dls = build_dls(data, SIZE, **options)
    return build_learner(dls, ARCH, pretrained=learned, weights=weights, seed=seed)


def prepare(folder: Path, out: Path, *, said: list[str] | None = None, **options: Any) -> Any:
    """Return a training of all layers up to its first epoch."""
    import pytest

    from fastclf.training import train, tuning

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "fine_tune", tuning.FineTuning)
        say = [].append if said is None else said.append
        run: Any = train(folder, out, say=say, quiet=True, **{"mode": "fine-tune", **options})
    run.prepare()
    return run


def read_state(learn: Any) -> dict[str, Any]:
    """Return a copy of a Learner's weights as arrays."""
    return {name: value.detach().cpu().numpy().copy() for name, value in learn.model.state_dict().items()}


def as_flags(options: dict[str, Any]) -> list[str]:
    """Return the options of a training as the command takes them."""
    flags = {name.replace("_", "-"): value for name, value in options.items()}
    return [f"--no-{name}" if value is False else f"--{name}={value}" for name, value in flags.items()]


def on(order: int = 90, **events: Callable[[Any], object]) -> Any:
    """Return a fastai callback that calls functions at its events, with itself."""
    from fastai.callback.core import Callback

    return type("On", (Callback,), {"order": order, **events})()


class Killed(BaseException):
    """The process would be gone here."""


def kill_after(epoch: int, order: int = 95) -> Any:
    """Return a callback that ends the run after so many epochs, by default behind their checkpoint."""
    done: list[int] = []

    def after_epoch(callback: Any) -> None:
        done.extend([1] * (len(callback.learn.recorder.log) == 5))
        if len(done) == epoch:
            raise Killed

    return on(order, after_epoch=after_epoch)
