"""Training with two processes for real, started by `accelerate launch` and `torchrun` on the CPU."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from fastclf import ModelBundle, Predictor
from fastclf.errors import FastclfError
from fastclf.metrics import compute_softmax

from ..conftest import ROOT
from ..drawing import draw_photos

pytestmark = pytest.mark.slow

OPTIONS: dict[str, Any] = {
    "pretrained": False, "arch": "test_resnet", "size": 32, "epochs": 6, "batch_size": 15, "lr": 0.01,
    "patience": 99,
}  # fmt: skip
FLAGS = [
    "--no-pretrained", "--arch=test_resnet", "--size=32", "--epochs=6", "--batch-size=15", "--lr=0.01",
    "--patience=99", "--json",
]  # fmt: skip


ACCELERATE = (
    "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
    "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no",
)  # fmt: skip
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2")


def start(launcher: tuple[str, ...], *command: object, cwd: Path) -> subprocess.Popen[str]:
    """Start two processes as a user does; the launcher finds a free port."""
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, *map(str, command)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str], timeout: float = 550) -> SimpleNamespace:
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    finally:
        kill(process)
    return SimpleNamespace(rc=process.returncode, stdout=stdout, stderr=stderr)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill the launcher and what it started; the latter have sessions of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The same Learner without batch norm, fitted by one process and by two."""
    import torch
    from torch import nn

    from fastclf.training import build_dls, build_learner, load_data

    from .together import run_fit

    folder = tmp_path_factory.mktemp("together")
    data = load_data(draw_photos(folder / "photos", per_class=12))
    frame = data.frame.copy()
    # 11 = 5 + 5 + 1: of the last validation batch, the first process has nothing
    frame["split"] = ["valid"] * 11 + ["train"] * (len(frame) - 11)
    frame["is_valid"] = frame["split"] == "valid"
    data = dataclasses.replace(data, frame=frame)
    dls = build_dls(data, 32, augment="none", pretrained=False, batch_size=5)
    learn = build_learner(dls, "test_convnext", pretrained=False, dropout=0)
    head = learn.model[1]
    for name, layer in list(head.named_children()):
        if isinstance(layer, nn.BatchNorm1d):
            setattr(head, name, nn.Identity())
    learn.opt = None
    torch.save(learn, folder / "learn.pt")
    from fastclf.training.distributed import Team

    one = run_fit(folder / "learn.pt", Team())
    script = Path(__file__).with_name("together.py")
    done = finish(
        start(TORCHRUN, script, folder / "learn.pt", folder / "two.pt", folder / "photos", cwd=ROOT)
    )
    assert done.rc == 0, done.stderr
    two = torch.load(folder / "two.pt", weights_only=False)
    return SimpleNamespace(one=one, two=two, stderr=done.stderr, folder=folder)


def test_two_processes_take_parts_of_the_batches_of_one(fits: SimpleNamespace) -> None:
    ours = [a + b for a, b in zip(*fits.two["steps"], strict=True)]
    assert ours == fits.one["steps"][0]
    assert {(len(a), len(b)) for a, b in zip(*fits.two["steps"], strict=True)} == {(2, 3)}


def test_gradients_agree_with_one_process(fits: SimpleNamespace) -> None:
    assert len(fits.one["gradients"]) == 2
    first, second = (
        [{k: v.numpy() for k, v in phase.items()} for phase in fit["gradients"]]
        for fit in (fits.one, fits.two)
    )
    assert first[0].keys() == second[0].keys() < first[1].keys() == second[1].keys()
    for name, expected in first[0].items():
        difference = np.abs(second[0][name] - expected).max()
        assert difference <= 1e-5 * np.abs(expected).max(), name
    for name, expected in first[1].items():
        # after an epoch of the head
        difference = np.abs(second[1][name] - expected).max()
        assert difference <= 1e-3 * np.abs(expected).max() + 1e-7, name


def test_weights_agree_with_one_process_after_all_epochs(fits: SimpleNamespace) -> None:
    for name, expected in fits.one["weights"].items():
        assert np.allclose(fits.two["weights"][name], expected, atol=1e-4, rtol=1e-3), name


