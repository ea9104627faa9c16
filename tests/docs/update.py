"""Write into the documents what their commands print today: `make docs-update`, or `PAGE=docs/how-to/api.md`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .pages import PAGES, ROOT
from .playing import play_page, rewrite


def main(names: list[str]) -> None:
    """Rewrite the pages that are named, or all."""
    for page in [Path(name).resolve() for name in names] or PAGES:
        with tempfile.TemporaryDirectory() as folder:
            differences = play_page(page, Path(folder).resolve())
        rewrite(page, differences)
        sys.stderr.write(f"{page.relative_to(ROOT)}: {len(differences)} blocks written anew\n")


if __name__ == "__main__":
    main(sys.argv[1:])
