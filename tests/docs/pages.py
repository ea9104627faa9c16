"""Which pages there are, and the extension that fills those of the reference."""

from __future__ import annotations

import sys

from ..conftest import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(p for p in DOCS.rglob("*.md") if "_" not in p.parts[-2][:1])]
REFERENCE = DOCS / "reference"

sys.path.insert(0, str(DOCS / "_ext"))
