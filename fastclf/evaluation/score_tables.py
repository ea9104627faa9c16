"""What `fastclf score` wrote about photos, read back: Parquet, a file or a folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import MissingExtraError, PhotosError, describe_error
from ..model import ModelBundle
from ..system import advise_install, open_given_file
from .drift import SeenPhotos

_SUFFIX = ".parquet"
_MOST_BYTES = 2**32
_MOST_ROWS = 20_000_000
_COLUMNS = ["path", "label", "score", "error"]


def is_score_table(path: Path) -> bool:
    """Return whether a place is a Parquet file, or a folder with some and no photo is looked for there."""
    return path.suffix == _SUFFIX or (path.is_dir() and any(path.glob(f"*{_SUFFIX}")))


def read_scores(bundle: ModelBundle, path: Path) -> SeenPhotos:
    """Return what a model said of photos, from the tables that it was written to.

    Raises
    ------
    PhotosError
        If one cannot be read, lacks a column, or names a class that the model does not know.
    MissingExtraError
        If pyarrow is not installed.
    """
    files = sorted(path.glob(f"*{_SUFFIX}")) if path.is_dir() else [path]
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for file in files:
        for name, values in _read_file(file).items():
            columns[name] += values
    known = {label: k for k, label in enumerate(bundle.vocab)}
    rows = [i for i, error in enumerate(columns["error"]) if not error]
    strange = {str(columns["label"][i])[:40] for i in rows if columns["label"][i] not in known}
    if strange:
        raise PhotosError(
            "{path} names {labels}, which the model does not know. Score the photos with this model.",
            path=path,
            labels=", ".join(sorted(strange)[:5]),
        )
    scores = np.array([np.nan if columns["score"][i] is None else columns["score"][i] for i in rows], float)
    failures = [(str(n), str(e)) for n, e in zip(columns["path"], columns["error"], strict=True) if e]
    return SeenPhotos(
        [str(columns["path"][i]) for i in rows],
        np.array([known[columns["label"][i]] for i in rows], int),
        None,
        scores if np.isfinite(scores).all() else None,
        failures,
    )


def _read_file(file: Path) -> dict[str, list[Any]]:
    try:
        with open_given_file(file, _MOST_BYTES) as opened:
            return _read_columns(file, opened)
    except OSError as e:
        raise PhotosError(
            "The table of scores {file} cannot be read ({reason}).",
            file=file,
            reason=e.strerror or describe_error(e),
        ) from None


def _read_columns(file: Path, opened: IO[bytes]) -> dict[str, list[Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError(
            "Reading {file} needs pyarrow, which is not installed: {command}",
            file=file,
            command=advise_install("scale"),
        ) from None
    try:
        table = parquet.ParquetFile(opened)
        if table.metadata.num_rows > _MOST_ROWS:
            raise ValueError(f"it has {table.metadata.num_rows:,} rows; at most {_MOST_ROWS:,} are read")
        return dict(table.read(columns=_COLUMNS).select(_COLUMNS).to_pydict())
    except (ArrowException, ValueError, KeyError) as e:
        raise PhotosError(
            "The table of scores {file} cannot be read ({reason}).", file=file, reason=describe_error(e)
        ) from None
