"""Commands that make models and show them: demo, train, export-pkl, serve."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import FastclfError, PhotosError
from .console import (
    Json,
    Model,
    parse_duration,
    print_json,
    say,
    show_progress,
    using_fastai,
)
from .places import check_model, check_photos, check_source
from .serving import serve

if TYPE_CHECKING:
    from ..collect import Recipe
    from ..model import ModelBundle
    from ..training import TrainOptions

_Out = Annotated[Path, typer.Option(help="Folder of the model.")]

# what `train` itself uses of its options
_NOT_FOR_TRAINING = ("photos", "out", "redraw_splits", "as_json")


def demo(
    port: Annotated[int, typer.Option(help="Port of the dashboard, 1 to 65535.")] = 8866,
    out: _Out = Path("model"),
) -> None:
    """Train on the built-in digits unless the model exists, and open the dashboard. Works offline."""
    from ..server import check_port

    check_port("127.0.0.1", port)
    check_model(out, "demo --out MODEL")
    if not (out / "bundle.json").exists():
        train("digits", out=out)
    photos = Path("photos") / "digits"
    serve(out, photos=photos if photos.is_dir() else None, owner=True, port=port)


def train(
    photos: Annotated[
        str, typer.Argument(metavar="DIR|RECIPE", help="A folder of photos, or a recipe's name.")
    ],
    out: _Out = Path("model"),
    arch: Annotated[
        str | None, typer.Option(help="A torchvision or timm architecture; by default the mode's.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="fine-tune (all layers) or head; by default what fits the machine.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Height and width, 16 to 1024 pixels; by default the arch's own.")
    ] = None,
    resize: Annotated[
        str | None, typer.Option(help="published (by default), squish, crop, pad or random-crop.")
    ] = None,
    augment: Annotated[str | None, typer.Option(help="symmetric (by default), upright or none.")] = None,
    balance: Annotated[
        str | None, typer.Option(help="Even out rare classes: auto (by default, from 3 : 1 on), on or off.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs, 1 or more; by default 4, 15 from scratch.")
    ] = None,
    lr: Annotated[
        str | None, typer.Option(help="Highest learning rate, above 0, or `find`; by default chosen.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Photos a training step, 2 or more; by default 64 at most.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Epochs without a better one, 1 or more, to stop after; by default half of them."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Random seed of weights, order and new splits, 0 or more; by default 0."),
    ] = None,
    split_by: Annotated[
        str | None,
        typer.Option(
            help="`folder`, or a CSV file with the columns path and split or group; by default drawn."
        ),
    ] = None,
    redraw_splits: Annotated[
        bool, typer.Option("--redraw-splits", help="Delete the recorded splits and draw new ones.")
    ] = False,
    time_limit: Annotated[
        str | None,
        typer.Option(help="Time until the model is written, 60s or more: 5m, 1h30m; by default no limit."),
    ] = None,
    pretrained: Annotated[
        bool | None,
        typer.Option("--pretrained/--no-pretrained", help="Start from ImageNet weights, as by default."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File of pretrained weights; by default the published ones."),
    ] = None,
    from_model: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Train an earlier model further; by default none."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that decode photos, 0 or more; by default 0.")
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="Also log epochs to csv, tensorboard or wandb; by default nowhere.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start anew instead of continuing an interrupted run.")
    ] = False,
    title: Annotated[
        str | None, typer.Option(help="The dashboard's title; by default the recipe's, or the classes.")
    ] = None,
    intro: Annotated[
        str | None, typer.Option(help="The line below the title; by default the recipe's or a usual one.")
    ] = None,
    colour: Annotated[
        str | None, typer.Option(help="The dashboard's colour, # and hexadecimal digits; by default #1b57b3.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model on a folder with one sub-folder per class, or on a recipe.

    On several GPUs: accelerate launch -m fastclf train DIR.
    """
    given = {k: v for k, v in locals().items() if v is not None and k not in _NOT_FOR_TRAINING}
    from ..model import check_target

    started = time.monotonic()
    if time_limit is not None:
        given["time_limit"] = parse_duration(time_limit)
    if lr is not None:
        given["lr"] = _parse_lr(lr)
    if (folder_of := Path(photos)).is_dir():
        check_photos(folder_of, "train DIR")
    recipe = _load_recipe(photos)
    # what was said is judged before anything is fetched or read
    options = _build_options(recipe, given)
    if recipe is not None:  # before its photos are collected
        check_target(out.resolve())
    folder = Path(photos) if recipe is None else _find_collected(recipe, photos)
    if redraw_splits:
        _delete_splits(folder)
    bundle = _run_training(folder, out, recipe, options, started)
    if as_json:
        _print_manifest(bundle)
    _tell_trained(bundle, folder, time.monotonic() - started)


