"""Labels out of a table, as a `ColReader` reads them: in each row a photo's file and its class."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..system import FILE_COLUMNS, MOST_TABLE_BYTES, Table, read_given_file, read_table

# What people call the column of labels, the likeliest first.
_LABELS = ("label", "labels", "class", "category", "target", "species", "breed", "y")


def read_labels(path: Path, file: str = "", label: str = "") -> dict[str, str]:
    """Return {file as the table writes it: label}.

    Parameters
    ----------
    path
        The table.
    file, label
        The columns; by default those with a usual name, or the two that there are.

    Raises
    ------
    UsageError
        If the table cannot be read, lacks a column, or gives a file two labels.
    """
    try:
        data = read_given_file(path, MOST_TABLE_BYTES)
    except OSError as e:
        raise UsageError(
            "The table of labels {path} cannot be read ({reason}).", path=path, reason=e.strerror or e
        ) from None
    table = read_table(data, str(path), [file, label] if file else [*FILE_COLUMNS, *_LABELS])
    columns = _find_column(table, file, FILE_COLUMNS, 0), _find_column(table, label, _LABELS, 1)
    if None in columns or columns[0] == columns[1]:
        raise UsageError(
            "The table of labels {path} has the columns {columns}; name that of the files and that of the "
            'labels: file = "..." and label = "...".',
            path=path,
            columns=", ".join(table.columns) or "none",
        )
    return _collect_labels(table, str(columns[0]), str(columns[1]), path)


def _find_column(table: Table, named: str, usual: tuple[str, ...], place: int) -> str | None:
    if named:
        return named.strip().lower() if named.strip().lower() in table.columns else None
    found = next((name for name in usual if name in table.columns), None)
    return table.columns[place] if found is None and len(table.columns) == 2 else found


def _collect_labels(table: Table, file: str, label: str, path: Path) -> dict[str, str]:
    labels: dict[str, str] = {}
    for line, row in table.rows:
        name, said = row[file].strip().replace("\\", "/").removeprefix("./"), row[label].strip()
        if labels.setdefault(name, said) != said:
            raise UsageError(
                "{path}, line {line:d}: {name} is {a} here and {b} further up; a photo has one label.",
                path=path,
                line=line,
                name=name,
                a=said,
                b=labels[name],
            )
    return labels
