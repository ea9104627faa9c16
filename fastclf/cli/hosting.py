"""`fastclf share` for Binder, a look at the repository, and for a server of one's own, a folder of files."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from ..errors import UsageError
from .console import print_json, say


def share_on_binder(folder: Path, *, qr: Path | None, as_json: bool) -> None:
    """Say what a repository lacks for Binder, and its link, badge and code; exit code 1 if it lacks any."""
    from ..sharing import check_binder, write_qr

    if not folder.is_dir():
        raise UsageError("There is no folder {folder}. Name that of the repository.", folder=folder)
    report = check_binder(folder)
    if qr is not None and report.link:
        write_qr(report.link, qr)
    if as_json:
        print_json({**report.to_dict(), "qr": str(qr) if qr is not None and report.link else None})
    else:
        _tell_binder(report.link, report.badge, report.missing, report.advice)
        if qr is not None and report.link:
            say(f"The QR code is in {qr}.")
    raise typer.Exit(int(not report.is_ready))


def _tell_binder(link: str, badge: str, missing: tuple[str, ...], advice: tuple[str, ...]) -> None:
    from ..sharing import draw_qr

    if missing:
        say("Binder cannot start this dashboard yet:")
    for sentence in missing:
        say(f"- {sentence}")
    if advice:
        say("Worth knowing:" if not missing else "Beside that:")
    for sentence in advice:
        say(f"- {sentence}")
    if not link:
        return
    if missing:
        say("Once that is done, this link starts it:")
    else:
        say("Anyone can start the dashboard by this link, if the repository is public:")
    print(link)
    print(draw_qr(link))
    say("A badge for README.md:")
    print(badge)


def write_server(folder: Path, model: Path | None, *, domain: str, base_url: str, as_json: bool) -> None:
    """Write what a server of one's own starts from, and say where it is."""
    from ..sharing import write_container

    made = write_container(folder, model, domain=domain, base_url=base_url)
    if as_json:
        print_json({"path": str(made.path), "files": list(made.files), "url": made.url})
        return
    say(f"{made.path} holds {', '.join(made.files)}.")
    if model is None:
        say(f"Put the model there: cp -r model {shlex.quote(str(made.path / 'model'))}")
    say(f"On the server, in that folder: docker compose up -d; the page is then at {made.url}")
    say("README.md there says it without Docker, too.")
