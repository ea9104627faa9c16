"""The commands of a server: `fastclf serve` and `fastclf password`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..system import write_atomic
from .api import read_api_options, tell_ready
from .console import say
from .phone import tell_phone
from .places import check_model, check_photos

if TYPE_CHECKING:
    from ..api import ApiSettings

_HOSTS = "Names, with commas, under which a proxy in front shows the page; by default those of this machine."
_EMBED = (
    "Origin of a site whose pages may show this one in a frame, once for each or with commas, * for any; "
    "by default none."
)
_PASSWORD = "File of the password that lets people in (`fastclf password FILE` writes one); by default none."
_OWNER_PASSWORD = "File of the password that makes an owner, asked for at /login; by default none."


def serve(
    model: Annotated[
        Path, typer.Argument(help="Folder of the model.", envvar="FASTCLF_MODEL", show_envvar=False)
    ] = Path("model"),
    photos: Annotated[
        Path | None,
        typer.Option(help="Folder of the photos; by default FASTCLF_PHOTOS, or the one in photos/."),
    ] = None,
    new: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Photos without a label, for the Clean tab; by default those in _new beside the classes.",
        ),
    ] = None,
    owner: Annotated[
        bool, typer.Option("--owner", help="Let whoever opens the page edit and clean.")
    ] = False,
    inbox: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File of visitors' corrections; by default beside the photos."),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the page; by default the model's.")] = "",
    intro: Annotated[str, typer.Option(help="Text below it; by default the model's.")] = "",
    colour: Annotated[
        str, typer.Option(metavar="#RRGGBB", help="Colour of the page; by default the model's.")
    ] = "",
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; 0.0.0.0 for other machines, too.",
            envvar="FASTCLF_HOST",
            show_envvar=False,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on, 1 to 65535.", envvar="FASTCLF_PORT", show_envvar=False)
    ] = 8866,
    base_url: Annotated[
        str,
        typer.Option(
            metavar="PATH", envvar="FASTCLF_BASE_URL", show_envvar=False,
            help="The path under which a proxy in front shows the page, as /bears/.",
        ),
    ] = "/",
    hosts: Annotated[str, typer.Option(metavar="NAMES", help=_HOSTS)] = "",
    embed: Annotated[list[str] | None, typer.Option(metavar="ORIGIN", help=_EMBED)] = None,
    max_visitors: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many visitors at once, 1 or more; by default as many as the memory holds."
        ),
    ] = None,
    password_file: Annotated[Path | None, typer.Option(metavar="FILE", help=_PASSWORD)] = None,
    owner_password_file: Annotated[Path | None, typer.Option(metavar="FILE", help=_OWNER_PASSWORD)] = None,
    api: Annotated[bool, typer.Option("--api", help="Let programs ask, too: /api/docs says how.")] = False,
    api_token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of the token that callers of the API show; by default none is asked for.",
        ),
    ] = None,
    api_cors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="Origin whose pages may call the API, once for each; by default none."
        ),
    ] = None,
    api_photos_from: Annotated[
        str,
        typer.Option(
            metavar="ORIGIN", help="Origin of Label Studio, whose photos the API fetches; by default none."
        ),
    ] = "",
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Show numbers for Prometheus at /metrics, to this machine.")
    ] = False,
    access_log: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="File that gets a line a request, never photos or people; - writes here; by default none.",
        ),
    ] = "",
) -> None:  # fmt: skip
    """Serve the dashboard for a model until Ctrl-C."""
    check_model(model, "serve MODEL --photos DIR", photos or "")
    if photos is not None:
        check_photos(photos, "serve MODEL --photos DIR", model)
    from ..server import check_serving, find_inbox_file
    from ..server import serve as run_server

    settings = read_api_options(api, api_token_file, api_cors or [], api_photos_from)
    more = {
        "title": title, "intro": intro, "colour": colour, "hosts": hosts, "embed": ",".join(embed or []),
        "max-visitors": max_visitors, "new": new, "password-file": password_file,
        "owner-password-file": owner_password_file,
    }  # fmt: skip
    check_serving(
        model, photos=photos, inbox=inbox, api=settings, host=host, port=port, base_url=base_url, owner=owner,
        more=more,
    )  # fmt: skip
    inbox = inbox or find_inbox_file(photos, model)
    say("Starting the dashboard ...")
    say(_tell_inbox(inbox))
    status = run_server(
        model, photos=photos, owner=owner, inbox=inbox, host=host, port=port, base_url=base_url, api=settings,
        metrics=metrics, access_log=access_log, more=more,
        on_ready=lambda url: _tell_ready(url, settings, more, host=host, owner=owner),
    )  # fmt: skip
    raise typer.Exit(int(status != 0))


def password(
    file: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
    again: Annotated[bool, typer.Option("--again", help="Write over a file that is there.")] = False,
) -> None:
    """Write a password for `fastclf serve --password-file`, so that nobody can read it back from the file.

    It is asked for twice, or read from a pipe.
    """
    if file.is_dir() or (file.exists() and not again):
        raise UsageError("{file} is there already. Name another file, or say --again.", file=file)
    from ..server import make_password_line

    if sys.stdin.isatty():
        text = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    line = make_password_line(text)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, f"{line}\n".encode())
    file.chmod(0o600)
    say(f"{file} is written. Next: fastclf serve --password-file {file}")


def _tell_ready(
    url: str, api: ApiSettings | None, more: Mapping[str, Any], *, host: str, owner: bool
) -> None:
    """Say where the dashboard is, for whom else, and who may show it."""
    from ..server import EMBED, read_embed

    tell_ready(url, api)
    tell_phone(url, host, more["hosts"])
    sites = ", ".join(read_embed({EMBED: more["embed"]} if more["embed"] else None))
    if sites and (owner or os.environ.get("FASTCLF_OWNER") == "1"):
        say("Everybody is an owner here (--owner): no other site may show the page, whatever --embed says.")
    elif sites:
        who = "Every site" if sites == "*" else sites
        say(f"{who} may show {url.rstrip('/')}/?embed in a frame; an owner finds the lines for it in About.")


def _tell_inbox(inbox: Path | None) -> str:
    if inbox is None:
        return (
            "There is no inbox (--inbox FILE names one): visitors can download their corrections as a file."
        )
    return f"Visitors' corrections go to {inbox}."
