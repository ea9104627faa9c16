"""Tables as people save them: any usual separator, encoding, line end and header, read in one way."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import UsageError, describe_error

# What people call the column of the photos' files, the likeliest first.
FILE_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "fname", "image", "image_path", "img",
    "photo", "name", "id", "image_id",
)  # fmt: skip
MOST_TABLE_BYTES = 2**27
"""Bytes that a table may have: one with a row for each photo has far fewer."""
_SEPARATORS = ",;\t|"
# Letters of an alphabet have a zero byte each in UTF-16; one in so many letters is enough to tell it.
_LEAST_ZEROS = 5
_BINARY = (b"PK\3\4", b"\xd0\xcf\x11\xe0", b"%PDF", b"SQLite", b"PAR1")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table with a header.

    Attributes
    ----------
    columns
        The header's names, in small letters and without blanks around them.
    rows
        (line in the file, {column: cell}) of the rows that are not blank; cells as they stand.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def decode_text(data: bytes) -> str:
    """Return a text file's text: by its byte order mark, else UTF-8, else as Windows writes in the west.

    Examples
    --------
    >>> decode_text("b\\u00e4r".encode("utf-16")) == decode_text(b"b\\xe4r") == "b\\u00e4r"
    True
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    odd, even = data[1:1000:2].count(0), data[:1000:2].count(0)
    if not encoding and _LEAST_ZEROS * max(odd, even) > len(data[:1000:2]):
        # without a mark the zero bytes of plain letters tell the order
        encoding = "utf-16-le" if odd > even else "utf-16-be"
    if encoding:
        return data.decode(encoding, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read_table(data: bytes, called: str, wanted: Iterable[str]) -> Table:
    """Read a table: CSV with commas, semicolons, tabs or bars between its cells.

    Parameters
    ----------
    data
        The file's bytes.
    called
        What to call the file in an error.
    wanted
        Columns that are looked for, which tells the separator; missing ones are the caller's to refuse.

    Raises
    ------
    UsageError
        If it is no text, a line cannot be read, or has more cells than the header.

    Examples
    --------
    >>> read_table(b"sep=;\\nPath; Split\\ncat/1.jpg;test\\n", "t.csv", ["path"]).rows
    ((3, {'path': 'cat/1.jpg', 'split': 'test'}),)
    """
    if data.startswith(_BINARY):
        raise UsageError("{path} is no text; save the table as CSV, then name that file.", path=called)
    lines = list(_read_cells(decode_text(data).rstrip("\0"), called, set(wanted)))
    if not lines:
        return Table((), ())
    (_, header), *rest = lines
    columns = tuple(name.strip().lower() for name in header)
    return Table(columns, tuple((line, _build_row(columns, cells, line, called)) for line, cells in rest))


def _read_cells(text: str, called: str, wanted: set[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the lines that are not blank."""
    start, separator = _find_header(text, wanted)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if reader.line_num > start and any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as e:
        raise UsageError(
            "{path}, line {line:d}: this is no CSV ({reason}).",
            path=called,
            line=reader.line_num,
            reason=describe_error(e),
        ) from None


def _find_header(text: str, wanted: set[str]) -> tuple[int, str]:
    """Return how many lines stand before the header, and what separates its cells."""
    for skipped, line in enumerate(io.StringIO(text[:100_000], newline=None)):
        if line.strip().lower().startswith("sep=") and len(line.strip()) in (4, 5):
            return skipped + 1, line.strip()[4:] or "\t"
        if line.strip():
            return skipped, max(_SEPARATORS, key=lambda one: _judge_separator(line, one, wanted))
    return 0, ","


def _judge_separator(line: str, separator: str, wanted: set[str]) -> tuple[int, int]:
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return 0, 0
    return len(wanted & {cell.strip().lower() for cell in cells}), len(cells)


def _build_row(columns: tuple[str, ...], cells: list[str], line: int, called: str) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise UsageError(
            "{path}, line {line:d} has {n} cells and the header names {columns}. Put quotes around a cell "
            "that holds the separator.",
            path=called,
            line=line,
            n=len(cells),
            columns=len(columns),
        )
    filled = [*cells, *[""] * (len(columns) - len(cells))]
    return dict(zip(columns, filled, strict=False))
