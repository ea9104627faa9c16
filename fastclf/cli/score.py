"""The command that scores very many photos into Parquet: `fastclf score`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .console import Json, Model, print_json, say, show_progress
from .places import check_model


def score(
    model: Model,
    source: Annotated[
        str,
        typer.Argument(
            help="Photos: a folder, an address of a cloud (s3://, gs://, hf://), or a list of paths that "
            "ends with .csv or .parquet."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="A folder for the shards.")],
    root: Annotated[
        str | None,
        typer.Option(help="What a list's paths are relative to; by default the folder of the list."),
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Photos a shard, 1 or more.")] = 1000,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes on this machine, 1 or more; by default one a core.")
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="K/N", help="Score every N-th shard from the K-th on: a job of an array.")
    ] = "1/1",
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Let a Dask cluster do it: tcp://HOST:PORT; by default none."),
    ] = None,
    by_path: Annotated[
        bool, typer.Option("--by-path", help="Its workers open the model by its path; else they are sent it.")
    ] = False,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Decode large JPEGs at a reduced size if no probability of 32 photos moves by more, 0 to 1; "
            "by default 0, as `predict` does.",
        ),
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Score every photo of a folder, a cloud or a list into Parquet; a killed run goes on where it was."""
    check_model(model, "score MODEL SOURCE OUT", source)
    part = _read_part(shard)
    if dask is not None and (processes is not None or shard != "1/1"):
        raise UsageError("--dask shares the work out by itself; leave out --processes and --shard.")
    from ..model import count_cores
    from ..score import score_photos

    summary = score_photos(
        model,
        source,
        out,
        root=root,
        shard_size=shard_size,
        processes=processes or count_cores(),
        part=part,
        dask=dask,
        by_path=by_path,
        tolerance=tolerance,
        progress=show_progress("scoring photos", rated=True),
        told=say,
    )
    if as_json:
        print_json(summary.to_dict())
    for line in summary.tell():
        say(line)
    say(f"The shards are in {out}.")


def _read_part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not match:
        raise UsageError("--shard is {text!r}; write 1/8 to 8/8, for example.", text=text)
    return int(match[1]), int(match[2])
