"""Commands about photos that are there: check, edits, materialize."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..system import find_file_error, has_catalog, read_given_file
from .console import Folder, Json, print_json, say, show_progress
from .examples import write_examples
from .places import check_model, check_photos

if TYPE_CHECKING:
    from ..catalog import ImportReport, LabelReport
    from ..check import CheckReport

edits = typer.Typer(
    name="edits",
    help="Export or import relabelled and removed photos, or other tools' labels; merge classes; undo.",
    no_args_is_help=True,
)


def check(
    photos: Folder,
    model: Annotated[
        Path | None, typer.Option(help="A model of these photos, to check labels with; by default none.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with thumbnails to this file; by default none.")
    ] = None,
    labels: Annotated[
        bool, typer.Option("--labels/--no-labels", help="Also look for doubtful labels.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Find unreadable, duplicate, mislabelled and unusual photos. Changes nothing."""
    check_photos(photos, "check DIR")
    if model is not None:
        check_model(model, "check DIR --model MODEL")
    if html is not None:
        check_output(html, photos, (".html", ".htm"))
    report = run_check(photos, model, html, labels=labels)
    if as_json:
        print_json(report.to_dict())
    else:
        print(report.to_text())
    if html is not None:
        say(f"The report is in {html}.")


def run_check(
    photos: Path, model: Path | None = None, html: Path | None = None, *, labels: bool = True
) -> CheckReport:
    """Check a folder with the best that is at hand, and write the page if one is named."""
    from ..catalog import Catalog
    from ..check import check_folder, find_bundle, write_page
    from ..model import ModelBundle

    named = None if model is None else ModelBundle.load(model)
    with Catalog.of_photos(photos) as catalog:
        catalog.scan(show_progress("reading photos"))
        if catalog.note:
            say(catalog.note)
        found = catalog.photos().photos
        default = os.environ.get("FASTCLF_MODEL") or "model"
        bundle = named or find_bundle(default, found)
        report = check_folder(catalog, bundle, labels=labels, progress=show_progress("computing features"))
        if html is not None:
            hashes = {p.name: p.sha256 for p in found}
            write_page(report, html, lambda name: catalog.thumbnail(hashes.get(name, "")))
    return report


