"""The command that makes a model something to hand on: `fastclf share`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import Json, print_json, say
from .hosting import share_on_binder, write_server
from .places import check_model

if TYPE_CHECKING:
    from ..dashboard.site import Site

_MB = 2**20


def share(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="[REPO|MODEL]",
            help="Folder of the repository; with --web, of the model; with --teach, the page to write.",
        ),
    ] = Path(),
    site: Annotated[
        Path | None,
        typer.Argument(
            help="With --web: folder of the page; with --single-file, the HTML file to write.",
            show_default=False,
        ),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Make a page that answers in the browser, without a server.")
    ] = False,
    teach: Annotated[
        bool,
        typer.Option(
            "--teach", help="With --web: make a page on which classifiers are taught in the browser."
        ),
    ] = False,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Write one HTML file instead of a folder.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="Of the weights: int8, or float32 (larger, answers as the model does).")
    ] = "int8",
    qr: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="SVG file for the link's QR code; by default none."),
    ] = None,
    container: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a folder that a server of your own starts from; by default none."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="With --container: the model to put inside; by default it is mounted. With --teach: the "
            "model whose network looks at the photos; by default the packaged one."
        ),
    ] = None,
    domain: Annotated[
        str, typer.Option(help="With --container: the name under which visitors reach the server.")
    ] = "photos.example.org",
    base_url: Annotated[
        str, typer.Option(metavar="PATH", help="With --container: the path of the page there, as /bears/.")
    ] = "/",
    as_json: Json = False,
) -> None:
    """Say what a repository lacks for Binder, and its link; or make a page, or a server's folder."""
    if web and teach:
        _tell(_teach(place, site, model, precision=precision, single_file=single_file), as_json=as_json)
    elif web:
        _tell(_make_site(place, site, precision=precision, single_file=single_file), as_json=as_json)
    elif teach:
        raise UsageError("--teach goes with --web. The call is: fastclf share --web --teach SITE.")
    elif site is not None:
        raise UsageError(
            "Say how it is to be shared: --web makes a page without a server. The call is: fastclf share "
            "--web MODEL SITE."
        )
    elif container is not None:
        write_server(container, model, domain=domain, base_url=base_url, as_json=as_json)
    else:
        share_on_binder(place, qr=qr, as_json=as_json)


def _make_site(model: Path, site: Path | None, *, precision: str, single_file: bool) -> Site:
    if site is None:
        raise UsageError("Name the page to write, too. The call is: fastclf share --web MODEL SITE.")
    check_model(model, "share --web MODEL SITE", site)
    from ..dashboard.site import build_site
    from ..model import ModelBundle

    return build_site(ModelBundle.load(model), site, precision=precision, single_file=single_file)


def _teach(site: Path, more: Path | None, model: Path | None, *, precision: str, single_file: bool) -> Site:
    if more is not None or site == Path():
        raise UsageError(
            "With --teach the page alone is named, and a model by its option. The call is: fastclf share "
            "--web --teach SITE."
        )
    if model is not None:
        check_model(model, "share --web --teach --model MODEL SITE", site)
    from ..backbone import Backbone, open_packaged
    from ..dashboard.site import build_teach_site
    from ..model import ModelBundle

    body = open_packaged() if model is None else Backbone.of_model(ModelBundle.load(model))
    return build_teach_site(body, site, precision=precision, single_file=single_file)


def _tell(made: Site, *, as_json: bool) -> None:
    if as_json:
        print_json({"path": str(made.path), "page": str(made.page), "bytes": made.size})
        return
    say(f"The page is in {made.path}, {made.size / _MB:.1f} MB.")
    say(f"To see it, open {shlex.quote(str(made.page))}.")
    if made.page != made.path:
        say("README.md there says how to put it on the web.")
