"""Fitting by phases: fastai's own schedule, the best epoch, patience, time, seeds, the finder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .tiny import build, read_state

pytestmark = pytest.mark.slow


def _equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_the_phases_are_fastais_fine_tune(data: Any, weights: Path) -> None:
    from fastai.callback.core import Callback

    from fastclf.training import plan_phases
    from fastclf.training.fitting import Reseed

    class Hypers(Callback):
        order = 90

        def __init__(self) -> None:
            self.seen: list[list[tuple[float, float]]] = []

        def after_batch(self) -> None:
            if self.training:
                self.seen.append([(h["lr"], h["mom"]) for h in self.opt.hypers])

    theirs, ours, seen = build(data, weights=weights), build(data, weights=weights), (Hypers(), Hypers())
    with theirs.no_bar(), theirs.no_logging():
        theirs.fine_tune(2, 4e-3, cbs=[seen[0], Reseed(0, 0)])
    with ours.no_bar(), ours.no_logging():
        for phase in plan_phases(2, lr=4e-3):
            phase.prepare(ours)
            phase.fit(ours, [seen[1], Reseed(0, 0)])
    assert len(seen[0].seen) == 3 * len(ours.dls.train)
    assert len(seen[0].seen[0]) > 1
    assert seen[0].seen == seen[1].seen
    assert _equal(read_state(theirs), read_state(ours))


def test_the_same_seed_gives_the_same_weights_and_another_others(data: Any) -> None:
    from fastclf.training import fit, plan_phases

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
    import torch
    from fastai.callback.core import Callback

    from fastclf.training import fit, plan_phases

    class Spoil(Callback):
        """From the fourth epoch on the network is worthless."""

        def __init__(self) -> None:
            self.states: list[dict[str, Any]] = []

        def after_train(self) -> None:
            if self.epoch >= 3:
                with torch.no_grad():
                    for p in self.learn.model[1].parameters():
                        p.zero_()

        def after_validate(self) -> None:
            self.states.append(read_state(self.learn))

    learn, spoil = build(data), Spoil()
    fitted = fit(learn, plan_phases(6, pretrained=False, lr=5e-3), patience=2, quiet=True, cbs=[spoil])
    scores = [(row["accuracy"], -row["valid_loss"]) for row in fitted.epochs]
    assert fitted.best_epoch == 1 + max(range(len(scores)), key=lambda i: scores[i])
    assert fitted.best_epoch <= 3
    assert _equal(read_state(learn), spoil.states[fitted.best_epoch - 1])
    assert fitted.ended_by == "patience"
    assert len(fitted.epochs) == max(fitted.best_epoch, 1) + 2


def test_a_loss_that_is_not_finite_never_counts(data: Any) -> None:
    from fastai.callback.core import Callback

    from fastclf.training import fit, plan_phases

    class Explode(Callback):
        def after_train(self) -> None:
            self.learn.model[1][-1].weight.data.fill_(float("nan"))

    fitted = fit(build(data), plan_phases(3, pretrained=False), patience=2, quiet=True, cbs=[Explode()])
    assert fitted.best_epoch is None
    assert fitted.ended_by == "patience"
    assert [row["valid_loss"] for row in fitted.epochs] == [None, None]


def test_time_that_runs_out_within_an_epoch_leaves_the_best_one(data: Any) -> None:
    from fastai.callback.core import Callback

    from fastclf.training import fit, plan_phases

    class Late(Callback):
        """Time is over in the middle of the second epoch."""

        def __init__(self) -> None:
            self.first: dict[str, Any] = {}

        def after_batch(self) -> None:
            if self.training and self.epoch and self.iter == 1:
                self.learn.time_budget.deadline = time.monotonic()

        def after_validate(self) -> None:
            self.first = self.first or read_state(self.learn)

    learn, late = build(data), Late()
    phases = plan_phases(100, pretrained=False, lr=5e-3)
    fitted = fit(learn, phases, deadline=time.monotonic() + 1e6, quiet=True, cbs=[late])
    assert fitted.ended_by == "time"
    assert len(fitted.epochs) == fitted.best_epoch == 1
    assert _equal(read_state(learn), late.first)


def test_weights_that_a_run_begins_with_may_stay_the_best(data: Any) -> None:
    from fastclf.training import fit, plan_phases

    learn = build(data)
    fit(learn, plan_phases(4, pretrained=False, lr=5e-3), quiet=True)
    before = read_state(learn)
    fitted = fit(learn, plan_phases(1, pretrained=False, lr=20.0), start_counts=True, quiet=True)
    assert fitted.best_epoch == 0
    assert _equal(read_state(learn), before)


def test_the_finder_changes_nothing_and_finds_the_same_again(data: Any) -> None:
    from fastclf.training import fit, plan_phases
    from fastclf.training.fitting import find_lr

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
    from fastclf.training.fitting import find_lr

    learn = build(data)
    before = read_state(learn)
    assert find_lr(learn, deadline=time.monotonic()) is None
    assert _equal(read_state(learn), before)


def test_the_layout_of_layers_suits_every_device_and_only_a_gpu_mixes_precisions() -> None:
    from types import SimpleNamespace

    import torch

    from fastclf.training.fitting import build_device_callbacks

    names = {}
    for device in ("cpu", "cuda"):
        learn = SimpleNamespace(dls=SimpleNamespace(device=torch.device(device)))
        names[device] = [type(callback).__name__ for callback in build_device_callbacks(learn)]
    assert names == {"cpu": ["ChannelsLast"], "cuda": ["ChannelsLast", "MixedPrecision"]}
