"""The `fastclf` command; every heavy import happens inside the command that needs it."""

from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import __version__
from ..errors import UsageError
from ..system import ensure_home, guard_process, read_rank
from . import (
    archs,
    collect,
    drift,
    evaluate,
    importing,
    inbox,
    models,
    photos,
    predict,
    score,
    serving,
    share,
    suggest,
    verify,
)
from .console import parse_duration, prepare_terminal, quiet_libraries
from .endings import run_to_end
from .examples import write_examples

__all__ = ["app", "main", "parse_duration"]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"fastclf {__version__}, Python {platform.python_version()}, {platform.platform()}")
        raise typer.Exit


app = typer.Typer(
    name="fastclf",
    help="From an idea to a photo classifier that anyone can open in a browser.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _describe(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which fastclf this is."),
    ] = False,
) -> None:
    if context.invoked_subcommand == "serve":
        from ..server import load_settings

        # before the command reads its options, and the environment for what they do not say
        load_settings(Path())


def _add(name: str, function: Callable[..., None]) -> None:
    app.command(name, epilog=write_examples(name))(function)


_add("demo", models.demo)
app.add_typer(collect.recipes, epilog=write_examples("recipes"))
_add("collect", collect.collect)
_add("check", photos.check)
_add("train", models.train)
_add("evaluate", evaluate.evaluate)
_add("predict", predict.predict)
_add("score", score.score)
_add("drift", drift.drift)
app.add_typer(photos.edits, epilog=write_examples("edits"))
_add("suggest", suggest.suggest)
_add("materialize", photos.materialize)
_add("import", importing.import_file)
_add("export-pkl", models.export_pkl)
_add("verify", verify.verify)
_add("serve", serving.serve)
_add("password", serving.password)
app.add_typer(inbox.inbox, epilog=write_examples("inbox"))
_add("share", share.share)
_add("archs", archs.archs)


def main() -> None:
    """Run the command; whatever stops it is one sentence on stderr and an exit code."""
    prepare_terminal()
    quiet_libraries()
    sys.exit(run_to_end(_run))


def _run() -> None:
    if sys.argv[1:2] == ["train"] and read_rank()[0]:
        models.follow_training()
        return
    _check_folder()
    ensure_home()
    guard_process()
    command = _build_command()
    with command.make_context("fastclf", sys.argv[1:]) as context:
        command.invoke(context)


@functools.cache
def _build_command() -> Any:
    return typer.main.get_command(app)


def _check_folder() -> None:
    """Refuse to work in a folder that is gone, in which no relative path means anything."""
    try:
        Path.cwd()
    except OSError:
        raise UsageError(
            "The folder that you are in was deleted or cannot be entered. Go to another one (cd) first."
        ) from None
