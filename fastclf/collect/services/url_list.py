"""A list of photos in a file: one URL a line, or a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from ...errors import UsageError
from .service import Found

_KEYS = {"page": "page", "licence": "licence", "license": "licence", "creator": "creator", "title": "title"}


class UrlList:
    """The photos of one class that a file names.

    A ``.txt`` file holds one URL a line; lines that begin with ``#`` are comments. A ``.csv`` file has a
    header with the column ``url`` and, where they are known, ``label``, ``page``, ``licence``, ``creator``
    and ``title``. What stands in the place of a URL is not judged here. Rows with another label than the
    class are left out, whatever the case of its letters.

    Raises
    ------
    UsageError
        If the file cannot be read, is no such table, or holds a row whose label is missing.
    """

    name = "list"

    def __init__(self, path: str | Path, label: str) -> None:
        self._path = Path(path)
        kinds = {".txt": self._read_lines, ".csv": self._read_table}
        if self._path.suffix.lower() not in kinds:
            raise UsageError("{path} is no list of URLs: it has to end in .txt or .csv.", path=self._path)
        self._found = list(kinds[self._path.suffix.lower()](label))

    def search(self, query: str, page: int) -> list[Found]:
        """Return the whole list as page 1, whatever the query: a list holds what it holds."""
        return list(self._found) if page == 1 else []

    def _read_lines(self, label: str) -> Iterator[Found]:
        for line in self._read_text().splitlines():
            url = line.strip()
            if url and not url.startswith("#"):
                yield Found(url=url, source=self._path.name)

    def _read_table(self, label: str) -> Iterator[Found]:
        text = self._read_text()
        header = text.partition("\n")[0]
        # spreadsheets of some countries write semicolons
        delimiter = max(",;\t", key=header.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            names = self._read_names(next(reader, []))
            for cells in reader:
                row = dict(zip(names, cells, strict=False))
                if row.get("url", "").strip() and self._is_wanted(row, label, reader.line_num):
                    yield self._build(row)
        except csv.Error as e:
            raise UsageError(
                "{path}, line {line:d}: this is no CSV ({reason}).",
                path=self._path,
                line=reader.line_num,
                reason=e,
            ) from None

    def _read_names(self, header: list[str]) -> list[str]:
        names = [name.strip().lower() for name in header]
        if "url" not in names:
            raise UsageError(
                "{path}, line 1: there is no column url, "
                "but {names}; name the column that holds the addresses url.",
                path=self._path,
                names=", ".join(names) or "nothing",
            )
        return names

    def _is_wanted(self, row: dict[str, str], label: str, line: int) -> bool:
        given = row.get("label", label).strip()
        if not given:
            raise UsageError(
                "{path}, line {line:d}: the label is missing; write the class of the photo, or take the "
                "column label out if all are of one class.",
                path=self._path,
                line=line,
            )
        return given.casefold() == label.casefold()

    def _build(self, row: dict[str, str]) -> Found:
        known = {key: " ".join(row[column].split()) for column, key in _KEYS.items() if row.get(column)}
        return Found(url=row["url"].strip(), source=self._path.name, **known)

    def _read_text(self) -> str:
        try:
            data = self._path.read_bytes()
        except OSError as e:
            raise UsageError(
                "{path} cannot be read: {reason}.", path=self._path, reason=e.strerror or e
            ) from None
        try:
            return data.decode("utf-8-sig")  # spreadsheets write a byte order mark
        except UnicodeDecodeError as e:
            line = data.count(b"\n", 0, e.start) + 1
            raise UsageError(
                "{path}, line {line:d}: this is no UTF-8; save the file as UTF-8.", path=self._path, line=line
            ) from None
