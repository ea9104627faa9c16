"""Weights from a file or the makers' own place; what is no such file, or out of reach, is a sentence."""

from __future__ import annotations

import os
import pickle
import socket
import urllib.request
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import timm
import torch
import torchvision
from torchvision.models import ResNet18_Weights

from fastclf.backbone import PACKAGED
from fastclf.errors import WeightsError
from fastclf.training import build_dls, build_learner
from fastclf.training.network import read_normalisation

from ..conftest import call_fastclf
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
            cases[f"{fault}.{kind}"] = "cannot be read|is no file of weights"
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Whom a connection was asked of and for how long, on a machine whose packets nobody answers."""
    asked: list[tuple[str, float]] = []

    def connect(address: tuple[str, int], timeout: float) -> Any:
        asked.append((address[0], timeout))
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return asked


@pytest.mark.parametrize(
    ("arch", "mirror", "host"),
    [
        ("resnet18", "", "download.pytorch.org"),
        ("vit_tiny_patch16_224", "", "huggingface.co"),
        ("vit_tiny_patch16_224", "https://mirror.example/hub", "mirror.example"),
    ],
)
def test_pretrained_weights_out_of_reach_are_soon_a_sentence_with_the_ways_on(
    arch: str, mirror: str, host: str, photo_folder: Path, tmp_path: Path, asked: list[tuple[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_ENDPOINT", mirror)
    done = call_fastclf("train", photo_folder, "--arch", arch, "--mode=head", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    words = f"weights of {arch} are not on this machine, and {host} cannot be reached ({host}: timed out)."
    assert words in done.stderr
    for way in (f"{PACKAGED.arch} brings its weights", "--weights FILE", "--no-pretrained"):
        assert way in done.stderr
    assert "Traceback" not in done.stderr
    # the loaders' own tries took minutes
    assert [name for name, _ in asked] == [host]
    assert sum(seconds for _, seconds in asked) < 5
    assert issubclass(WeightsError, RuntimeError)
    assert not (tmp_path / "model").exists()


def test_behind_a_proxy_the_proxy_is_asked_and_the_loaders_failure_is_a_sentence(
    data: Any, asked: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("proxy refused")

    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://127.0.0.1:9"})
    with pytest.raises(
        WeightsError, match=r"download.pytorch.org cannot be reached \(127.0.0.1: timed out\)"
    ):
        build_learner(build_dls(data, 32), "resnet18")
    assert [name for name, _ in asked] == ["127.0.0.1"]
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: Mock())
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(WeightsError, match=r"weights of resnet18 could not be loaded .*--no-pretrained"):
        build_learner(build_dls(data, 32), "resnet18")


def _cache_weights(arch: str, cache: Path) -> dict[str, Any]:
    """Put weights of nothing where the published ones would lie."""
    torch.manual_seed(0)
    if arch == "resnet18":
        file = cache / "torch" / "hub" / "checkpoints" / ResNet18_Weights.DEFAULT.url.rsplit("/")[-1]
        file.parent.mkdir(parents=True)
        state = torchvision.models.resnet18(weights=None).state_dict()
        torch.save(state, file)
        return dict(state)
    name = timm.models.get_pretrained_cfg(arch).hf_hub_id
    root = cache / "hub" / ("models--" + name.replace("/", "--"))
    for folder in (root / "refs", root / "snapshots" / ("0" * 40)):
        folder.mkdir(parents=True)
    (root / "refs" / "main").write_text("0" * 40)
    write_weights(root / "snapshots" / ("0" * 40) / "model.safetensors", arch)
    return _state(arch)


@pytest.mark.parametrize("arch", ["resnet18", "mobilenetv4_conv_small"])
def test_published_weights_that_were_fetched_before_are_taken_without_a_connection(
    arch: str, data: Any, tmp_path: Path, asked: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    state = _cache_weights(arch, tmp_path)
    learn = build_learner(build_dls(data, 32), arch)
    first = next(iter(learn.model[0].state_dict().values()))
    assert torch.equal(first, next(iter(state.values())))
    assert asked == []
