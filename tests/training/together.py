"""Fit a saved Learner, alone or with the processes that this one was started with, and write what happened."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.torch_core import get_model

from fastclf.training import fit, plan_phases
from fastclf.training.distributed import Team, join_team

from ..conftest import call_fastclf
from .tiny import on


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
        "all_rows": team.gather([{**row, "seconds": 0} for row in fitted.epochs]),
    }


def run_until(path: Path, team: Team, rank: int) -> list[int]:
    """Fit until the time of one process is over, in the second epoch; the others have all the time."""

    def end(callback: Any) -> None:
        if team.rank == rank and callback.epoch == 1:
            callback.learn.time_budget.deadline = time.monotonic()

    learn, phases = torch.load(path, weights_only=False), plan_phases(3, pretrained=False, lr=1e-3)
    deadline = time.monotonic() + 10_000
    fitted = fit(learn, phases, deadline=deadline, cbs=[on(before_epoch=end)], quiet=True, team=team)
    return team.gather(len(fitted.epochs))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    failed = call_fastclf("train", "photos", "--no-pretrained", "--arch=resnet81", cwd=folder)
    team = join_team()
    result = {
        **run_fit(folder / "learn.pt", team),
        "epochs_in_time": [run_until(folder / "learn.pt", team, rank) for rank in (0, 1)],
        "failed": team.gather((failed.returncode, failed.stderr)),
    }
    if team.is_first:
        torch.save(result, folder / "two.pt")
