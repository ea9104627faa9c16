"""The `fastclf` command; every heavy import happens inside the command that needs it."""

from __future__ import annotations

import io
import sys

import typer

from ..errors import FastclfError, UsageError
from ..system import read_rank
from . import archs, collect, evaluate, models, photos
from .console import parse_duration, say

__all__ = ["app", "main", "parse_duration"]

app = typer.Typer(
    name="fastclf",
    help="From an idea to a photo classifier that anyone can open in a browser.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(models.demo)
app.add_typer(collect.recipes)
for command in (collect.collect, photos.check, models.train, evaluate.evaluate, models.predict):
    app.command()(command)
app.add_typer(photos.edits)
app.command()(photos.materialize)
app.command("import")(models.import_learner)
app.command()(models.export_pkl)
app.command()(models.serve)
app.command()(archs.archs)


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
