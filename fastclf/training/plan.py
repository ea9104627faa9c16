"""What a training decides by itself, and why: mode, size, epochs, batch, in the time that there is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..catalog import Dataset
from ..photos import TRAIN, VALID
from .fitting import BATCH
from .network import find_fixed_size, measure_step
from .options import EPOCHS, TrainOptions

Say = Callable[[str], None]

# All of these were chosen by hand.
# Seconds kept for writing and checking the bundle, besides the time that judging the photos takes.
_EXPORT_SECONDS = 25.0
_SIZES = (224, 192, 160, 128, 96, 64)
# By whether the body has learned already.
_LEAST_EPOCHS = {True: 3, False: 6}
_LEAST_BATCH = 8
_STEPS_AN_EPOCH = 16
# Seconds that a photo takes to be decoded and resized, and how much longer than measured all may take.
_DECODE, _RESERVE = 0.003, 1.5


@dataclass(frozen=True)
class Plan:
    """What is going to be done: as in `TrainOptions`, and nothing is None."""

    arch: str
    size: int
    epochs: int
    batch_size: int


def make_plan(
    data: Dataset, options: TrainOptions, arch: str, size: int | None, started: float, say: Say
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
    if size is None and fixed is not None:
        size = fixed
        say(f"Training at {size} x {size} px, the only size that {arch} takes.")
    elif size is None:
        size = _choose_size(data, fewest, clock, say)
    photos = len(data.part(TRAIN))
    batch = min(options.batch_size or choose_batch(photos), max(2, photos // 2))
    return Plan(arch=arch, size=size, epochs=epochs, batch_size=batch)


class _Clock:
    """How long things take here; measured when somebody asks."""

    def __init__(self, data: Dataset, options: TrainOptions, arch: str, started: float) -> None:
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


def _largest_size(data: Dataset) -> int:
    side = data.short_side
    return 224 if side >= 224 else max(32, side // 32 * 32)


def _choose_size(data: Dataset, fewest: int, clock: _Clock, say: Say) -> int:
    """Return the smallest of 224, the photos' short side and what the time limit allows."""
    size = _largest_size(data)
    reason = (
        "what most networks learned at" if size == 224 else f"the photos' short side is {data.short_side} px"
    )
    usable = clock.usable
    if usable is not None and not clock.cuda:
        while clock.epoch(size) * fewest > usable and size > _SIZES[-1]:
            size, reason = next(s for s in _SIZES if s < size), "what the time limit allows"
    say(f"Training at {size} x {size} px ({reason}); --size sets another.")
    return size


def _default_epochs(options: TrainOptions, learned: bool) -> int:
    if options.time_limit is not None:
        return 10 if learned else 30
    return EPOCHS[learned]


def choose_batch(photos: int) -> int:
    """Return 64, or the power of two that leaves an epoch of few photos some steps."""
    batch = BATCH
    while batch > _LEAST_BATCH and photos / batch < _STEPS_AN_EPOCH:
        batch //= 2
    return batch


def reserve_time(data: Dataset, learn: Any, size: int) -> float:
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
