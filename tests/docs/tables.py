"""The tables of a page: what their first columns name, below which heading."""

from __future__ import annotations

import re
from pathlib import Path

_HEADING = re.compile(r"#+ (.*)")
_ROW = re.compile(r"\| `([^`]+)`(.*?) \| (.*) \|")


def read_tables(page: Path) -> dict[str, list[str]]:
    """Return {heading: the code that begins each row below it}; a row has something in its last cell."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if said := _HEADING.fullmatch(line):
            heading = said[1].strip("`")
        elif row := _ROW.fullmatch(line):
            assert row[3].strip(), line
            found.setdefault(heading, []).append(row[1])
    return found
