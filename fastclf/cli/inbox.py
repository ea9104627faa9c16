"""Commands about what visitors reported: say what is kept, take in what was sent, and erase it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ProjectError, UsageError
from .console import Json, print_json, say
from .examples import write_examples

if TYPE_CHECKING:
    from ..inbox import Inbox, KeptReport

inbox = typer.Typer(
    name="inbox",
    help="List what visitors reported, take in reports that were sent, or erase some.",
    no_args_is_help=True,
)
_File = Annotated[
    Path | None,
    typer.Option("--inbox", metavar="FILE", help="The inbox; by default the one that `fastclf serve` uses."),
]


@inbox.command("list", epilog=write_examples("inbox list"))
def list_reports(inbox: _File = None, as_json: Json = False) -> None:
    """List all that is kept of visitors' reports, the settled ones too."""
    box = _find(inbox)
    kept = box.list_kept()
    if as_json:
        print_json({"inbox": str(box.path), "reports": [asdict(report) for report in kept]})
        return
    for report in kept:
        print(_describe(report))
    waiting, size = sum(r.state == "waiting" for r in kept), sum(r.bytes for r in kept) / 1000
    say(f"{len(kept)} reports are in {box.path} ({size:,.0f} kB of photos); {waiting} of them wait.")


@inbox.command("add", epilog=write_examples("inbox add"))
def add_reports(
    place: Annotated[
        Path, typer.Argument(metavar="MODEL|DIR", help="Folder of the model, or of its photos.")
    ],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="REPORT", help="Files that visitors of a page without a server sent."),
    ],
    inbox: _File = None,
    as_json: Json = False,
) -> None:
    """Take reports that were sent as files into the inbox, where they wait in Clean.

    The exit code is 1 if one of them could not be taken in.
    """
    from ..inbox import Inbox
    from ..received import add_report

    box = Inbox(inbox or _find_place(place, files))
    taken, failed = list[dict[str, Any]](), list[dict[str, str]]()
    for file in files:
        try:
            taken.append({"file": str(file), "report": add_report(box, file)})
        except ProjectError as e:
            failed.append({"file": str(file), "reason": str(e)})
            say(f"Skipped: {e}")
    if as_json:
        print_json({"inbox": str(box.path), "taken": taken, "failed": failed})
    waiting = len(box.reports())
    say(f"{len(taken)} of {len(files)} reports were taken in; {waiting} wait in {box.path}.")
    if failed:
        raise typer.Exit(1)


def _find_place(place: Path, files: Sequence[Path]) -> Path:
    """Return the file of the inbox of a model, or of a folder of photos."""
    from ..server import find_inbox_file

    if not place.is_dir():
        raise UsageError(
            "{place} is no folder. The call is: fastclf inbox add MODEL REPORT.zip, with the folder of the "
            "model or of its photos.",
            place=place,
        )
    is_model = (place / "bundle.json").is_file()
    found = find_inbox_file(None, place) if is_model else find_inbox_file(place)
    if found is None:
        raise UsageError(
            "No folder of photos of {place} is here, so nobody knows where its inbox lies. Name the folder "
            "of the photos instead: fastclf inbox add DIR {files}, or a file with --inbox.",
            place=place,
            files=shlex.join(map(str, files[:3])),
        )
    return found


@inbox.command("erase", epilog=write_examples("inbox erase"))
def erase_reports(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="NUMBER", help="Numbers of reports, as listed.")
    ] = None,
    older_than: Annotated[
        int | None,
        typer.Option(metavar="DAYS", help="Those of more than so many days ago, 0 or more; by default none."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    inbox: _File = None,
) -> None:
    """Erase reports with their photos for good. A photo that was taken into the set stays there."""
    if bool(numbers) + (older_than is not None) + everything != 1:
        raise UsageError("Name the numbers of reports, or --older-than DAYS, or --all: one of the three.")
    box = _find(inbox)
    wanted = _choose(box.list_kept(), numbers or [], older_than)
    say(f"{box.erase(wanted)} reports were erased from {box.path}.")


def _choose(kept: Sequence[KeptReport], numbers: Sequence[int], older_than: int | None) -> list[int]:
    """Return the numbers of the reports that are meant; without numbers and days all."""
    there = [report.id for report in kept]
    if unknown := [number for number in numbers if number not in there]:
        raise UsageError(
            "There is no report {number:d} in the inbox. `fastclf inbox list` says which there are.",
            number=unknown[0],
        )
    if older_than is None:
        return list(numbers) or there
    if not 0 <= older_than <= 100_000:
        raise UsageError("--older-than is {days:d}; it must be 0 to 100,000 days.", days=older_than)
    since = datetime.now(UTC) - timedelta(days=older_than)
    return [report.id for report in kept if datetime.fromisoformat(report.time) < since]


def _find(file: Path | None) -> Inbox:
    from ..inbox import Inbox
    from ..server import find_inbox_file

    found = file or find_inbox_file(None, Path(os.environ.get("FASTCLF_MODEL") or "model"))
    if found is None or (file is not None and not file.is_file()):
        raise UsageError(
            "There is no inbox{place}. Name its file with --inbox; `fastclf serve` says where it lies.",
            place=f" {file}" if file else " here",
        )
    return Inbox(found)


def _describe(report: KeptReport) -> str:
    said = report.label if report.label is not None else "none of the classes"
    sure = "" if report.probability is None else f", {100 * report.probability:.0f} %"
    answer = "no answer" if report.answer is None else f"{report.answer}{sure}"
    photo = f"{report.bytes / 1000:,.0f} kB" if report.bytes else "photo freed"
    return (
        f"{report.id}  {report.time}  {report.state}  {report.name}: {answer}; reported as {said} ({photo})"
    )
