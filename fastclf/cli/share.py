"""The command that makes a model something to hand on: `fastclf share`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import Json, Model, print_json, say
from .places import check_model

if TYPE_CHECKING:
    from ..dashboard.site import Site

_MB = 2**20


def share(
    model: Model,
    site: Annotated[
        Path, typer.Argument(help="Folder of the page; with --single-file, the HTML file to write.")
    ],
    web: Annotated[
        bool, typer.Option("--web", help="Make a page that answers in the browser, without a server.")
    ] = False,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Write one HTML file instead of a folder.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="Of the weights: int8, or float32 (larger, answers as the model does).")
    ] = "int8",
    as_json: Json = False,
) -> None:
    """Make a page of a model that any host of files serves, and that opens from a disk or a stick."""
    if not web:
        raise UsageError(
            "Say how it is to be shared: --web makes a page without a server. The call is: fastclf share "
            "--web MODEL SITE."
        )
    check_model(model, "share --web MODEL SITE", site)
    from ..dashboard.site import build_site
    from ..model import ModelBundle

    made = build_site(ModelBundle.load(model), site, precision=precision, single_file=single_file)
    if as_json:
        print_json({"path": str(made.path), "page": str(made.page), "bytes": made.size})
    else:
        _tell(made)


def _tell(made: Site) -> None:
    say(f"The page is in {made.path}, {made.size / _MB:.1f} MB.")
    say(f"To see it, open {shlex.quote(str(made.page))}.")
    if made.page != made.path:
        say("README.md there says how to put it on the web.")
