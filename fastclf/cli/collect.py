"""Commands about getting photos: recipes, collect."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CheckError, MissingExtraError, UsageError
from ..system import find_file_error
from .console import Json, print_json, say
from .examples import write_examples
from .places import FOLDER, check_source, find_kind

if TYPE_CHECKING:
    from ..collect import CollectSummary, Recipe

recipes = typer.Typer(name="recipes", help="List the recipes, or write one of your own.")


@recipes.callback(invoke_without_command=True)
def list_all(context: typer.Context) -> None:
    """List the recipes that come with fastclf."""
    from ..collect import list_recipes, load_recipe

    if context.invoked_subcommand is not None:
        return
    for name in list_recipes():
        recipe = load_recipe(name)
        print(f"{name}: {recipe.title} {_describe_source(recipe)}")
    say("Your own: `fastclf recipes new mine.toml`, then `fastclf collect mine.toml`.")


@recipes.command("new", epilog=write_examples("recipes new"))
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path("recipe.toml"),
) -> None:
    """Write a commented recipe to start from."""
    from ..collect import read_template
    from ..system import write_atomic

    if file.suffix.lower() != ".toml":
        raise UsageError(
            "{file} does not end with .toml; call it {name}.toml, for example.", file=file, name=file.name
        )
    if file.exists():
        raise UsageError("{file} already exists. Name another file.", file=file)
    if not file.absolute().parent.is_dir():
        raise UsageError(
            "There is no folder {folder} for {name}. Name another file.", folder=file.parent, name=file.name
        )
    if reason := find_file_error(file):
        raise UsageError("{file} cannot be written ({reason}). Name another file.", file=file, reason=reason)
    name = re.sub(r"[^a-zA-Z0-9_-]+", "-", file.stem).strip("-_") or "mine"
    write_atomic(file, read_template().replace('"NAME"', f'"{name}"', 1).encode())
    say(f"The recipe is in {file}. Change its classes, then: fastclf collect {shlex.quote(str(file))}")


def collect(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name, or a .toml file.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the photos; by default photos/NAME.")] = None,
    most: Annotated[
        int | None,
        typer.Option("--max", min=1, help="Most photos a class, 1 or more; by default the recipe's."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also retry photos that were refused or have been deleted.")
    ] = False,
    names_encoding: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How an old zip file writes names, such as gbk or cp1252; by default it is seen or asked.",
        ),
    ] = "",
    check: Annotated[bool, typer.Option("--check/--no-check", help="Check the photos afterwards.")] = True,
    as_json: Json = False,
) -> None:
    """Collect a recipe's photos. Run it again to continue; nothing is downloaded twice."""
    from ..collect import list_recipes, load_recipe

    if recipe not in list_recipes():
        check_source(recipe, list_recipes())
        if find_kind(recipe) == FOLDER:
            raise UsageError(
                "{folder} is a folder. Photos that you have are trained on as they lie: fastclf train "
                "{path}. What is collected is named by a recipe.",
                folder=recipe,
                path=shlex.quote(recipe),
            )
    summary = run_collect(load_recipe(recipe), out, most=most, again=again, names_encoding=names_encoding)
    if as_json:
        print_json(summary.to_dict())
    else:
        print(summary.to_text())
    if not summary.photos:
        say("No photo was stored.")
        raise typer.Exit(1)
    if check:
        # stdout is one JSON document, or one table
        print(_check(summary.folder), file=sys.stderr if as_json else sys.stdout)
    say(f"Next: fastclf train {shlex.quote(recipe if out is None else str(summary.folder))}")


def run_collect(
    recipe: Recipe,
    out: Path | None = None,
    *,
    most: int | None = None,
    again: bool = False,
    names_encoding: str = "",
) -> CollectSummary:
    """Collect, and say of a run that is broken off that nothing is lost."""
    from ..collect import collect_photos as run

    try:
        return run(recipe, out, most=most, again=again, names_encoding=names_encoding, say=say)
    except KeyboardInterrupt:
        say("Stopped. Stored photos are kept; run the same command again to continue.")
        raise


def _check(folder: Path) -> str:
    from .photos import run_check

    say("Checking ...")
    try:
        return run_check(folder).to_text()
    except MissingExtraError as e:
        return f"The check was skipped. {e}"
    except CheckError as e:
        return f"The check failed: {e}"


def _describe_source(recipe: Recipe) -> str:
    if recipe.sample:
        return "(comes with fastclf)"
    if recipe.archive:
        return f"(archive, {recipe.archive.place})"
    if recipe.folder:
        return f"(folder {recipe.folder.place})"
    return f"(web search: {', '.join(c.label for c in recipe.classes)})"
