"""Every epoch is reported elsewhere too: CSV, TensorBoard, Weights & Biases without a network."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from fastclf.errors import MissingExtraError
from fastclf.training import fit, plan_phases, train
from fastclf.training.fitting import CheckpointStore, build_tracker

from ..drawing import draw_photos
from .tiny import ARCH, SIZE, Killed, build, kill_after, on, prepare

pytestmark = pytest.mark.slow


def _fit(data: Any, weights: Path, track: str, out: Path, **options: Any) -> list[dict[str, Any]]:
    learn = build(data, weights=weights)
    tracker = build_tracker(track, out, {"arch": "test_resnet"})
    try:
        rows = fit(learn, plan_phases(2), quiet=True, tracker=tracker, **options).epochs
    finally:
        tracker.close()
    assert not [cb for cb in learn.cbs if "Track" in repr(cb) or "History" in repr(cb)]
    return rows


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def _check_rows(found: list[dict[str, str]], rows: list[dict[str, Any]]) -> None:
    assert [r["phase"] for r in found] == ["head", "all", "all"]
    assert [r["epoch"] for r in found] == ["0", "0", "1"]
    for name in ("train_loss", "valid_loss", "accuracy"):
        assert [float(r[name]) for r in found] == pytest.approx([row[name] for row in rows])


def test_csv_has_a_row_an_epoch_of_the_last_run(data: Any, weights: Path, tmp_path: Path) -> None:
    path, seen = tmp_path / "model-history.csv", []
    look = on(before_train=lambda _: seen.append(len(path.read_text().splitlines())))
    for _ in range(2):  # a second run does not mingle with the first
        rows = _fit(data, weights, "csv", tmp_path / "model", cbs=[look])
        _check_rows(_read(path), rows)
    # a kill before a phase's first epoch loses no row
    assert seen == [1, 2, 3] * 2
    assert {p.name for p in tmp_path.iterdir()} == {path.name}


def test_csv_of_a_continued_run_has_no_row_twice(data: Any, weights: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "model-history.csv", tmp_path / "model"
    with pytest.raises(Killed):
        _fit(
            data, weights, "csv", out, store=CheckpointStore(out, "run"), cbs=[kill_after(2, order=75)]
        )  # before its checkpoint
    assert len(_read(path)) == 2
    rows = _fit(data, weights, "csv", out, store=CheckpointStore(out, "run"))
    _check_rows(_read(path), rows)


def test_tensorboard_holds_every_epochs_accuracy(data: Any, weights: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for _ in range(2):
        rows = _fit(data, weights, "tensorboard", tmp_path / "model")
    found: list[float] = []
    for phase in ("head", "all"):
        folder = tmp_path / "model-tensorboard" / phase
        assert len(list(folder.iterdir())) == 1
        events = accumulator.EventAccumulator(str(folder))
        events.Reload()
        found += [e.value for e in events.Scalars("accuracy")]
        assert len(events.Scalars("train_loss")) > 1
    assert found == pytest.approx([row["accuracy"] for row in rows])


def test_wandb_works_without_a_network_and_says_little_of_this_machine(
    data: Any, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    out = tmp_path / "models" / "model"
    try:
        prepare(
            data.photos.folder, out, arch=ARCH, size=SIZE, epochs=1, weights=str(weights), track="wandb"
        ).fit()
    finally:
        wandb.teardown()
    assert capfd.readouterr().out == ""
    assert list((tmp_path / "work").iterdir()) == []
    assert {p.name for p in out.parent.iterdir()} == {"wandb", ".model-training"}
    [log] = (tmp_path / "models" / "wandb").glob("offline-run-*/*.wandb")
    content = log.read_bytes()
    assert b"accuracy" in content
    assert b"valid_loss" in content
    assert str(weights.parent).encode() not in content


@pytest.mark.parametrize("track", ["tensorboard", "wandb"])
def test_a_tracker_that_is_not_installed_is_named_before_anything_is_read(
    track: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == track else find(name, *a)
    )
    folder = draw_photos(tmp_path / "photos", per_class=4)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[track\]"):
        train(folder, tmp_path / "model", arch="test_resnet", pretrained=False, track=track)
    assert not (folder / ".fastclf").exists()
