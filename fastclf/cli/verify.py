"""The command that says whether a model is what its maker wrote: `fastclf verify`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from .console import Json, Model, print_json, say
from .places import check_model

if TYPE_CHECKING:
    from ..model import Verification


def verify(model: Model, as_json: Json = False) -> None:
    """Compare a model's files with their hashes, and its answers with those recorded where it was made.

    The exit code is 1 where something is not as it was.
    """
    check_model(model, "verify MODEL")
    from ..model import verify_bundle

    found = verify_bundle(model)
    if as_json:
        print_json({**asdict(found), "model": str(found.model), "is_sound": found.is_sound})
    for sentence in (*found.faults, *found.notes):
        say(sentence)
    if found.faults:
        raise typer.Exit(1)
    _tell_sound(found)


def _tell_sound(found: Verification) -> None:
    answers = found.answers
    say(f"All {found.files} files of {found.model} are as they were written.")
    if answers is not None:
        say(
            f"It answers about {answers.photos} pictures as it did where it was made: probabilities differ "
            f"by {answers.largest_difference:.1g} at most."
        )
