"""What a training says of its photos and of how it ended."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UsageProblem
from .data import TrainingData
from .fit import Fitted

Say = Callable[[str], None]


def tell_photos(data: TrainingData, say: Say) -> None:
    """Say what is trained on, and what is left out and why."""
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


def check_fitted(fitted: Fitted, limit: float | None) -> None:
    """Refuse to make a model of a training that has none.

    Raises
    ------
    UsageProblem
        If the time limit was over before the first epoch, or no epoch had a finite loss.
    """
    if fitted.best_epoch is not None:
        return
    if not fitted.epochs:
        raise UsageProblem(
            "The time limit of {limit:.0f} s was over before the first epoch, so there is no "
            "model. Give more time, a smaller --size, another --arch or --mode head.",
            limit=limit or 0,
        )
    raise UsageProblem(
        "The training went astray: no epoch had a finite loss. Give a lower --lr, or --lr find."
    )


def tell_fitted(fitted: Fitted, say: Say) -> None:
    """Say why a training ended, and which epoch the model is of."""
    if fitted.ended_by == "patience":
        say("Ended early: the last epochs brought nothing better.")
    if fitted.best_epoch == 0:
        say("No epoch was better than the model that it began with, so that one is kept.")
    elif fitted.best_epoch is not None and fitted.best_epoch < len(fitted.epochs):
        say(f"The model is that of epoch {fitted.best_epoch}, the best of {len(fitted.epochs)}.")
