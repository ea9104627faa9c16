"""What a training says to the person in front of it."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UsageProblem
from .data import TrainingData
from .fitting import Fitted


def tell_photos(data: TrainingData, say: Callable[[str], None]) -> None:
    """Say how many photos there are, and what was left out and why."""
    counts = data.frame["split"].value_counts().to_dict()
    parts = ", ".join(f"{counts.get(split, 0)} {split}" for split in ("train", "valid", "test"))
    say(f"{len(data.frame)} photos of {len(data.vocab)} classes: {parts} (sealed).")
    for file, reason in data.photos.failures[:20]:
        say(f"Left out: {file} {reason}.")
    if len(data.photos.failures) > 20:
        say(f"... and {len(data.photos.failures) - 20} more files that cannot be read.")
    for note in data.notes:
        say(note)
    if data.removed:
        say(f"Left out: {data.removed} photos that edits took out.")
    if data.leaks:
        say(f"Left out: {data.leaks} photos that nearly agree with photos of another split.")
    if data.conflicts:
        say(f"Left out: {data.conflicts} photos that lie in two class folders with the same pixels.")
    if data.lost_classes:
        say(f"Attention: no photo is left of {', '.join(data.lost_classes)}; the model will not know them.")


def tell_fit(fitted: Fitted, limit: float | None, say: Callable[[str], None]) -> None:
    """Say which epoch the model is of.

    Raises
    ------
    UsageProblem
        If there is none to take.
    """
    if fitted.best_epoch is None and not fitted.epochs:
        raise UsageProblem(
            f"The time limit of {limit or 0:.0f} s was over before the first epoch, so there is no model. "
            "Give more time, a smaller --size, another --arch or --mode head."
        )
    if fitted.best_epoch is None:
        raise UsageProblem(
            "The training went astray: no epoch had a finite loss. Give a lower --lr, or --lr find."
        )
    if fitted.ended_by == "patience":
        say("Ended early: the last epochs brought nothing better.")
    if fitted.best_epoch == 0:
        say("No epoch was better than the model that it began with, so that one is kept.")
    elif fitted.best_epoch < len(fitted.epochs):
        say(f"The model is that of epoch {fitted.best_epoch}, the best of {len(fitted.epochs)}.")
