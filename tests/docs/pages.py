"""Which pages there are."""

from __future__ import annotations

from ..conftest import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(p for p in DOCS.rglob("*.md") if "_" not in p.parts[-2][:1])]
