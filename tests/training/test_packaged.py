"""The weights that come by pip, read by torch and run by timm: the same numbers, or a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch

from fastclf.backbone import PACKAGED, build_lite0, find_packaged, read_packaged, read_tensors
from fastclf.errors import WeightsError
from fastclf.model import open_session
from fastclf.training.network.weights import check_answers, load_packaged, read_packaged_state

from ..drawing import draw_scene

pytestmark = pytest.mark.slow


@pytest.fixture
def network() -> Any:
    """timm's network with the packaged weights."""
    network = timm.create_model(PACKAGED.arch, pretrained=False)
    network.load_state_dict(read_packaged_state(PACKAGED.arch))
    return network.eval()


def test_the_file_is_read_as_torch_reads_it() -> None:
    found = read_tensors(find_packaged())
    expected = torch.load(find_packaged(), weights_only=True)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.numpy().dtype, name
        assert np.array_equal(found[name], value.numpy()), name


@pytest.mark.parametrize("size", [(64, 64), (97, 130), (224, 224)])
def test_timms_network_gives_the_packaged_graphs_maps(network: Any, size: tuple[int, int]) -> None:
    scenes = [np.asarray(draw_scene(f"s{i}", size[::-1]), np.float32) / 255 for i in range(3)]
    batch = np.stack(scenes).transpose(0, 3, 1, 2)
    session = open_session(build_lite0(read_packaged(), size).SerializeToString())
    maps, features = session.run(["maps", "features"], {"image": np.ascontiguousarray(batch)})
    with torch.no_grad():
        expected = network.forward_features(torch.from_numpy((batch - 0.5) / 0.5))
        pooled = network.forward_head(expected, pre_logits=True)
    assert np.abs(maps - expected.numpy()).max() < 1e-3
    assert np.abs(features - pooled.numpy()).max() < 1e-3
    assert np.ptp(pooled.numpy(), axis=0).max() > 0.1


class _Body(torch.nn.Module):
    """A body as fastai makes it of timm's network."""

    def __init__(self) -> None:
        super().__init__()
        self.model = timm.create_model(PACKAGED.arch, pretrained=False, num_classes=0, global_pool="")

    def forward(self, image: Any) -> Any:
        return self.model(image)


@pytest.mark.parametrize("kind", ["weight", "running_mean", "bias"])
def test_tensors_of_equal_shape_that_were_swapped_are_noticed(kind: str) -> None:
    body = _Body().train()
    load_packaged(body)
    check_answers(body)
    assert body.training
    state = body.state_dict()
    first, second = next(
        (a, b)
        for a in state
        for b in state
        if a < b and a.endswith(f".{kind}") and b.endswith(f".{kind}") and state[a].shape == state[b].shape
        and not torch.equal(state[a], state[b])
    )  # fmt: skip
    body.load_state_dict({**state, first: state[second].clone(), second: state[first].clone()})
    with pytest.raises(WeightsError, match="answers otherwise than it should"):
        check_answers(body)


def test_another_order_of_layers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    assert read_packaged_state("resnet18") is None
    monkeypatch.setattr(timm, "create_model", lambda _: create("test_resnet"))
    with pytest.raises(WeightsError, match="do not fit the tf_efficientnet_lite0 of timm"):
        read_packaged_state(PACKAGED.arch)
