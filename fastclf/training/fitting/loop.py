"""Fit a Learner by phases: continued after a kill, in time, with the weights of the best epoch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.fp16 import MixedPrecision
from fastai.torch_core import get_model, set_seed, to_device
from fastai.vision.all import Learner
from fastcore.imports import IN_NOTEBOOK

from ..distributed import Team
from .callbacks import EpochProgress, EpochRecord, KeepNorm, Patience, Reseed, TimeBudget
from .checkpoint import Checkpoint, CheckpointStore, State
from .phases import Phase
from .tracking import Tracker


@dataclass(frozen=True)
class Fitted:
    """What a fit did.

    Attributes
    ----------
    epochs
        A row an epoch: losses, accuracy, seconds.
    best_epoch
        The epoch, as numbered in the rows, whose weights the Learner has now; 0 is what it began with; None
        where no epoch was completed with a finite loss.
    resumed_after
        How many epochs an earlier, interrupted run had done.
    ended_by
        "schedule", "time" or "patience".
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    resumed_after: int = 0
    ended_by: str = "schedule"

    def describe(self) -> Iterator[str]:
        """Say why the training ended, and which epoch the model is of."""
        if self.ended_by == "patience":
            yield "Ended early: the last epochs brought nothing better."
        if self.best_epoch == 0:
            yield "No epoch was better than the model that it began with, so that one is kept."
        elif self.best_epoch is not None and self.best_epoch < len(self.epochs):
            yield f"The model is that of epoch {self.best_epoch}, the best of {len(self.epochs)}."


def fit(
    learn: Learner,
    phases: Sequence[Phase],
    *,
    seed: int = 0,
    deadline: float | None = None,
    patience: int | None = None,
    store: CheckpointStore | None = None,
    start_counts: bool = False,
    freeze_norm: bool = False,
    quiet: bool = False,
    cbs: Sequence[Callback] = (),
    tracker: Tracker | None = None,
    say: Callable[[str], None] | None = None,
    team: Team | None = None,
) -> Fitted:
    """Train the phases and leave the Learner with the weights of its best epoch.

    Every epoch depends on the seed and its number alone, so that a continued run ends like an unbroken one
    (with no worker processes and no deadline). The layers compute in the channels-last layout, and on a
    GPU in mixed precision.

    Parameters
    ----------
    learn
        From `build_learner`.
    phases
        From `plan_phases`.
    seed
        For order, augmentation and dropout.
    deadline
        `time.monotonic()` at which fitting must be over; the epochs are planned from the first one's time.
    patience
        Epochs without a better one after which the run ends; None waits for ever.
    store
        Where the state goes after each epoch, and where an interrupted run is continued from.
    start_counts
        Whether the weights that the Learner begins with may be the best.
    freeze_norm
        Whether batch norm keeps the statistics that it has: those of few photos are worse than ImageNet's.
    quiet
        Whether to show no progress. In a notebook it is fastai's own table, elsewhere a bar on stderr.
    cbs
        More fastai callbacks.
    tracker
        From `build_tracker`.
    say
        Called with a sentence if a run is continued.
    team
        The processes that call this together, with Learners alike; by default this one alone.
    """
    team = team or Team()
    run = _Run(
        learn=learn, phases=list(phases), seed=seed, deadline=deadline, patience=patience, store=store,
        quiet=quiet, cbs=[*cbs, *([KeepNorm()] if freeze_norm else [])], tracker=tracker, team=team,
    )  # fmt: skip
    team.fitting = True
    set_seed(seed, reproducible=True)
    with _show_progress(learn, quiet), _told_when_stopped(run):
        if run.resume() and say:
            say(f"Going on after epoch {len(run.record.epochs)} of a run that was interrupted.")
        if start_counts and not run.resumed_after:
            run.record.keep_start(learn, team)
        run.finish()
    team.fitting = False
    best = run.record.best
    if best:
        get_model(learn.model).load_state_dict(best["model"])
    learn.model.to(memory_format=torch.contiguous_format)
    return Fitted(run.record.epochs, best.get("epoch"), run.resumed_after, run.ended_by)


