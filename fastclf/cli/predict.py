"""The command that classifies photos: `fastclf predict`, as lines, JSON or a table."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..system import defuse_formula
from .console import Model, print_json, say
from .places import check_model
from .what import check_what, find_photos

if TYPE_CHECKING:
    from ..model import Prediction

_COLUMNS = ("file", "label", "probability", "unfamiliar", "ood_score", "error")


def predict(
    model: Model,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT...",
            help="Photos: files, folders, zip or tar files, quoted patterns ('photos/**/*.jpg'), web "
            "addresses, or - for standard input.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV for spreadsheets, with a column for each class.")
    ] = False,
) -> None:
    """Classify photos. Unreadable files are reported and skipped; the exit code is then 1."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; name one.")
    check_model(model, "predict MODEL FILE", files[0])
    check_what(files)
    from ..model import Predictor

    failed, predictor = False, Predictor(model)
    if as_csv:
        _write_row([*_COLUMNS, *predictor.vocab], mark="\ufeff")
    for prediction in predictor.predict_many(find_photos(files)):
        failed = failed or prediction.error is not None
        if as_json:
            print_json(prediction.to_dict())
        elif as_csv:
            shares = [(prediction.probs or {}).get(label) for label in predictor.vocab]
            _write_row([*(getattr(prediction, name) for name in _COLUMNS), *shares])
        else:
            _tell_prediction(prediction)
        sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _write_row(cells: Sequence[object], mark: str = "") -> None:
    """Print a row of CSV in UTF-8, whatever the terminal's encoding; spreadsheets know it by the mark."""
    text = io.StringIO()
    # a number below 0 is no formula
    shown = [f"{cell:.6f}" if isinstance(cell, float) else defuse_formula(cell) for cell in cells]
    csv.writer(text, lineterminator="\n").writerow(shown)
    row, binary = f"{mark}{text.getvalue()}", getattr(sys.stdout, "buffer", None)
    if binary is None:  # a notebook's
        sys.stdout.write(row)
    else:
        binary.write(row.encode("utf-8", "replace"))


def _tell_prediction(p: Prediction) -> None:
    if p.error:
        say(p.error)
    else:
        unlike = "  (unlike the photos this model was trained on)" if p.unfamiliar else ""
        several = len(p.label_set or ()) > 1 and f"  ({p.set_coverage:.0%}: {' or '.join(p.label_set or ())})"
        print(f"{p.file}: {p.label}, {p.probability:.1%}{several or unlike}")
