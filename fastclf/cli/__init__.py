"""The `fastclf` command; every heavy import happens inside the command that needs it."""

from __future__ import annotations

import io
import platform
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from .. import __version__
from ..errors import FastclfError, UsageError
from ..system import read_rank
from . import archs, collect, evaluate, models, photos
from .console import parse_duration, say
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
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which fastclf this is."),
    ] = False,
) -> None:
    pass


def _add(name: str, function: Callable[..., None]) -> None:
    app.command(name, epilog=write_examples(name))(function)


_add("demo", models.demo)
app.add_typer(collect.recipes, epilog=write_examples("recipes"))
_add("collect", collect.collect)
_add("check", photos.check)
_add("train", models.train)
_add("evaluate", evaluate.evaluate)
_add("predict", models.predict)
app.add_typer(photos.edits, epilog=write_examples("edits"))
_add("materialize", photos.materialize)
_add("import", models.import_learner)
_add("export-pkl", models.export_pkl)
_add("serve", models.serve)
_add("archs", archs.archs)


def main() -> None:
    """Run the command; every expected failure is one sentence on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # a file name may hold what the terminal's encoding lacks
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        if sys.argv[1:2] == ["train"] and read_rank()[0]:
            models.follow_training()
        else:
            app()
    except UsageError as e:
        say(f"fastclf: {e}")
        sys.exit(2)
    except FastclfError as e:
        say(f"fastclf: {e}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("fastclf: stopped.")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as e:
        say(f"fastclf: {e.strerror or e}{f' ({e.filename})' if e.filename else ''}.")
        sys.exit(1)
