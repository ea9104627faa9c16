"""Fitting by phases: fastai's own schedule, the best epoch, patience, time, seeds, the finder."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fastclf.training import fit, plan_phases
from fastclf.training.fitting import Reseed, build_device_callbacks, find_lr

from .tiny import build, on, read_state

pytestmark = pytest.mark.slow


def _equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_the_phases_are_fastais_fine_tune(data: Any, weights: Path) -> None:
    def note(callback: Any) -> None:
        if callback.training:
            callback.learn.seen.append([(h["lr"], h["mom"]) for h in callback.opt.hypers])

    theirs, ours = build(data, weights=weights), build(data, weights=weights)
    theirs.seen, ours.seen = [], []
    with theirs.no_bar(), theirs.no_logging():
        theirs.fine_tune(2, 4e-3, cbs=[on(after_batch=note), Reseed(0, 0)])
    with ours.no_bar(), ours.no_logging():
        for phase in plan_phases(2, lr=4e-3):
            phase.prepare(ours)
            phase.fit(ours, [on(after_batch=note), Reseed(0, 0)])
    assert len(theirs.seen) == 3 * len(ours.dls.train)
    assert len(theirs.seen[0]) > 1
    assert theirs.seen == ours.seen
    assert _equal(read_state(theirs), read_state(ours))


def test_the_same_seed_gives_the_same_weights_and_another_others(data: Any) -> None:
    states, rows = [], []
    for seed in (0, 0, 1):
        learn = build(data, seed=seed)
        fitted = fit(learn, plan_phases(2, pretrained=False, lr=5e-3), seed=seed, quiet=True)
        states.append(read_state(learn))
        rows.append([row["valid_loss"] for row in fitted.epochs])
    assert _equal(states[0], states[1])
    assert rows[0] == rows[1]
    assert not _equal(states[0], states[2])


def test_the_model_is_that_of_the_best_epoch(data: Any) -> None:
    states: list[dict[str, Any]] = []

    def spoil(callback: Any) -> None:  # from the fourth epoch on the network is worthless
        if callback.epoch >= 3:
            with torch.no_grad():
                for p in callback.learn.model[1].parameters():
                    p.zero_()

    learn = build(data)
    cb = on(after_train=spoil, after_validate=lambda cb: states.append(read_state(cb.learn)))
    fitted = fit(learn, plan_phases(6, pretrained=False, lr=5e-3), patience=2, quiet=True, cbs=[cb])
    scores = [(row["accuracy"], -row["valid_loss"]) for row in fitted.epochs]
    assert fitted.best_epoch == 1 + max(range(len(scores)), key=lambda i: scores[i])
    assert fitted.best_epoch <= 3
    assert _equal(read_state(learn), states[fitted.best_epoch - 1])
    assert fitted.ended_by == "patience"
    assert len(fitted.epochs) == max(fitted.best_epoch, 1) + 2


def test_a_loss_that_is_not_finite_never_counts(data: Any) -> None:
    explode = on(after_train=lambda cb: cb.learn.model[1][-1].weight.data.fill_(float("nan")))
    fitted = fit(build(data), plan_phases(3, pretrained=False), patience=2, quiet=True, cbs=[explode])
    assert fitted.best_epoch is None
    assert fitted.ended_by == "patience"
    assert [row["valid_loss"] for row in fitted.epochs] == [None, None]


def test_time_that_runs_out_within_an_epoch_leaves_the_best_one(data: Any) -> None:
    states: list[dict[str, Any]] = []

    def end(callback: Any) -> None:
        if callback.training and callback.epoch and callback.iter == 1:
            callback.learn.time_budget.deadline = time.monotonic()

    learn, phases = build(data), plan_phases(100, pretrained=False, lr=5e-3)
    cb = on(after_batch=end, after_validate=lambda cb: states.append(read_state(cb.learn)))
    fitted = fit(learn, phases, deadline=time.monotonic() + 1e6, quiet=True, cbs=[cb])
    assert fitted.ended_by == "time"
    assert len(fitted.epochs) == fitted.best_epoch == 1
    assert _equal(read_state(learn), states[0])


def test_weights_that_a_run_begins_with_may_stay_the_best(data: Any) -> None:
    learn = build(data)
    fit(learn, plan_phases(4, pretrained=False, lr=5e-3), quiet=True)
    before = read_state(learn)
    fitted = fit(learn, plan_phases(1, pretrained=False, lr=20.0), start_counts=True, quiet=True)
    assert fitted.best_epoch == 0
    assert _equal(read_state(learn), before)


def test_the_finder_changes_nothing_and_finds_the_same_again(data: Any) -> None:
    found, states = [], []
    for look in (True, True, False):
        learn = build(data)
        learn.unfreeze()
        before = read_state(learn)
        if look:
            found.append(find_lr(learn, seed=3))
        assert _equal(read_state(learn), before)
        fit(learn, plan_phases(1, pretrained=False, lr=5e-3), quiet=True)
        states.append(read_state(learn))
    assert found[0] == found[1]
    assert 1e-6 < found[0] < 1
    # training afterwards is what it would have been
    assert _equal(states[0], states[2])
    assert not (data.photos.folder / "models").exists()


def test_a_finder_without_time_finds_nothing(data: Any) -> None:
    learn = build(data)
    before = read_state(learn)
    assert find_lr(learn, deadline=time.monotonic()) is None
    assert _equal(read_state(learn), before)


def test_the_layout_of_layers_suits_every_device_and_only_a_gpu_mixes_precisions() -> None:
    names = {}
    for device in ("cpu", "cuda"):
        learn = SimpleNamespace(dls=SimpleNamespace(device=torch.device(device)))
        names[device] = [type(callback).__name__ for callback in build_device_callbacks(learn)]
    assert names == {"cpu": ["ChannelsLast"], "cuda": ["ChannelsLast", "MixedPrecision"]}
