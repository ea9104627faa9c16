"""Training with two processes for real, started by `accelerate launch` and `torchrun` on the CPU."""

from __future__ import annotations

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
import timm
import torch
from torch import nn

from fastclf import ModelBundle, Predictor, training
from fastclf.catalog import load_dataset
from fastclf.cli import main
from fastclf.errors import FastclfError
from fastclf.metrics import compute_softmax
from fastclf.photos import decode_photo
from fastclf.system import hash_file
from fastclf.training import build_dls, build_learner, train
from fastclf.training.distributed import Team
from fastclf.training.distributed.sharding import put_back, sync_batch_norm
from fastclf.training.fitting import CheckpointStore

from ..conftest import ROOT, Once
from ..drawing import draw_photos
from .tiny import as_flags
from .together import run_fit

pytestmark = pytest.mark.slow

OPTIONS: dict[str, Any] = {
    "pretrained": False, "arch": "test_resnet", "size": 32, "epochs": 6, "batch_size": 15, "lr": 0.01,
    "patience": 99,
}  # fmt: skip
ACCELERATE = (
    "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
    "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no",
)  # fmt: skip
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node", "2")


def launch(launcher: tuple[str, ...], *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run two processes as a user does, and leave none behind; the launcher finds a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", *launcher, *map(str, command)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        stdout, stderr = process.communicate(timeout=550)
    except BaseException:
        # what the launcher started has a session of its own
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.kill()
        raise
    assert process.returncode == 0, stderr
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def save_learner(folder: Path) -> Path:
    """Save a Learner without batch norm, which on CPUs looks at each process's part of the batch alone."""
    data = load_dataset(draw_photos(folder / "photos", per_class=12))
    # 11 = 5 + 5 + 1: of the last validation batch, the first process has nothing
    splits = ["valid"] * 11 + ["train"] * (len(data.rows) - 11)
    rows = tuple(dataclasses.replace(r, split=s) for r, s in zip(data.rows, splits, strict=True))
    dls = build_dls(
        dataclasses.replace(data, rows=rows),
        32,
        resize="squish",
        augment="none",
        pretrained=False,
        batch_size=5,
    )
    learn = build_learner(dls, "test_convnext", pretrained=False, dropout=0)
    head = learn.model[1]
    for name, layer in list(head.named_children()):
        if isinstance(layer, nn.BatchNorm1d):
            setattr(head, name, nn.Identity())
    learn.opt = None
    torch.save(learn, folder / "learn.pt")
    return folder / "learn.pt"


@pytest.fixture(scope="session")
def fits(once: Once) -> SimpleNamespace:
    """What one process and two make of the same Learner, and of a wrong command before."""

    def fit_twice(folder: Path) -> str:
        torch.save(run_fit(save_learner(folder), Team()), folder / "one.pt")
        launch(TORCHRUN, "--module", "tests.training.together", folder, cwd=ROOT)
        return str(folder)

    folder = Path(once("together", fit_twice))
    one, two = (torch.load(folder / name, weights_only=False) for name in ("one.pt", "two.pt"))
    return SimpleNamespace(one=one, two=two, folder=folder)


def test_two_processes_make_the_steps_of_one(fits: SimpleNamespace) -> None:
    parts = list(zip(*fits.two["steps"], strict=True))
    assert [a + b for a, b in parts] == fits.one["steps"][0]
    assert {(len(a), len(b)) for a, b in parts} == {(2, 3)}
    (head, whole), (our_head, our_whole) = (fit["gradients"] for fit in (fits.one, fits.two))
    assert head.keys() == our_head.keys() < whole.keys() == our_whole.keys()
    for name, expected in head.items():
        assert (our_head[name] - expected).abs().max() <= 1e-5 * expected.abs().max(), name
    for name, expected in whole.items():  # after an epoch of the head
        assert (our_whole[name] - expected).abs().max() <= 1e-3 * expected.abs().max() + 1e-7, name
    for name, expected in fits.one["weights"].items():  # after all epochs
        assert torch.allclose(fits.two["weights"][name], expected, atol=1e-4, rtol=1e-3), name


def test_losses_and_accuracy_are_those_of_one_process_and_the_same_in_both(fits: SimpleNamespace) -> None:
    assert fits.two["best_epoch"] == fits.one["best_epoch"]
    rows, our_rows = fits.one["all_rows"][0], fits.two["all_rows"]
    assert our_rows[0] == our_rows[1]
    for ours, expected in zip(our_rows[0], rows, strict=True):
        assert ours["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-6)
        for name in ("train_loss", "valid_loss"):
            assert ours[name] == pytest.approx(expected[name], rel=1e-4)
    assert 0 < rows[0]["accuracy"] < 1


def test_each_process_augments_in_its_own_way_and_the_first_ones_clock_counts(fits: SimpleNamespace) -> None:
    first, second = fits.two["drawn"]
    assert first == fits.one["drawn"][0]
    assert not set(first) & set(second)
    assert fits.two["epochs_in_time"] == [[1, 1], [3, 3]]


def test_an_error_is_one_sentence_and_lets_the_other_process_go(fits: SimpleNamespace) -> None:
    first, second = fits.two["failed"]
    assert first[0] == 2
    assert first[1].count("fastclf: There is no architecture 'resnet81'") == 1
    assert "Traceback" not in first[1]
    assert second == (0, "")
    assert not (fits.folder / "model").exists()


# two processes that begin together are run each time, and so is one that is killed
@pytest.mark.thorough
def test_a_killed_run_goes_on_with_two_processes_to_one_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_photos(tmp_path / "photos", per_class=20)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as dying:
        save = CheckpointStore.save
        dying.setattr(CheckpointStore, "save", lambda store, state: (save(store, state), sys.exit("killed")))
        with pytest.raises(SystemExit):
            train("photos", quiet=True, **OPTIONS)
    assert (tmp_path / ".model-training" / "checkpoint.pt").exists()
    assert not (tmp_path / "model").exists()

    done = launch(ACCELERATE, "-m", "fastclf", "train", "photos", *as_flags(OPTIONS), "--json", cwd=tmp_path)
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
        "2 processes train",
        "The model is",
        "epoch 6/6",
    ):
        assert stderr.count(words) == 1


def check_metrics(bundle: ModelBundle, photos: Path) -> None:
    """The best epoch's row says what the exported model reaches on the validation photos."""
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
    monkeypatch.setitem(sys.modules, "accelerate", None)  # importing it is an ImportError now
    bundle = train(photo_folder, tmp_path / "model", quiet=True, **OPTIONS | {"epochs": 1})
    assert bundle.manifest.training.more["processes"] == 1


def test_synchronised_batch_norm_keeps_activations_and_is_undone() -> None:
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
