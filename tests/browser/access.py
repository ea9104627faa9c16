"""axe-core, which finds what people with a screen reader or a keyboard would run into."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

_AXE = Path(__file__).parent / "axe.min.js"
# Best practices too, not only what WCAG 2.2 AA asks for.
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def read_axe() -> str:
    if not _AXE.is_file():
        pytest.fail("axe-core is missing; `python hatch_build.py` fetches it from npm.")
    return _AXE.read_text(encoding="utf-8")


def find_violations(page: Page) -> list[str]:
    """Return what axe finds wrong on the page as it is now: rule, element, why."""
    page.evaluate(read_axe())
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, { runOnly: { type: 'tag', values: tags } })", _TAGS
    )
    assert len(found["passes"]) > 5, "axe looked at nothing"
    return [
        f"{v['id']}: {node['target']} {node['failureSummary']}"
        for v in found["violations"]
        for node in v["nodes"]
    ]