def _delete_splits(folder: Path) -> None:
    from ..catalog import Catalog

    with Catalog.of_photos(folder) as catalog:
        say(f"The splits of {catalog.clear_splits()} photos were deleted; new ones are drawn.")


def _build_options(recipe: Recipe | None, given: dict[str, Any]) -> TrainOptions:
    from ..training import TrainOptions

    return TrainOptions.for_recipe(recipe, **given)


def _run_training(
    folder: Path, out: Path, recipe: Recipe | None, options: TrainOptions, started: float
) -> ModelBundle:
    # whatever a library prints (a download, a hint) is for people
    with contextlib.redirect_stdout(sys.stderr):
        from ..training import train as run

        return run(
            folder,
            out,
            options,
            started=started,
            recipe=recipe.name if recipe else None,
            photo_licence=recipe.photo_licence if recipe else "not recorded",
            say=say,
            progress=show_progress("reading photos"),
        )


def follow_training() -> None:
    """Train with the first of several processes, which reads, decides, speaks and writes."""
    try:
        from ..training import follow

        follow()
    except (FastclfError, KeyboardInterrupt):
        sys.exit(1)  # the first process says what there is to say


def export_pkl(model: Model) -> None:
    """Write export.pkl, a fastai Learner that answers like the model, into a model's folder."""
    from ..model import check_exportable

    check_model(model, "export-pkl MODEL")
    check_exportable(model)  # before fastai is loaded
    with using_fastai():
        from ..training import export_learner

        path = export_learner(model)
    say(f"The Learner is in {path}. fastai opens it with load_learner; fastclf is not needed for that.")


def _load_recipe(name: str) -> Recipe | None:
    """Return the recipe of that name; None where it is a folder of photos."""
    from ..collect import list_recipes, load_recipe

    if name and Path(name).is_dir():
        return None
    if name not in list_recipes():
        check_source(name, list_recipes())
    return load_recipe(name)


def _find_collected(recipe: Recipe, name: str) -> Path:
    """Return the folder of a recipe's photos, which are collected if there are none."""
    from ..photos import find_photo_files
    from .collect import run_collect

    folder = Path("photos") / recipe.name
    try:
        there = {file.label for file in find_photo_files(folder)}
    except PhotosError:
        say(run_collect(recipe).to_text())
    else:
        _warn_of_classes(there, {plan.label for plan in recipe.classes}, folder, name)
    return folder


def _warn_of_classes(there: set[str], named: set[str], folder: Path, recipe: str) -> None:
    """Say where the folder's classes are not those that the recipe names."""
    if named and named != there:
        say(
            f"Warning: {folder} holds {', '.join(sorted(there))}; the recipe names "
            f"{', '.join(sorted(named))}. The folder's classes are used; "
            f"`fastclf collect {shlex.quote(recipe)}` collects what is missing."
        )


def _print_manifest(bundle: ModelBundle) -> None:
    print_json({**bundle.manifest.to_dict(), "path": str(bundle.path)})


def _tell_trained(bundle: ModelBundle, folder: Path, seconds: float) -> None:
    from ..card import say_doubling

    manifest = bundle.manifest
    valid = manifest.metrics.valid
    if valid:
        low, high = valid["accuracy_interval"]
        balanced = f", balanced accuracy {valid['balanced_accuracy']:.4f}"
        say(
            f"Validation accuracy {valid['accuracy']:.4f} (95 % interval {low:.3f} to {high:.3f}, "
            f"n = {valid['n']}){balanced}; {manifest.sealed_test.n} test photos stay sealed."
        )
    if doubling := say_doubling(manifest.training.learning_curve or {}):
        say(doubling)
    say(f"The model is in {bundle.path} after {seconds:.0f} s. Next: fastclf serve {bundle.path}")
    say(f"When you have chosen a model: fastclf evaluate {bundle.path} {folder} --open-test-set")


def _parse_lr(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