def test_losses_and_accuracy_are_those_of_one_process_and_the_same_in_both(fits: SimpleNamespace) -> None:
    assert fits.two["best_epoch"] == fits.one["best_epoch"]
    assert fits.two["all_rows"][0] == fits.two["all_rows"][1]
    for ours, expected in zip(fits.two["all_rows"][0], fits.one["all_rows"][0], strict=True):
        assert ours["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-6)
        assert ours["valid_loss"] == pytest.approx(expected["valid_loss"], rel=1e-4)
        assert ours["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-4)
    assert 0 < fits.one["all_rows"][0][0]["accuracy"] < 1


def test_processes_augment_each_in_its_own_way(fits: SimpleNamespace) -> None:
    first, second = fits.two["drawn"]
    assert first == fits.one["drawn"][0]
    assert not set(first) & set(second)


def test_the_first_process_says_when_time_is_over(fits: SimpleNamespace) -> None:
    assert fits.two["epochs_in_time"] == [[1, 1], [3, 3]]


def test_an_error_is_one_sentence_and_lets_the_other_process_go(fits: SimpleNamespace) -> None:
    assert fits.stderr.count("fastclf: There is no architecture 'resnet81'") == 1
    assert "Traceback" not in fits.stderr
    assert fits.two["exit_codes"] == [2, None]
    assert not (fits.folder / "model").exists()


def test_a_killed_run_goes_on_with_two_processes_to_one_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastclf.training import train
    from fastclf.training.fitting import CheckpointStore

    draw_photos(tmp_path / "photos", per_class=20)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as dying:
        save = CheckpointStore.save
        dying.setattr(CheckpointStore, "save", lambda store, state: (save(store, state), sys.exit("killed")))
        with pytest.raises(SystemExit):
            train("photos", quiet=True, **OPTIONS)
    assert (tmp_path / ".model-training" / "checkpoint.pt").exists()
    assert not (tmp_path / "model").exists()

    done = finish(start(ACCELERATE, "-m", "fastclf", "train", "photos", *FLAGS, cwd=tmp_path))
    assert done.rc == 0, done.stderr
    assert "Going on after epoch 1 " in done.stderr
    manifest = json.loads(done.stdout)
    training = manifest["training"]
    assert training["processes"] == 2
    assert training["resumed_after"] == 1
    assert [row["epoch"] for row in training["epochs"]] == list(range(1, 7))
    check_one_of_each(tmp_path, done.stderr)
    check_metrics(ModelBundle.load(tmp_path / "model"), tmp_path / "photos")


def check_one_of_each(folder: Path, stderr: str) -> None:
    """One process spoke, wrote the catalog and the bundle, and cleaned up."""
    assert sorted(p.name for p in folder.iterdir()) == ["model", "photos"]
    assert len(list((folder / "photos").rglob("catalog.sqlite"))) == 1
    assert "Traceback" not in stderr
    for words in (
        "Loading fastai",
        "60 photos of 3 classes",
        "2 processes train together",
        "The model is in",
    ):
        assert stderr.count(words) == 1
    assert stderr.count("epoch 6/6") == 1


def check_metrics(bundle: ModelBundle, photos: Path) -> None:
    """The best epoch's row says what the exported model reaches on the validation photos."""
    from fastclf.photos import decode_photo
    from fastclf.system import hash_file

    labels = {row.sha256: row.label for row in bundle.read_photos() if row.split == "valid"}
    valid = [(p, labels[h]) for p in sorted(photos.glob("*/*.png")) if (h := hash_file(p)) in labels]
    predictor = Predictor(bundle)
    logits, _ = predictor.run(predictor.preprocess.batch([decode_photo(p).image for p, _ in valid]))
    truth = np.array([bundle.vocab.index(label) for _, label in valid])
    training = bundle.manifest.training.to_dict()
    row = training["epochs"][training["best_epoch"] - 1]
    assert row["accuracy"] == pytest.approx((logits.argmax(1) == truth).mean(), abs=1e-6)
    loss = -np.log(compute_softmax(logits)[np.arange(len(truth)), truth]).mean()
    assert row["valid_loss"] == pytest.approx(loss, abs=1e-4)
    assert bundle.manifest.metrics.valid["n"] == len(valid)


def test_other_processes_obey_the_first_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from fastclf import training
    from fastclf.cli import main

    def follow() -> None:
        raise FastclfError("The first process of this training has ended.")

    monkeypatch.setattr(training, "follow", follow)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for arguments, code in ((["train", "no-such-thing", "--epochs=many"], 1), (["predict"], 2)):
        monkeypatch.setattr(sys, "argv", ["fastclf", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
        assert ("Missing argument" in capfd.readouterr().err) == (arguments[0] != "train")


def test_one_process_trains_without_accelerate(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastclf.training import train

    monkeypatch.setitem(sys.modules, "accelerate", None)  # importing it is an ImportError now
    bundle = train(photo_folder, tmp_path / "model", quiet=True, **OPTIONS | {"epochs": 1})
    assert bundle.manifest.training.more["processes"] == 1


def test_synchronised_batch_norm_keeps_activations_and_is_undone() -> None:
    import timm
    import torch

    from fastclf.training.distributed.sharding import put_back, sync_batch_norm

    model = timm.create_model("test_efficientnet", pretrained=False).eval()
    kinds = [type(m) for m in model.modules()]
    batch = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = model(batch)
        found = sync_batch_norm(model)
        changed = [m for m in model.modules() if isinstance(m, torch.nn.SyncBatchNorm)]
        assert len(changed) == len(found) > 0
        assert torch.allclose(model(batch), expected, atol=1e-6)
        changed[0].running_mean += 1
        learned = model(batch)
        put_back(found)
        assert [type(m) for m in model.modules()] == kinds
        assert torch.allclose(model(batch), learned, atol=1e-6)
        assert not torch.allclose(learned, expected, atol=1e-3)
