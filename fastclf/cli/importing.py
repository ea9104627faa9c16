"""The command `import`: a fastai Learner that was exported elsewhere becomes a model."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..model import check_trusted
from .console import Json, print_json, quiet_libraries, say


def import_learner(
    file: Annotated[
        Path, typer.Argument(metavar="export.pkl", help="What `learn.export('export.pkl')` wrote.")
    ],
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Open the file. A pickle runs whatever code its maker put into it: open only your own, or "
            "of somebody you trust.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the model.")] = Path("model"),
    title: Annotated[str, typer.Option(help="What the dashboard calls the model.")] = "",
    class_names: Annotated[
        str | None,
        typer.Option(help='Other names for the classes, in the order of the Learner\'s: "dog,cat".'),
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Photos to compare both models on; by default drawn pictures.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a model of a Learner that fastai exported, and prove that both give the same answers."""
    check_trusted(file, trust_pickle)
    say("Loading fastai ...")
    quiet_libraries()
    with contextlib.redirect_stdout(sys.stderr):
        from ..training import import_learner as run_import

        bundle = run_import(
            file,
            out,
            trust_pickle=trust_pickle,
            title=title,
            class_names=None if class_names is None else class_names.split(","),
            photos=photos,
            say=say,
        )
    if as_json:
        print_json({**bundle.manifest.to_dict(), "path": str(bundle.path)})
    say(f"The model is in {bundle.path}. Next: fastclf serve {bundle.path}")
