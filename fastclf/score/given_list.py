"""A list of photos that somebody made, as CSV or Parquet: each path stays below one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, describe_error
from ..system import FILE_COLUMNS, MOST_TABLE_BYTES, open_given_file, read_given_file, read_table
from .extra import need
from .place import is_cloud

TABLES = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
LISTS = (*TABLES, *PARQUET)

# What a list in Parquet may hold: a thousand million paths have some 100 GB, and come as several lists.
_MOST_BYTES, _MOST_ROWS = 2**36, 2**30
# One column of one row group is unpacked at a time, and a path has no more letters than systems allow.
_MOST_UNPACKED, _MOST_LETTERS = 2**28, 4096
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class GivenList:
    """A list of photos.

    Attributes
    ----------
    file
        CSV or Parquet, with a column of paths.
    root
        What the paths are relative to; none leads out of it.
    """

    file: Path
    root: str

    def walk(self) -> Iterator[str]:
        """Yield every path, relative to the root, in the list's order.

        Raises
        ------
        UsageError
            If the list cannot be read, has no column of paths, or names something outside of the root.
        """
        is_parquet = self.file.suffix.lower() in PARQUET
        try:
            for row, path in self._read_parquet() if is_parquet else self._read_table():
                if path:
                    yield self._relate(path, row)
        except OSError as e:
            raise self._refuse(e.strerror or describe_error(e)) from None

    def _read_table(self) -> Iterator[tuple[int, str]]:
        table = read_table(read_given_file(self.file, MOST_TABLE_BYTES), str(self.file), FILE_COLUMNS)
        column = self._choose(table.columns)
        return ((line, cells[column].strip()) for line, cells in table.rows)

    def _read_parquet(self) -> Iterator[tuple[int, str]]:
        arrow, parquet = need("pyarrow"), need("pyarrow.parquet")
        with open_given_file(self.file, _MOST_BYTES) as source:
            try:
                column = self._check_parquet(parquet.ParquetFile(source))
                # as a dictionary: a text that stands in every row is in memory once
                file = parquet.ParquetFile(source, read_dictionary=[column])
                for n, batch in enumerate(
                    file.iter_batches(_ROWS_AT_ONCE, columns=[column], use_threads=False)
                ):
                    rows = self._unpack(arrow, batch.column(0))
                    yield from ((n * _ROWS_AT_ONCE + i, path) for i, path in enumerate(rows, 1))
            except (arrow.ArrowException, OverflowError, MemoryError) as e:
                raise self._refuse(describe_error(e)) from None

    def _check_parquet(self, file: Any) -> str:
        """Return the column of paths; what would not fit into memory is refused before it is unpacked."""
        names: dict[str, str] = {name.lower(): name for name in file.schema_arrow.names}
        column, found = names[self._choose(tuple(names))], file.metadata
        if found.num_rows > _MOST_ROWS:
            raise self._refuse(f"it has {found.num_rows:,} rows; at most {_MOST_ROWS:,} are read")
        at = [i for i in range(found.num_columns) if found.schema.column(i).path == column]
        parts = [found.row_group(n).column(i) for n in range(found.num_row_groups) for i in at]
        if not at or any(part.total_uncompressed_size > _MOST_UNPACKED for part in parts):
            raise self._refuse(
                f"its column {column} is no list of paths, or larger than 256 MB unpacked; "
                "write it in smaller row groups"
            )
        return column

    def _unpack(self, arrow: Any, column: Any) -> list[str]:
        if not arrow.types.is_dictionary(column.type) or not arrow.types.is_string(column.type.value_type):
            raise self._refuse(f"its paths are {column.type}, not text")
        longest = (
            need("pyarrow.compute").max(need("pyarrow.compute").binary_length(column.dictionary)).as_py()
        )
        if (longest or 0) > _MOST_LETTERS:
            raise self._refuse(f"it has a path of {longest:,} bytes; at most {_MOST_LETTERS:,} are read")
        return [path or "" for path in column.to_pylist()]

    def _choose(self, columns: tuple[str, ...]) -> str:
        """Return what of a table's columns, in small letters, holds the paths."""
        found = next((name for name in FILE_COLUMNS if name in columns), None)
        if found is None:
            raise self._refuse(f"it has no column named like {', '.join(FILE_COLUMNS[:4])}")
        return found

    def _relate(self, path: str, row: int) -> str:
        """Return a path relative to the root; a list does not choose what of a machine is read."""
        slashed = path if "/" in path else path.replace("\\", "/")
        inside = slashed.removeprefix(self.root.rstrip("/") + "/")
        parts = [part for part in inside.split("/") if part not in ("", ".")]
        if is_cloud(inside) or inside.startswith("/") or ".." in parts or "\0" in path or not parts:
            raise UsageError(
                "{list}, row {row:d}: {path} is not below {root}. Name the folder that holds all photos with "
                "--root.",
                list=self.file,
                row=row,
                path=path[:200],
                root=self.root,
            )
        return "/".join(parts)

    def _refuse(self, reason: str) -> UsageError:
        return UsageError("The list {list} cannot be read: {reason}.", list=self.file, reason=reason)


def find_walk(source: str, root: str) -> Callable[[], Iterator[str]] | None:
    """Return what reads the names out of a list, or None where the source is no list."""
    if is_cloud(source) or not source.lower().endswith(LISTS) or Path(source).is_dir():
        return None
    return GivenList(Path(source), root).walk
