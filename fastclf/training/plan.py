"""What a training decides by itself, and why: mode, size, epochs, batch, in the time that there is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..photos import TRAIN, VALID
from .data import TrainingData
from .fitting import BATCH
from .network import find_fixed_size, measure_step
from .options import FINE_TUNE, HEAD, TrainOptions

Say = Callable[[str], None]

# All of these were chosen by hand.
# Seconds kept for writing and checking the bundle, besides the time that judging the photos takes.
_EXPORT_SECONDS = 25.0
_SIZES = (224, 192, 160, 128, 96, 64)
# By whether the body has learned already.
_LEAST_EPOCHS = {True: 3, False: 6}
# What a person without a GPU waits for without being asked, in seconds.
_PATIENT = 300.0
# A network's forward pass takes about this part of a training step.
_FORWARD = 0.35
# Photos a class below which all layers would learn them by heart.
_FEW = 15
_LEAST_BATCH = 8
_STEPS_AN_EPOCH = 16
# Seconds that a photo takes to be decoded and resized, and how much longer than measured all may take.
_DECODE, _RESERVE = 0.003, 1.5


@dataclass(frozen=True)
class Plan:
    """What is going to be done: as in `TrainOptions`, and nothing is None."""

    arch: str
    mode: str
    size: int
    epochs: int
    batch_size: int


def make_plan(
    data: TrainingData, options: TrainOptions, arch: str, size: int | None, started: float, say: Say
) -> Plan:
    """Decide what the options leave open, and say each decision with its reason.

    A `size` may be settled already; a time limit counts from `started`, of `time.monotonic()`.
    """
    learned = options.pretrained or options.from_model is not None
    clock = _Clock(data, options, arch, started)
    epochs = options.epochs or _default_epochs(options, learned)
    # under a limit the epochs become as many as fit, so the least that are worth it decide
    fewest = epochs if options.time_limit is None else options.epochs or _LEAST_EPOCHS[learned]
    fixed = find_fixed_size(arch)
    mode = options.mode or _choose_mode(
        data, learned, clock, fewest, size or fixed or _largest_size(data), say
    )
    if size is None and fixed is not None:
        size = fixed
        say(f"Training at {size} x {size} px, the only size that {arch} takes.")
    elif size is None:
        size = _choose_size(data, mode, fewest, clock, say)
    photos = len(data.part(TRAIN))
    batch = min(options.batch_size or _choose_batch(photos), max(2, photos // 2))
    return Plan(arch=arch, mode=mode, size=size, epochs=epochs, batch_size=batch)


class _Clock:
    """How long things take here; measured when somebody asks."""

    def __init__(self, data: TrainingData, options: TrainOptions, arch: str, started: float) -> None:
        self.photos, self.arch = len(data.part(TRAIN)), arch
        self.limit = options.time_limit
        self.started = started
        self.cuda = torch.cuda.is_available()
        self._step: float | None = None

    @property
    def usable(self) -> float | None:
        """Seconds left for training, or None without a limit."""
        if self.limit is None:
            return None
        return self.limit - (time.monotonic() - self.started) - _EXPORT_SECONDS

    def epoch(self, size: int) -> float:
        """Seconds that an epoch of all layers takes; the cost of a step grows with the photo's area."""
        if self._step is None:
            side = find_fixed_size(self.arch) or 224
            self._step = measure_step(self.arch, side) / side**2
        return self._step * size**2 * self.photos


def _choose_mode(data: TrainingData, learned: bool, clock: _Clock, epochs: int, size: int, say: Say) -> str:
    if not learned:
        return FINE_TUNE  # a body of random weights has to learn
    a_class = clock.photos / len(data.vocab)
    if a_class < _FEW:
        mode, reason = HEAD, f"{a_class:.0f} training photos a class are few for training every layer"
    elif clock.cuda:
        mode, reason = FINE_TUNE, "a GPU trains all layers quickly"
    else:
        allowed = clock.usable if clock.usable is not None else _PATIENT
        needed = clock.epoch(size) * (epochs + _FORWARD)
        minutes = f"about {needed / 60:.0f} min" if needed >= 90 else f"about {needed:.0f} s"
        fits = needed <= allowed
        mode = FINE_TUNE if fits else HEAD
        reason = f"training all layers takes {minutes} on this CPU"
        if not fits:
            reason += ", and features with a linear layer on top a fraction of that"
    say(f"Mode {mode}: {reason}; --mode {HEAD if mode == FINE_TUNE else FINE_TUNE} does the other.")
    return mode


def _largest_size(data: TrainingData) -> int:
    side = data.short_side
    return 224 if side >= 224 else max(32, side // 32 * 32)


def _choose_size(data: TrainingData, mode: str, fewest: int, clock: _Clock, say: Say) -> int:
    """Return the smallest of 224, the photos' short side and what the time limit allows."""
    size = _largest_size(data)
    reason = (
        "what most networks learned at" if size == 224 else f"the photos' short side is {data.short_side} px"
    )
    usable = clock.usable
    if usable is not None and not clock.cuda:
        passes = _FORWARD if mode == HEAD else fewest
        while clock.epoch(size) * passes > usable and size > _SIZES[-1]:
            size, reason = next(s for s in _SIZES if s < size), "what the time limit allows"
    say(f"Training at {size} x {size} px ({reason}); --size sets another.")
    return size


def _default_epochs(options: TrainOptions, learned: bool) -> int:
    if options.time_limit is not None:
        return 10 if learned else 30
    return 4 if learned else 15


def _choose_batch(photos: int) -> int:
    """Return 64, or the power of two that leaves an epoch of few photos some steps."""
    batch = BATCH
    while batch > _LEAST_BATCH and photos / batch < _STEPS_AN_EPOCH:
        batch //= 2
    return batch


def reserve_time(data: TrainingData, learn: Any, size: int) -> float:
    """Return the seconds to keep for validation, judging and export, from a measured forward pass."""
    batch = torch.rand(16, 3, size, size, device=next(learn.model.parameters()).device)
    learn.model.eval()
    with torch.no_grad():
        learn.model(batch)
        before = time.perf_counter()
        learn.model(batch)
    each = (time.perf_counter() - before) / 16 + _DECODE
    judged = len(data.part(VALID)) + len(data.part(TRAIN))
    return _EXPORT_SECONDS + _RESERVE * each * judged