@dataclass(kw_only=True)
class _Run:
    """The state of a fit, which a checkpoint restores."""

    learn: Learner
    phases: list[Phase]
    seed: int
    deadline: float | None
    patience: int | None
    store: CheckpointStore | None
    quiet: bool
    cbs: list[Callback]
    tracker: Tracker | None
    team: Team
    record: EpochRecord = field(default_factory=EpochRecord)
    phase: int = 0
    epochs_done: int = 0
    resumed_after: int = 0
    ended_by: str = "schedule"
    state: State | None = None

    @property
    def total(self) -> int:
        """How many epochs all phases have."""
        return sum(phase.epochs for phase in self.phases)

    def resume(self) -> bool:
        """Take over what an interrupted run left; return whether there was something."""
        self.state = self.team.agree(self.store.load() if self.store else None)
        if self.state is None:
            return False
        self.record = EpochRecord(self.state["rows"], self.state["best"])
        self.phase, self.epochs_done = self.state["phase"], self.state["epochs_done"]
        self.resumed_after = len(self.record.epochs)
        self.phases[self.phase] = replace(self.phases[self.phase], epochs=self.state["epochs_planned"])
        return True

    def finish(self) -> None:
        """Train what is left."""
        while self.phase < len(self.phases) and self.ended_by == "schedule":
            phase = self.phases[self.phase]
            phase.prepare(self.learn)
            if self.state is not None:
                self._restore(self.state)
            if self.patience and self.record.epochs and self.record.waited >= self.patience:
                self.ended_by = "patience"
            elif self.epochs_done < phase.epochs:
                self._train(phase)
            self.state, self.epochs_done = None, 0
            self.phase += 1

    def _build_progress(self) -> EpochProgress:
        before = sum(phase.epochs for phase in self.phases[: self.phase])
        after = sum(phase.epochs for phase in self.phases[self.phase + 1 :])
        return EpochProgress(self.quiet or IN_NOTEBOOK, before, after)

    def _restore(self, state: State) -> None:
        get_model(self.learn.model).load_state_dict(state["model"])
        device = self.learn.dls.device
        self.learn.model.to(device)
        self.learn.opt.load_state_dict(to_device(state["opt"], device))

    def _train(self, phase: Phase) -> None:
        self.record.phase = phase.name
        reseed = Reseed(self.seed, self.phase, self.team.rank)
        bar = self._build_progress()
        cbs = [reseed, self.record, bar, *self.cbs]
        cbs += build_device_callbacks(self.learn)
        if self.team.size > 1:
            from ..distributed import InStep  # what it is made of needs accelerate

            cbs.append(InStep(self.team))
        cbs += self.tracker.build(phase.name, len(self.record.epochs)) if self.tracker else []
        budget = None if self.deadline is None else TimeBudget(self.deadline, self.team)
        stop = Patience(self.patience, self.record) if self.patience else None
        cbs += [cb for cb in (budget, stop) if cb]
        if self.store:
            cbs.append(Checkpoint(self.store, self.phase, self.record))
        if self.state:
            cbs.append(_Restore(self.state, self.epochs_done))
        try:
            phase.fit(self.learn, cbs, self.epochs_done)
        finally:
            bar.close()
        if stop and stop.stopped:
            self.ended_by = "patience"
        elif budget and budget.stopped_early:
            self.ended_by = "time"


@contextlib.contextmanager
def _told_when_stopped(run: _Run) -> Iterator[None]:
    """Say in an interrupt how far the run came, and whether it goes on from there."""
    try:
        yield
    except KeyboardInterrupt:
        done = max(run.store.epochs, run.resumed_after) if run.store else 0
        if not done:
            raise KeyboardInterrupt(
                "Stopped before an epoch was kept; the same command begins again."
            ) from None
        raise KeyboardInterrupt(
            f"Stopped after epoch {done} of {run.total}; the same command goes on."
        ) from None


@contextlib.contextmanager
def _show_progress(learn: Learner, quiet: bool) -> Iterator[None]:
    """Leave fastai's bar and table on in a notebook, and off elsewhere."""
    if IN_NOTEBOOK and not quiet:
        yield
        return
    with learn.no_bar(), learn.no_logging():
        yield


class _Restore(Callback):
    """Give the running mean of the loss, mixed precision's scale and the step the values that they had."""

    order = 55

    def __init__(self, state: State, epochs_done: int) -> None:
        self.state, self.epochs_done = state, epochs_done

    def before_fit(self) -> None:
        smooth = self.recorder.smooth_loss
        smooth.count, smooth.val = self.state["smooth"]["count"], self.state["smooth"]["val"]
        self.learn.train_iter = self.epochs_done * len(self.dls.train)
        if getattr(self.learn, "scaler", None) is not None and self.state["scaler"]:
            self.learn.scaler.load_state_dict(self.state["scaler"])


def build_device_callbacks(learn: Learner) -> list[Callback]:
    """Return what makes the Learner's device faster: channels-last, and on a CUDA GPU mixed precision.

    On a CPU a step in the channels-last layout takes 0.6 to 1.0 times as long (`benchmarks/README.md`), while
    bfloat16 is emulated on most of them.
    """
    return [ChannelsLast(), MixedPrecision()] if learn.dls.device.type == "cuda" else [ChannelsLast()]