def check_output(file: Path, photos: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse to write where no folder is, where nothing can be written, or over some other file."""
    if not file.absolute().parent.is_dir():
        raise UsageError(
            "There is no folder {folder} for {name}. Name another file.", folder=file.parent, name=file.name
        )
    inside = photos.resolve() in file.resolve().parents
    if file.suffix.lower() not in suffixes and not file.exists() and file.suffix:
        raise UsageError(
            "{file} does not end with {suffix}. Name a file that does.", file=file, suffix=suffixes[0]
        )
    if file.suffix.lower() not in suffixes and (file.exists() or inside):
        raise UsageError(
            "{file} would be overwritten. Name a file that ends with {suffix}.", file=file, suffix=suffixes[0]
        )
    if reason := find_file_error(file):
        raise UsageError("{file} cannot be written ({reason}). Name another file.", file=file, reason=reason)


@edits.command("export", epilog=write_examples("edits export"))
def export_edits(
    photos: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV or JSON file; - for stdout.")],
    log: Annotated[bool, typer.Option("--log", help="Every edit ever made, including undone ones.")] = False,
    to: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="edits (CSV for another copy of the photos), csv (path,label of every photo), or "
            "label-studio (JSON of every photo, to import there).",
        ),
    ] = "edits",
) -> None:
    """Write a folder's edits as CSV, or all of today's labels for another tool."""
    from ..catalog import TARGETS, Catalog
    from ..system import write_atomic

    check_photos(photos, "edits export DIR FILE")
    if to not in TARGETS or (log and to != TARGETS[0]):
        raise UsageError(
            "--to is {to!r}; it can be {targets}, and --log is of edits alone.",
            to=to,
            targets=", ".join(TARGETS),
        )
    if str(file) != "-":
        check_output(file, photos, (".json",) if to == "label-studio" else (".csv",))
    with Catalog.of_photos(photos) as catalog:
        catalog.scan(show_progress("reading photos"))
        count = len(catalog.photos().photos)
        data = catalog.export_edits(log=log) if to == TARGETS[0] else catalog.export_labels(to)
    if str(file) == "-":
        sys.stdout.write(data.decode())
        return
    write_atomic(file.resolve(), data)
    if to == TARGETS[0]:
        say(f"{data.count(bytes([10])) - 1} edits are in {file}.")
    else:
        say(f"The labels of {count} photos are in {file}.")


@edits.command("import", epilog=write_examples("edits import"))
def import_edits(
    photos: Folder,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV of edits, or labels: CSV with path and label, Label Studio's JSON or CSV, CVAT's XML "
            "(CVAT for images 1.1), Datumaro's JSON.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Apply exported edits, or another tool's labels; what is in doubt is skipped and reported."""
    from ..catalog import MAX_EDIT_BYTES, Catalog, is_edits, parse_edits, parse_labels

    check_photos(photos, "edits import DIR FILE")
    try:
        data = read_given_file(file, MAX_EDIT_BYTES)
    except OSError as e:
        raise UsageError(
            "The file of edits {file} cannot be read ({reason}).", file=file, reason=e.strerror
        ) from None
    of_edits = is_edits(data)
    parse_edits(data) if of_edits else parse_labels(data)  # refused before anything is written
    with Catalog.of_photos(photos) as catalog:
        catalog.scan(show_progress("reading photos"))
        report = catalog.import_edits(data) if of_edits else catalog.import_labels(data)
    if as_json:
        print_json(_describe_import(report))
    for path, reason in (*report.missing, *report.conflicts):
        say(f"Skipped: {path} {reason}.")
    _tell_import(report)


def _tell_import(report: ImportReport | LabelReport) -> None:
    from ..catalog import LabelReport, count_words

    doubt = f"{len(report.missing)} photos missing, {len(report.conflicts)} conflicts."
    if not isinstance(report, LabelReport):
        words = count_words(report.applied)
        say(f"{len(report.applied)} edits applied ({words}), {report.already} were already so, {doubt}")
        return
    say(
        f"The file is {report.kind}. It names a label of {report.matched} of these photos: "
        f"{len(report.applied)} relabelled, {report.already} were already so, {report.unlabelled} without a "
        f"label there, {report.unnamed} not named there, {doubt}"
    )
    for name, n in report.new_classes.items():
        say(f"New class: {name} ({n} photos). `fastclf edits undo` takes the import back.")


@edits.command("merge", epilog=write_examples("edits merge"))
def merge_classes(
    photos: Folder,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The class that goes.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The class that stays.")],
) -> None:
    """Give all photos of one class the label of another. No file is moved; `edits undo` takes it back."""
    from ..catalog import Catalog, refuse_unknown_class
    from ..photos import find_class_folders

    check_photos(photos, "edits merge DIR OLD NEW")
    if photos.is_dir() and not has_catalog(photos):
        refuse_unknown_class(photos, old, find_class_folders(photos))
    with Catalog.of_photos(photos) as catalog:
        catalog.scan(show_progress("reading photos"))
        rows = catalog.merge_classes(old, new, why=f"merged with {new}")
    say(f"{len(rows)} photos of {old!r} are now labelled {rows[0].new if rows else new!r}.")


@edits.command("undo", epilog=write_examples("edits undo"))
def undo_edits(photos: Folder) -> None:
    """Take back the last step of edits: a merge, an import, a decision of the Clean tab."""
    from ..catalog import Catalog, count_words
    from ..photos import refuse_early

    check_photos(photos, "edits undo DIR")
    refuse_early(photos)
    rows = None
    if has_catalog(photos):
        with Catalog.of_photos(photos) as catalog:
            catalog.scan(show_progress("reading photos"))
            rows = catalog.undo()
    if rows is None:
        say("There is no step to take back.")
    else:
        say(f"The last step was taken back: {count_words(rows)}.")


def _describe_import(report: ImportReport | LabelReport) -> dict[str, Any]:
    from ..catalog import LabelReport

    found: dict[str, Any] = {
        "applied": [{"file": r.path, "action": r.action, "to": r.new} for r in report.applied],
        "already": report.already,
        "missing": [{"file": path, "reason": reason} for path, reason in report.missing],
        "conflicts": [{"file": path, "reason": reason} for path, reason in report.conflicts],
    }
    if isinstance(report, LabelReport):
        own = ("kind", "matched", "unlabelled", "unnamed", "new_classes")
        found |= {name: getattr(report, name) for name in own}
    return found


def materialize(
    photos: Folder,
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="A new folder.")],
    as_json: Json = False,
) -> None:
    """Write a clean copy of a folder: with current labels, without removed photos."""
    check_photos(photos, "materialize DIR DEST")
    from ..catalog import Catalog, check_copy_target

    if photos.is_dir():
        check_copy_target(photos, dest)
    with Catalog.of_photos(photos) as catalog:
        catalog.scan(show_progress("reading photos"))
        made = catalog.materialize(dest)
    if as_json:
        renamed = [{"file": old, "name": new} for old, new in made.renamed]
        print_json({"folder": str(dest), "linked": made.linked, "copied": made.copied, "renamed": renamed})
    for old, new in made.renamed:
        say(f"{old} was copied as {new}, because its name was taken.")
    say(f"{made.linked + made.copied} photos are in {dest} ({made.linked} hard links, {made.copied} copies).")
