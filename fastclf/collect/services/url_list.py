"""A list of photos in a file: one URL a line, or a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import UsageError
from ...system import MOST_TABLE_BYTES, decode_text, read_given_file, read_table, unify_name
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
        for line in decode_text(self._read_bytes()).splitlines():
            url = line.strip()
            if url and not url.startswith("#"):
                yield Found(url=url, source=self._path.name)

    def _read_table(self, label: str) -> Iterator[Found]:
        table = read_table(self._read_bytes(), str(self._path), ("url", *_KEYS))
        if "url" not in table.columns:
            raise UsageError(
                "{path}, line 1: there is no column url, "
                "but {names}; name the column that holds the addresses url.",
                path=self._path,
                names=", ".join(table.columns) or "nothing",
            )
        for line, row in table.rows:
            if row["url"].strip() and self._is_wanted(row, label, line):
                yield self._build(row)

    def _is_wanted(self, row: dict[str, str], label: str, line: int) -> bool:
        given = row.get("label", label).strip()
        if not given:
            raise UsageError(
                "{path}, line {line:d}: the label is missing; write the class of the photo, or take the "
                "column label out if all are of one class.",
                path=self._path,
                line=line,
            )
        return unify_name(given).casefold() == unify_name(label).casefold()

    def _build(self, row: dict[str, str]) -> Found:
        known = {key: " ".join(row[column].split()) for column, key in _KEYS.items() if row.get(column)}
        return Found(url=row["url"].strip(), source=self._path.name, **known)

    def _read_bytes(self) -> bytes:
        try:
            return read_given_file(self._path, MOST_TABLE_BYTES)
        except OSError as e:
            raise UsageError(
                "{path} cannot be read: {reason}.", path=self._path, reason=e.strerror or e
            ) from None
