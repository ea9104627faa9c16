"""The command that says which photos to label next: `fastclf suggest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import Folder, Json, print_json, say, show_progress
from .places import check_model, check_photos


def suggest(
    photos: Folder,
    new: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Photos without a label; by default those in DIR/_new."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="How many to name, 1 or more.")] = 40,
    model: Annotated[
        Path | None,
        typer.Option(help="A model whose network sees the photos; by default the one that comes by pip."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Name the photos whose labels would teach a model most: doubtful ones, no two alike. Changes nothing."""
    check_photos(photos, "suggest DIR --new FOLDER")
    if model is not None:
        check_model(model, "suggest DIR --new FOLDER --model MODEL")
    from ..head import suggest_photos
    from ..model import ModelBundle
    from ..photos import NEW_FOLDER

    bundle = None if model is None else ModelBundle.load(model)
    found = suggest_photos(
        photos, new or photos / NEW_FOLDER, n, bundle=bundle, progress=show_progress("reading photos")
    )
    if as_json:
        rows = [vars(photo) for photo in found.photos]
        print_json({"photos": rows, "new": found.new, "labelled": found.labelled, "known": found.known})
    for file, reason in found.failures:
        say(f"Skipped: {file} {reason}.")
    if not as_json:
        for photo in found.photos:
            other = f"or {photo.other}, {photo.other_probability:.0%}"
            print(f"{photo.file}: {photo.guess}, {photo.probability:.0%} ({other})")
    known = f"; {found.known} have a label already" if found.known else ""
    say(
        f"{len(found.photos)} of {found.new} photos to label next, by what {found.labelled} labelled photos "
        f"teach{known}. Put each into its class's folder, then train again."
    )
