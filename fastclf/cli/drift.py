"""The command that compares new photos with those of training: `fastclf drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import Json, Model, print_json, say, show_progress
from .photos import check_output
from .places import check_model, check_photos

if TYPE_CHECKING:
    from ..evaluation import Drift
    from ..model import ModelBundle


def drift(
    model: Model,
    photos: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="New photos, in any folders; or their scores in Parquet."),
    ],
    trained_on: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder that it was trained on; by default the one below `photos` with its classes.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with thumbnails to this file; by default none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell whether new photos still are like the training photos."""
    call = "drift MODEL FOLDER"
    check_model(model, call, photos)
    from ..evaluation import write_drift_page, write_lines

    if html is not None:
        check_output(html, photos, (".html", ".htm"))
    found = _measure(model, photos, trained_on, call)
    if as_json:
        print_json(found.to_dict())
    else:
        print("\n".join(write_lines(found)))
    if html is not None:
        write_drift_page(found, html)
        say(f"The page is in {html}.")


def _measure(model: Path, photos: Path, trained_on: Path | None, call: str) -> Drift:
    from ..evaluation import compare, is_score_table, measure_drift, read_scores
    from ..model import ModelBundle

    bundle = ModelBundle.load(model)
    if is_score_table(photos):
        return compare(bundle, read_scores(bundle, photos), None, str(photos))
    check_photos(photos, call, model)
    if not photos.is_dir():
        raise UsageError("There is no folder {folder}. Name one with new photos.", folder=photos)
    known = trained_on or _find_photos(bundle)
    return measure_drift(bundle, photos, photos=known, progress=show_progress("reading photos"))


def _find_photos(bundle: ModelBundle) -> Path | None:
    """Return the usual folder of a model's photos if some of them are there."""
    from ..model import find_photo_folder
    from ..photos import find_class_folders

    folder = find_photo_folder(bundle.vocab)
    there = folder.is_dir() and set(find_class_folders(folder, deeper=False)) >= set(bundle.vocab)
    return folder if there else None
