"""What every state of the page has to be: kept as a picture, no wider than its window, without a barrier."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ..conftest import ROOT

SCREENSHOTS = ROOT / "tests" / "screenshots"
# a phone stands for all windows, because nothing else is as narrow; the matrix has the others
PHONE, WIDE = 360, (768, 1440)
EVERY_WIDTH = pytest.mark.parametrize(
    "widths", [pytest.param((PHONE,), id="phone"), pytest.param(WIDE, id="wide", marks=pytest.mark.thorough)]
)
_AXE = Path(__file__).parent / "axe.min.js"
# Best practices too, not only what WCAG 2.2 AA asks for.
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_STILL = "Promise.all(document.getAnimations().map((a) => a.finished.catch(() => 0)))"


def keep(page: Page, name: str, *, whole: bool = False, check: bool = True) -> None:
    """Keep a picture of a state; axe-core finds no barrier in it."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)
    if check:
        assert find_barriers(page) == []


def keep_light_and_dark(page: Page, name: str, widths: Sequence[int], *, whole: bool = True) -> None:
    """Keep a state light and dark, at each width; it never is wider than its window."""
    size = page.viewport_size
    assert size
    for width in widths:
        page.set_viewport_size({"width": width, "height": size["height"]})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            settle(page)
            keep(page, f"{name}-{width}-{scheme}", whole=whole)
            assert not is_wider_than_the_window(page), (width, scheme)
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="light")


def settle(page: Page) -> None:
    """Wait until nothing moves."""
    page.evaluate(_STILL)


def is_wider_than_the_window(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@cache
def read_axe() -> str:
    if not _AXE.is_file():
        pytest.fail("axe-core is missing; `python hatch_build.py` fetches it from npm.")
    return _AXE.read_text(encoding="utf-8")


def find_barriers(page: Page) -> list[str]:
    """Return what axe finds wrong on the page as it is now: rule, element, why."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(read_axe())
    # what axe has to say of hundreds of elements without a fault takes longer than to look at them
    violations, passes = page.evaluate(
        """tags => axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] })
            .then(({ violations, passes }) => [violations, passes.length])""",
        _TAGS,
    )
    assert passes > 5, "axe looked at nothing"
    return [
        f"{v['id']}: {node['target']} {node['failureSummary']}" for v in violations for node in v["nodes"]
    ]
