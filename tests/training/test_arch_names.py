"""Names of architectures and their weights are judged before anything slow is imported or fetched."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import timm
import torchvision

from fastclf.backbone import CACHE, PACKAGE, find_weights
from fastclf.errors import UsageError, WeightsError
from fastclf.training import train
from fastclf.training.arch_names import check_arch_name, find_libraries

from ..drawing import draw_photos


def test_every_name_that_the_libraries_list_is_known() -> None:
    assert all("timm" in find_libraries(name) for name in timm.list_models())
    named = torchvision.models.list_models(module=torchvision.models)
    assert all("torchvision" in find_libraries(name) for name in named)
    check_arch_name("resnet50.a1_in1k")


def test_an_unknown_name_is_refused_with_three_others(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no architecture 'resnet19'") as e:
        train(draw_photos(tmp_path / "photos", 2), tmp_path / "model", arch="resnet19")
    similar = str(e.value).partition("Similar ones: ")[2].rstrip(".").split(", ")
    assert len(set(similar)) == 3


def test_weights_that_nobody_can_fetch_are_refused_before_photos_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no way out")

    for name in ("XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(WeightsError, match=r"resnet18 are not on this machine.*no way out"):
        train(draw_photos(tmp_path / "photos", 2), tmp_path / "model", arch="resnet18")


def test_weights_are_found_in_the_package_and_in_every_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert find_weights("tf_efficientnet_lite0") == PACKAGE
    assert [find_weights(name) for name in ("resnet18", "levit_256", "resnet34")] == [None] * 3
    body = {"arch": "resnet34", "published": True}
    files = {
        "torch/hub/checkpoints/resnet18-f37072fd.pth": "",
        "huggingface/hub/models--timm--levit_256.fb_dist_in1k/snapshots/1/model.safetensors": "",
        "fastclf/bodies/1/record.json": json.dumps(body),
        "fastclf/bodies/2/record.json": json.dumps({**body, "arch": "resnet50", "published": False}),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    found = [find_weights(name) for name in ("resnet18", "levit_256", "resnet34", "resnet50")]
    assert found == [CACHE, CACHE, CACHE, None]
    assert find_weights("levit_256", "another_tag") is None
