"""A run that was killed goes on after its last whole epoch and ends as if nothing had happened."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fastclf import Catalog, ModelBundle
from fastclf.training import fit, plan_phases, train
from fastclf.training.fitting import CheckpointStore, checkpoint

from ..conftest import call_fastclf
from ..drawing import draw_photos
from .tiny import ARCH, SIZE, Killed, as_flags, build, kill_after, prepare, read_state

pytestmark = pytest.mark.slow


def _fit(data: Any, weights: Path | None, **options: Any) -> tuple[Any, Any]:
    """Fit a run of three epochs: a head and two of all layers, or all layers."""
    learn = build(data, weights=weights)
    phases = plan_phases(2, lr=5e-3) if weights else plan_phases(3, pretrained=False, lr=5e-3)
    return fit(learn, phases, quiet=True, **options), read_state(learn)


@pytest.fixture(scope="module")
def unbroken(data: Any, weights: Path) -> dict[bool, tuple[Any, Any]]:
    return {learned: _fit(data, weights if learned else None) for learned in (True, False)}


def _numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.parametrize(("learned", "epoch"), [(True, 1), (True, 2), (True, 3), (False, 2)])
def test_a_run_killed_after_any_epoch_ends_like_an_unbroken_one(
    data: Any, weights: Path, unbroken: dict[bool, Any], learned: bool, epoch: int, tmp_path: Path
) -> None:
    file, out, said = weights if learned else None, tmp_path / "model", []
    with pytest.raises(Killed):
        _fit(data, file, store=CheckpointStore(out, "run"), cbs=[kill_after(epoch)])
    fitted, state = _fit(data, file, store=CheckpointStore(out, "run"), say=said.append)
    whole, expected = unbroken[learned]
    assert fitted.resumed_after == epoch
    assert said == [f"Going on after epoch {epoch} of a run that was interrupted."]
    assert _numbers(fitted.epochs) == _numbers(whole.epochs)
    assert fitted.best_epoch == whole.best_epoch
    assert all(np.array_equal(state[name], value) for name, value in expected.items())


def test_a_run_whose_patience_was_at_its_end_trains_no_further(data: Any, tmp_path: Path) -> None:
    phases = plan_phases(9, pretrained=False, lr=1e-12)  # nothing gets better
    store = CheckpointStore(tmp_path / "model", "run")
    whole = fit(build(data), phases, patience=2, store=store, quiet=True)
    assert whole.ended_by == "patience"
    again = fit(build(data), phases, patience=2, store=CheckpointStore(tmp_path / "model", "run"), quiet=True)
    assert again.ended_by == "patience"
    assert again.epochs == whole.epochs
    assert again.best_epoch == whole.best_epoch


def _state() -> dict[str, Any]:
    return {"model": {"w": torch.arange(300.0)}, "rows": [{"epoch": 1, "loss": np.float64(0.5)}], "phase": 0}


def test_a_checkpoint_is_plain_data_of_one_run(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "model", {"seed": 0})
    store.settled["plan"] = {"size": 96}
    store.save(_state())
    kept = torch.load(store.path, weights_only=True)
    assert kept["rows"] == [{"epoch": 1, "loss": 0.5}]
    same = CheckpointStore(tmp_path / "model", {"seed": 0})
    assert same.settled == {"plan": {"size": 96}}
    assert torch.equal(same.load()["model"]["w"], torch.arange(300.0))
    other = CheckpointStore(tmp_path / "model", {"seed": 1})
    assert other.load() is None
    assert other.settled == {}
    same.clear()
    assert list(tmp_path.iterdir()) == []
    assert same.settled == {}


def test_a_damaged_or_hostile_checkpoint_is_none(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "exploded"),))

    store = CheckpointStore(tmp_path / "model", 0)
    assert store.load() is None
    store.save(_state())
    whole = store.path.read_bytes()
    rng = np.random.default_rng(0)
    for damaged in (
        *(whole[: int(n)] for n in (0, 1, 40, len(whole) // 2, len(whole) - 1)),
        *(bytes(rng.integers(0, 256, n, dtype=np.uint8)) for n in (10, 1000)),
        pickle.dumps(Bomb()), pickle.dumps({"key": store.key}), b"hello", bytes(1000),
    ):  # fmt: skip
        store.path.write_bytes(damaged)
        assert CheckpointStore(tmp_path / "model", 0).load() is None, damaged[:30]
    assert not (tmp_path / "exploded").exists()
    store.save(_state())
    assert store.load() is not None


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    store = checkpoint.CheckpointStore(tmp_path / "model", 0)
    store.save(_state())
    monkeypatch.setattr(checkpoint, "write_atomic_with", lambda _, write: write(Full()))
    store.save({**_state(), "phase": 1})
    assert "cannot be continued" in caplog.text
    assert store.load()["phase"] == 0  # what is whole stays


def _kill_at(command: list[str], cwd: Path, checkpoint: Path, epochs: int) -> str:
    """Start the command and end it with SIGKILL once its checkpoint holds so many epochs."""
    with (cwd / "stderr.txt").open("wb") as err:
        process = subprocess.Popen([sys.executable, "-m", "fastclf", *command], cwd=cwd, stderr=err)
        try:
            until = time.monotonic() + 300
            while time.monotonic() < until:
                assert process.poll() is None, (cwd / "stderr.txt").read_text()
                if checkpoint.exists() and len(torch.load(checkpoint, weights_only=True)["rows"]) >= epochs:
                    break
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    return (cwd / "stderr.txt").read_text()


def test_the_real_command_that_was_killed_ends_like_an_unbroken_one(tmp_path: Path, weights: Path) -> None:
    photos = draw_photos(tmp_path / "photos", per_class=16)
    options: dict[str, Any] = {
        "arch": ARCH, "size": SIZE, "mode": "fine-tune", "epochs": 3, "batch_size": 8, "lr": 0.005,
        "weights": str(weights),
    }  # fmt: skip
    whole = train(photos, tmp_path / "whole", quiet=True, **options)
    command = ["train", str(photos), "--out=model", "--track=csv", *as_flags(options)]
    checkpoint = tmp_path / ".model-training" / "checkpoint.pt"
    assert "Going on after epoch" not in _kill_at(command, tmp_path, checkpoint, 1)
    assert not (tmp_path / "model").exists()
    # a kill while the next state is being written leaves a part of it under another name
    (checkpoint.parent / ".checkpoint.pt.x7k2").write_bytes(b"PK\x03\x04 half of a state")
    done = call_fastclf(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model = ModelBundle.load(tmp_path / "model")
    records = [bundle.manifest.training.to_dict() for bundle in (model, whole)]
    resumed = records[0]["resumed_after"]
    assert 1 <= resumed <= 3
    assert f"Going on after epoch {resumed} " in done.stderr
    assert done.stderr.count("epoch 1/3 ") == 0
    assert model.manifest.features_id == whole.manifest.features_id
    assert model.manifest.metrics == whole.manifest.metrics
    assert _numbers(records[0]["epochs"]) == _numbers(records[1]["epochs"])
    assert records[1]["resumed_after"] == 0
    lines = (tmp_path / "model-history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["phase", "all", "all", "all"]
    beside = {p.name for p in tmp_path.iterdir() if not p.name.startswith(".model.")}
    assert beside == {"photos", "whole", "model", "model-history.csv", "stderr.txt"}


def test_another_label_or_option_is_another_run(tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos", per_class=8)

    def open_store(folder: Path = photos, **changes: Any) -> CheckpointStore:
        options = {"arch": ARCH, "size": SIZE, "pretrained": False, "epochs": 2, **changes}
        return prepare(folder, tmp_path / "model", **options).store

    store = open_store()
    store.save(_state())
    assert open_store().load() is not None
    assert open_store(title="Colours", track="csv").load() is not None
    for changes in ({"seed": 1}, {"epochs": 3}, {"lr": 0.1}, {"augment": "none"}, {"size": 48}):
        assert open_store(**changes).load() is None, changes
    moved = tmp_path / "elsewhere"
    photos.rename(moved)
    assert open_store(moved).load() is not None
    with Catalog(moved) as catalog:
        catalog.relabel(["red/000.png"], "blue")
    assert open_store(moved).load() is None
    with Catalog(moved) as catalog:
        catalog.undo()
    assert open_store(moved).load() is not None
    assert open_store(moved, restart=True).load() is None
