"""Weights from a file, through timm's own loading path; what is no such file is refused in a sentence."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision

from fastclf.errors import WeightsError
from fastclf.training import build_dls, build_learner
from fastclf.training.network import read_normalisation

from .tiny import ARCH, build, write_weights

pytestmark = pytest.mark.slow


def _state(arch: str = ARCH) -> dict[str, Any]:
    torch.manual_seed(1)
    return dict(timm.create_model(arch, pretrained=False).state_dict())


def _learn(data: Any, arch: str, file: Path, size: int = 32) -> Any:
    return build_learner(build_dls(data, size), arch, weights=file)


def _check_same(learn: Any, state: dict[str, Any]) -> None:
    body = learn.model[0].state_dict()
    assert len(body) > 10
    for name, value in body.items():
        assert np.array_equal(value.numpy(), state[name.removeprefix("model.")].numpy()), name


@pytest.mark.parametrize("kind", ["safetensors", "pth", "wrapped", "data-parallel", "bin"])
def test_a_file_of_timms_weights_becomes_the_body(data: Any, tmp_path: Path, kind: str) -> None:
    state = _state()
    if kind == "safetensors":
        file = write_weights(tmp_path / "w.safetensors")
    else:
        file = tmp_path / ("w.bin" if kind == "bin" else "w.pth")
        parallel = {f"module.{name}": value for name, value in state.items()}
        torch.save(
            {"wrapped": {"state_dict": state, "epoch": 9}, "data-parallel": parallel}.get(kind, state), file
        )
    learn = _learn(data, ARCH, file)
    _check_same(learn, state)
    assert not next(learn.model[0].parameters()).requires_grad


def test_a_file_of_torchvisions_weights_becomes_the_body(data: Any, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = torchvision.models.resnet18(weights=None, num_classes=7)  # another number of classes is no matter
    torch.save(model.state_dict(), tmp_path / "resnet18.pth")
    learn = _learn(data, "resnet18", tmp_path / "resnet18.pth")
    body = list(learn.model[0].state_dict().values())
    whole = list(model.state_dict().values())[:-2]
    assert len(body) == len(whole)
    assert all(torch.equal(a, b) for a, b in zip(body, whole, strict=True))
    assert read_normalisation(learn)[0] == pytest.approx([0.485, 0.456, 0.406])


def test_the_normalisation_is_the_architectures(data: Any, tmp_path: Path) -> None:
    file = write_weights(tmp_path / "vit.safetensors", "vit_tiny_patch16_224")
    learn = _learn(data, "vit_tiny_patch16_224", file, 224)
    assert read_normalisation(learn) == ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    _check_same(learn, _state("vit_tiny_patch16_224"))


def test_a_file_that_is_no_usable_weights_is_a_sentence(data: Any, tmp_path: Path) -> None:
    write_weights(tmp_path / "whole.safetensors")
    torch.save(_state(), tmp_path / "whole.pth")
    cases = {"missing.pth": "There is no file of weights"}
    for kind in ("safetensors", "pth"):
        whole = (tmp_path / f"whole.{kind}").read_bytes()
        for fault, content in {
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "text": b"hello, no weights",
        }.items():
            (tmp_path / f"{fault}.{kind}").write_bytes(content)
            cases[f"{fault}.{kind}"] = "cannot be read"
    for name, value in {"list.pth": [1, 2], "numbers.pth": {"epoch": 3}}.items():
        torch.save(value, tmp_path / name)
        cases[name] = name
    for name, words in cases.items():
        with pytest.raises(WeightsError, match=words) as caught:
            build(data, weights=tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(data: Any, tmp_path: Path) -> None:
    other = write_weights(tmp_path / "other.safetensors", "test_vit")
    torch.save({f"my.{k}": v for k, v in _state().items()}, tmp_path / "renamed.pth")
    torch.save(torchvision.models.resnet34(weights=None).state_dict(), tmp_path / "resnet34.pth")
    torch.save({k: v[:1] for k, v in _state().items() if v.ndim}, tmp_path / "shapes.pth")
    for arch, name in (
        (ARCH, other.name), (ARCH, "renamed.pth"), (ARCH, "shapes.pth"), ("resnet18", "resnet34.pth"),
        ("resnet18", other.name), (ARCH, "resnet34.pth"),
    ):  # fmt: skip
        with pytest.raises(WeightsError, match=r"fit .* of the|do not fit") as caught:
            _learn(data, arch, tmp_path / name)
        assert name in str(caught.value), (arch, name)


@pytest.mark.parametrize("name", ["evil.pth", "evil.bin", "evil", "evil.tar"])
def test_a_file_with_code_in_it_is_refused_and_not_run(data: Any, tmp_path: Path, name: str) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "it ran"),))

    torch.save({"state_dict": _state(), "extra": Payload()}, tmp_path / name)
    with pytest.raises(WeightsError, match="would run code"):
        build(data, weights=tmp_path / name)
    (tmp_path / name).write_bytes(pickle.dumps(Payload()))
    with pytest.raises(WeightsError, match="would run code"):
        build(data, weights=tmp_path / name)
    assert not (tmp_path / "it ran").exists()
