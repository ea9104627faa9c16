"""Every architecture on the list is built, exported and compared; what the list promises of it holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision

from fastclf import Predictor
from fastclf.catalog import load_dataset
from fastclf.errors import UsageError
from fastclf.metrics import compute_softmax
from fastclf.model import DEFAULT_PRETRAINED, ArchFacts, Latency, LatencyBook, list_archs
from fastclf.model.archs import TIMM
from fastclf.photos import decode_photo
from fastclf.training import build_dls, build_frame, build_learner, export_bundle, measure_latency
from fastclf.training.export import build_blank_learner
from fastclf.training.network import resolve_arch

from .exported import draw_course_photos

pytestmark = pytest.mark.slow

# No smaller than what the body halves five times.
SIDE = 64


def _mark(facts: ArchFacts) -> Any:
    marks = [] if facts.name in (DEFAULT_PRETRAINED, "resnet18") else [pytest.mark.thorough]
    return pytest.param(facts, marks=marks, id=facts.name)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Photos with structure: on plain ones an untrained network enlarges each rounding a thousandfold."""
    return load_dataset(draw_course_photos(tmp_path_factory.mktemp("scenes") / "photos"))


@pytest.mark.parametrize("facts", [_mark(facts) for facts in list_archs()])
def test_an_exported_network_answers_like_the_learner_and_keeps_its_promises(
    facts: ArchFacts, scenes: Any, tmp_path: Path
) -> None:
    dls = build_dls(scenes, facts.fixed_size or SIDE, pretrained=False)
    learn = build_learner(dls, facts.name, pretrained=False)
    # the statistics are those of real photos, else an untrained network says nearly the same of all
    for module in learn.model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
            module.reset_running_stats()
    with torch.no_grad():
        learn.model.train()(dls.one_batch()[0])
    bundle = export_bundle(learn, scenes, tmp_path / "model", arch=facts.name)
    with learn.no_bar():
        dl = learn.dls.test_dl(list(build_frame(scenes)["file"]), bs=7, num_workers=0)
        expected = learn.get_preds(dl=dl, act=lambda logits: logits)[0].numpy()
    session = Predictor(bundle).session
    names = [output.name for output in session.get_outputs()]
    batch = bundle.preprocess.batch([decode_photo(path).image for path in build_frame(scenes)["path"]])
    answers = dict(zip(names, session.run(names, {"image": batch}), strict=True))

    # photos are told apart, else agreeing would mean nothing
    spread = float(expected.std(0).max())
    assert spread > 0.01
    assert np.abs(compute_softmax(answers["logits"]) - compute_softmax(expected)).max() <= 1e-3
    assert np.abs(answers["logits"] - expected).max() <= 1e-3 * spread
    assert bundle.manifest.parity.largest_difference <= 1e-3
    assert names == ["features", "logits", *(["maps"] if facts.maps else [])]
    if facts.maps:
        averages, features = answers["maps"].mean((2, 3)), answers["features"]
        assert np.abs(averages - features).max() <= 1e-4 * max(1, np.abs(features).max())
    assert bundle.onnx_path.stat().st_size / 1e6 == pytest.approx(facts.file_mb, rel=0.04)


@pytest.mark.parametrize("facts", list_archs(), ids=lambda facts: facts.name)
def test_the_published_network_and_its_weights_are_those_that_are_loaded(facts: ArchFacts) -> None:
    resolved = resolve_arch(facts.name)
    if facts.source == TIMM:
        assert resolved == facts.name
        network = timm.create_model(facts.name, pretrained=False)
        config = timm.models.get_pretrained_cfg(facts.name)
        assert config.tag == facts.weights
        sizes = {config.input_size[-1], (config.test_input_size or config.input_size)[-1]}
        assert facts.imagenet_size in sizes
        assert config.fixed_input_size == (facts.fixed_size is not None)
    else:
        assert not isinstance(resolved, str)
        weights = torchvision.models.get_model_weights(facts.name).DEFAULT
        network = torchvision.models.get_model(facts.name, weights=None)
        assert weights.name == facts.weights
        assert weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] == facts.imagenet
        assert weights.transforms().crop_size == [facts.imagenet_size]
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(facts.params, abs=0.1)


@pytest.mark.parametrize(
    "name", [facts.name for facts in list_archs() if facts.fixed_size], ids=lambda name: name
)
def test_another_size_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} does not take photos of 96 x 96 pixels"):
        build_blank_learner(name, 96)


def test_a_network_is_measured_and_one_that_nobody_knows_is_refused() -> None:
    latency = measure_latency("test_resnet", 64)
    assert (latency.arch, latency.size) == ("test_resnet", 64)
    assert 0 < latency.ms < 1000
    with pytest.raises(UsageError, match="Similar ones"):
        measure_latency("resnet81")


@pytest.mark.thorough
def test_a_run_that_is_broken_off_keeps_its_times_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    book, first = LatencyBook(), next(facts for facts in list_archs() if facts.name == "resnet18")
    for facts in list_archs():
        if facts.name not in ("resnet18", "resnet34"):
            book.store(Latency(facts.name, facts.fixed_size or 32, 1.0, None, "2026-01-02T03:04:05+00:00"))
    command = [sys.executable, "-m", "fastclf", "archs", "--size", "32"]
    child = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 100
    while book.find(first.name, 32) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert out == ""
    assert f"measuring {first.name} ..." in err
    assert "are kept" in err
    assert "Traceback" not in err
    kept = book.find(first.name, 32)
    assert kept
    assert kept.ms > 0
