"""Which way of training is taken, what is said of it, and what a head of the packaged network does without."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastclf import ModelBundle
from fastclf.backbone import PACKAGED
from fastclf.training import run as module
from fastclf.training import train, tuning

from ..drawing import draw_photos

pytestmark = pytest.mark.slow

HEAVY = ["torch", "torchvision", "fastai", "timm", "pandas", "sklearn", "matplotlib"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of 7 training photos a class, and one of 17."""
    root = tmp_path_factory.mktemp("sizes")
    return {name: draw_photos(root / name, per_class=n) for name, n in {"few": 10, "many": 24}.items()}


@pytest.mark.parametrize(
    ("photos", "gpu", "options", "mode", "words"),
    [
        ("few", False, {}, "head", "7 training photos a class are few .* --mode fine-tune"),
        ("few", True, {}, "head", "7 training photos a class are few"),
        ("many", False, {}, "head", "there is no GPU"),
        ("many", True, {}, "fine-tune", "a GPU trains all layers quickly; --mode head"),
        # what is said is done, and a body of random weights has to learn
        ("many", True, {"mode": "head"}, "head", None),
        ("few", False, {"mode": "fine-tune"}, "fine-tune", None),
        ("few", False, {"pretrained": False}, "fine-tune", None),
    ],
)
def test_the_mode_follows_the_photos_the_device_and_the_weights(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    photos: str, gpu: bool, options: dict[str, Any], mode: str, words: str | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "finds_gpu", lambda: gpu)
    monkeypatch.setattr("fastclf.head.train_head", lambda *_, **__: "head")
    monkeypatch.setattr(tuning, "fine_tune", lambda _: "fine-tune")
    said: list[str] = []
    assert train(folders[photos], tmp_path / "model", size=64, say=said.append, **options) == mode
    reasons = [sentence for sentence in said if sentence.startswith("Mode ")]
    assert len(reasons) == (words is not None)
    assert re.search(f"Mode {mode}: .*{words}" if words else "", " ".join(said))


@pytest.mark.parametrize(
    ("driver", "fastai", "cuda", "found"),
    [
        (True, True, True, True),
        (True, True, False, False),
        (True, False, True, False),
        (False, True, True, False),
    ],
)
def test_a_gpu_counts_where_its_driver_fastai_and_torch_have_it(
    driver: bool, fastai: bool, cuda: bool, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_gpu", lambda: driver)
    monkeypatch.setattr(module, "find_spec", lambda name: fastai or None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    assert module.finds_gpu() == found


def test_a_head_of_the_packaged_network_needs_neither_torch_nor_pandas(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    code = (
        "import json, sys; from fastclf import train; said = []\n"
        "train(sys.argv[1], sys.argv[2], size=64, say=said.append, track='csv', quiet=True)\n"
        "print(json.dumps([sorted({name.split('.')[0] for name in sys.modules}), said]))"
    )
    command = [sys.executable, "-c", code, folders["few"], tmp_path / "model"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded, said = json.loads(done.stdout.splitlines()[-1])
    assert not set(HEAVY) & set(loaded)
    assert any(f"Architecture {PACKAGED.arch}" in sentence for sentence in said)
    assert any("--track csv has nothing to report" in sentence for sentence in said)
    assert any(re.search(r"all layers would take about \d+ min more here", sentence) for sentence in said)
    assert not [sentence for sentence in said if "fastai" in sentence]
    bundle = ModelBundle.load(tmp_path / "model")
    assert (bundle.manifest.arch, bundle.manifest.training.mode) == (PACKAGED.arch, "head")
    assert bundle.preprocess.input_size == (3, 64, 64)
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_the_options_of_a_head_reach_the_model(folders: dict[str, Path], tmp_path: Path) -> None:
    bundle = train(
        folders["few"], tmp_path / "model", mode="head", size=64, resize="random-crop", augment="upright", seed=3,
        title="Colours", intro="Which?", colour="#1b57b3", recipe="drawn", photo_licence="CC0", split_by="folder",
    )  # fmt: skip
    manifest = bundle.manifest
    assert (manifest.title, manifest.intro, manifest.colour) == ("Colours", "Which?", "#1b57b3")
    assert (manifest.recipe, manifest.licences.photos) == ("drawn", "CC0")
    # random crops are for training all layers
    assert bundle.preprocess.method == manifest.training.resize == "squish"
    # what goes on from here augments as was said
    assert manifest.training.augment == "upright"
    record = manifest.training.to_dict()
    assert (record["seed"], record["split_by"], record["weights"], record["from"]) == (
        3,
        "folder",
        None,
        None,
    )
    assert record["seconds"] > 0
