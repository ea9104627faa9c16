"""Several processes, one training: the first one prepares, speaks and writes; the others only fit.

`accelerate launch -m fastclf.training DIR` starts one a GPU, `torchrun --nproc_per_node 2 -m
fastclf.training DIR` also some on a CPU.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from fastai.vision.all import Learner
from torch import nn

from ...errors import FastclfError, UsageProblem
from ..fit import fit
from .team import Team, disband, is_lost

_BATCH_NORM = nn.modules.batchnorm._BatchNorm


@contextlib.contextmanager
def leading(team: Team) -> Iterator[None]:
    """Let the other processes go when the first one is done or has failed.

    Raises
    ------
    FastclfError
        If another process is gone.
    """
    if not team.is_first or team.size == 1:
        yield
        return
    team.dismissed = False
    try:
        yield
    except RuntimeError as e:
        if isinstance(e, FastclfError) or not is_lost(e):
            raise
        team.fitting = True  # nobody is left to agree with
        raise FastclfError(
            "Another process of this training has ended; its own words say why. Start the training again: it "
            "goes on after its last whole epoch."
        ) from e
    finally:
        if team.fitting:
            # they may wait at any step, and notice only that nobody is there any more
            disband()
        elif not team.dismissed:
            team.agree(None)
        team.dismissed = True


def share(team: Team, learn: Learner, settings: dict[str, Any], say: Callable[[str], None]) -> None:
    """Give the other processes the Learner and what `fit` is called with.

    Parameters
    ----------
    team
        The processes; this one is the first.
    learn
        Ready to be fitted.
    settings
        Arguments of `fit` that decide the result.
    say
        Called with sentences about the processes.

    Raises
    ------
    UsageProblem
        If a batch has too few photos, or another process cannot see the photos.
    """
    if team.size == 1:
        return
    whole = learn.dls.train.bs
    if whole < 2 * team.size:
        raise UsageProblem(
            "A batch of {photos} photos is too small for {processes} processes; each needs two photos. Start "
            "fewer processes, give a larger --batch-size, or use more photos.",
            photos=whole,
            processes=team.size,
        )
    buffer = io.BytesIO()
    torch.save(learn, buffer)
    team.agree((buffer.getvalue(), settings))
    problem = next((text for text in team.gather("") if text), None)
    if problem:
        raise UsageProblem(problem)
    say(f"{team.size} processes train together; a batch of {whole} photos is divided among them.")
    if learn.dls.device.type == "cpu" and any(isinstance(m, _BATCH_NORM) for m in learn.model.modules()):
        say("On a CPU, batch norm looks at each process's part of the batch alone.")


def follow(team: Team) -> None:
    """Fit what the first process says until it says that all is done; speak and write nothing.

    Raises
    ------
    FastclfError
        If the first process is gone.
    """
    try:
        while (job := _receive(team)) is not None:
            state, settings = job
            learn = torch.load(io.BytesIO(state), map_location=team.device, weights_only=False)
            learn.dls.to(team.device)
            problem = _find_problem(team, learn)
            if not any(team.gather(problem)):
                fit(learn, **settings, team=team, quiet=True)
    except RuntimeError as e:
        if isinstance(e, FastclfError) or not is_lost(e):
            raise
        raise FastclfError("The first process of this training has ended; its own words say why.") from e


def _receive(team: Team) -> Any:
    return team.agree(None)


def _find_problem(team: Team, learn: Learner) -> str:
    files = [*learn.dls.train_ds.items["file"], *learn.dls.valid_ds.items["file"]]
    missing = next((file for file in files if not os.access(file, os.R_OK)), None)
    if missing is None:
        return ""
    return (
        f"Process {team.rank} on {platform.node()} cannot read {Path(missing)}. All machines need the photos "
        "and their .fastclf folder at the same path; a network folder does that."
    )
