"""What may break a training of all layers from outside, and the sentence with the way on."""

from __future__ import annotations

import contextlib
import gc
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch
from fastai.vision.all import Learner

from ..catalog import Dataset
from ..errors import (
    FastclfError,
    MemoryShortageError,
    Message,
    PhotosError,
    UnreadablePhotoError,
    UsageError,
    describe_error,
)
from ..photos import MAX_FOLDER_BYTES, build_training_file, decode_photo
from ..system import is_out_of_memory
from .options import TrainOptions
from .plan import Plan

# What torch and the system say where processes cannot share what they decode.
_WORKER_WORDS = (
    "dataloader worker", "shared memory", "/dev/shm", "/torch_", "ancdata", "too many open files",
    "bus error", "no space left on device", "resource temporarily unavailable",
)  # fmt: skip
_LEAST_BATCH = 2
_NAMED = 3


class Training(Protocol):
    """What is asked of a training that failed; its ``learn`` may not be there yet."""

    options: TrainOptions
    data: Dataset
    plan: Plan


@contextlib.contextmanager
def explained(training: Training) -> Iterator[None]:
    """Turn what ends a training from outside into a sentence: no memory, no room for workers, lost photos.

    Parameters
    ----------
    training
        What is done in the block; whether its Learner is built already does not matter.

    Raises
    ------
    MemoryShortageError
        With a number of photos a batch for which a step was tried and fits.
    UsageError
        If the processes that decode photos died or cannot hand them over.
    PhotosError
        If a photo went away or broke meanwhile; it is named.
    """
    started = time.time()
    try:
        yield
    except FastclfError:
        raise
    except Exception as e:
        traceback.clear_frames(e.__traceback__)  # they hold the batch that did not fit
        workers, told = training.options.workers, f"{type(e).__name__} {e}".lower()
        if workers and any(words in told for words in _WORKER_WORDS):
            raise UsageError(
                "The processes that decode photos could not hand them over ({reason}): here is too little "
                "shared memory for --workers {workers:d}. Use --workers 0.",
                reason=_find_cause(e),
                workers=workers,
            ) from e
        learn = getattr(training, "learn", None)
        if learn is not None and is_out_of_memory(e):
            raise build_shortage(learn, training.plan.size) from None
        if lost := find_lost_photos(training.data, started, str(e)):
            raise PhotosError(
                "While the network was trained {photos}. Put back what is missing, and the same command goes "
                "on; without it the same command begins anew.",
                photos=lost,
            ) from e
        raise


def build_shortage(learn: Learner, size: int) -> MemoryShortageError:
    """Return the error about a batch that does not fit, with one that was tried and does."""
    batch = learn.dls.train.bs
    fitting = find_fitting_batch(learn, size, batch // 2)
    advice = (
        Message("Try --batch-size {n:d} or a smaller --size.", n=fitting)
        if fitting
        else Message("Try a smaller --size, another --arch, or --mode head.")
    )
    return MemoryShortageError(
        "A batch of {batch:d} photos of {size:d} x {size:d} pixels does not fit into memory. {advice}",
        batch=batch,
        size=size,
        advice=advice,
    )


def find_fitting_batch(learn: Learner, size: int, most: int) -> int | None:
    """Return the most photos, by halves from `most` on, for which a step of training was tried and fits."""
    while most >= _LEAST_BATCH:
        learn.model.zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            batch = torch.rand(most, 3, size, size, device=next(learn.model.parameters()).device)
            learn.model.train()(batch).mean().backward()
        except Exception as e:  # noqa: BLE001 - a try, which says no more than whether memory was enough
            if not is_out_of_memory(e):
                return most
            traceback.clear_frames(e.__traceback__)
        else:
            return most
        most //= 2
    return None


def find_lost_photos(data: Dataset, since: float, told: str = "") -> str:
    """Return which photos broke or went since a time, or are named by an error, with reasons; else ""."""
    found = []
    for row in data.rows:
        path = build_training_file(row.photo, data.private)
        if _has_changed(path, since) or str(path) in told:
            try:
                decode_photo(path, max_bytes=MAX_FOLDER_BYTES)
            except UnreadablePhotoError as e:
                found.append(f"{row.photo.name} {e.reason}")
    return "; ".join(found[:_NAMED]) + ("; and others" if len(found) > _NAMED else "")


def _has_changed(path: Path, since: float) -> bool:
    try:
        return path.stat().st_ctime >= since - 1
    except OSError:
        return True


def _find_cause(error: Exception) -> str:
    """Return what a process that decoded photos said: the end of the traceback that it handed over."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return describe_error(RuntimeError(lines[-1] if "Traceback" in str(error) else lines[0]), 120)
