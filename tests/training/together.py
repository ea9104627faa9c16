"""Fit a saved Learner, alone or with the processes that this one was started with, and write what happened."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.torch_core import get_model

from fastclf.cli import main
from fastclf.training import fit, plan_phases
from fastclf.training.distributed import Team, join_team


class Capture(Callback):
    """Keep the photos of every training step, the first gradients of each phase, and a random number."""

    order = 90

    def __init__(self) -> None:
        self.steps: list[list[float]] = []
        self.gradients: list[dict[str, torch.Tensor]] = []
        self.drawn: list[float] = []
        self.fresh = False

    def before_fit(self) -> None:
        self.fresh = True

    def before_train(self) -> None:
        self.drawn.append(float(torch.rand(1)))

    def before_step(self) -> None:
        self.steps.append(self.xb[0].double().flatten(1).sum(1).tolist())
        if self.fresh:
            named = get_model(self.learn.model).named_parameters()
            found = {name: p.grad.clone() for name, p in named if p.grad is not None and p.requires_grad}
            self.gradients.append(found)
            self.fresh = False


def run_fit(path: Path, team: Team) -> dict[str, Any]:
    """Fit the head, then all layers; what the processes have in common and what each has alone."""
    learn = torch.load(path, weights_only=False)
    capture = Capture()
    fitted = fit(
        learn, plan_phases(2, lr=2e-3), seed=3, cbs=[capture], start_counts=True, quiet=True, team=team
    )
    weights = {k: v.clone() for k, v in learn.model.state_dict().items()}
    return {
        "gradients": capture.gradients,
        "weights": weights,
        "best_epoch": fitted.best_epoch,
        "steps": team.gather(capture.steps),
        "drawn": team.gather(capture.drawn),
        "all_rows": team.gather([_strip(row) for row in fitted.epochs]),
    }


class End(Callback):
    """For one process, time is over in the second epoch."""

    def __init__(self, process: bool) -> None:
        self.process = process

    def before_epoch(self) -> None:
        if self.process and self.epoch == 1:
            self.learn.time_budget.deadline = time.monotonic()


def run_until(path: Path, team: Team, rank: int) -> list[int]:
    """Fit until the time of one process is over; the others have all the time of the world."""
    learn = torch.load(path, weights_only=False)
    options: dict[str, Any] = {"deadline": time.monotonic() + 10_000, "cbs": [End(team.rank == rank)]}
    phases = plan_phases(3, pretrained=False, lr=1e-3)
    return team.gather(len(fit(learn, phases, quiet=True, team=team, **options).epochs))


def _strip(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k != "seconds"}


def run_command(*arguments: object) -> int | str | None:
    """Run the command as both processes do; return the code that it ends with."""
    sys.argv = ["fastclf", *map(str, arguments)]
    try:
        main()
    except SystemExit as e:
        return e.code
    return None


if __name__ == "__main__":
    learner, out, photos = map(Path, sys.argv[1:])
    code = run_command("train", photos, "--out", out.with_name("model"), "--no-pretrained", "--arch=resnet81")
    team = join_team()
    result = {
        **run_fit(learner, team),
        "epochs_in_time": [run_until(learner, team, rank) for rank in (0, 1)],
        "exit_codes": team.gather(code),
    }
    if team.is_first:
        torch.save(result, out)
