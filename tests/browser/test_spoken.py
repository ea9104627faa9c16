"""What a screen reader says of the page, from its first word to its last."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ..drawing import draw_photo, encode
from .conftest import Publish, Visit, choose

pytestmark = pytest.mark.slow

CODE = """
import os
os.environ.update(FASTCLF_OWNER="1", FASTCLF_PHOTOS={photos!r})
from fastclf.dashboard import build_app
build_app({model!r})
"""

# from the beginning of an element to where the reader begins anew
_LISTEN = """async (selector) => {
    const reader = window.virtual;
    await reader.start({ container: document.querySelector(selector) });
    const first = await reader.lastSpokenPhrase();
    for (let i = 0; i < 1500; i += 1) {
        await reader.next();
        if ((await reader.lastSpokenPhrase()) === first) break;
    }
    const said = await reader.spokenPhraseLog();
    await reader.stop();
    return said;
}"""


@cache
def read_reader() -> str:
    file = Path(__file__).with_name("reader.min.js")
    if not file.is_file():
        pytest.fail("The screen reader is missing; `python hatch_build.py` bundles it from npm.")
    return file.read_text(encoding="utf-8")


def listen(page: Page, selector: str) -> list[str]:
    """Return what is said, phrase by phrase."""
    if not page.evaluate("Boolean(window.virtual)"):
        page.evaluate(read_reader())
    return page.evaluate(_LISTEN, selector)


def assert_order(said: Sequence[str], *phrases: str) -> None:
    """Whatever stands between them, the phrases come in this order."""
    rest = iter(said)
    for phrase in phrases:
        assert phrase in rest, (phrase, said)


@pytest.fixture(scope="module")
def page(
    publish: Publish, stay: Visit, judged: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Page:
    photos = shutil.copytree(judged[0], tmp_path_factory.mktemp("spoken") / "photos")
    page = stay()
    page.goto(publish("spoken", CODE.format(photos=str(photos), model=str(judged[1]))).url)
    page.locator(".fastclf-drop .fastclf-primary").wait_for()
    return page


def test_a_visitor_hears_the_answer_and_what_speaks_for_it(page: Page) -> None:
    choose(page, {"name": "mine.png", "mimeType": "image/png", "buffer": encode(draw_photo("red", 3), "PNG")})
    page.get_by_role("button", name="Why?").click()
    page.locator(".fastclf-heat").wait_for()
    said = listen(page, ".fastclf-panel-classify")
    heading = page.locator(".fastclf-card h3").inner_text()
    assert_order(
        said,
        "tabpanel, Classify",
        "button, Choose photos",
        "heading, The answer, level 2",
        "listitem, mine.png, level 1, position 1, set size 1",
        f"heading, {heading}, level 3",
        f"button, Hide why, {heading}, pressed",
        f"button, That's wrong, {heading}, not expanded",
        "status",
        "end of status",
        "button, Remove mine.png",
        "end of tabpanel, Classify",
    )
    # where the heat is, is said once
    assert sum("marked parts" in phrase for phrase in said) == 1
    # the scale of the colours is for those who see them
    assert not {"little", "much"} & set(said)


def test_a_cleaner_hears_what_is_marked_what_it_becomes_and_what_was_applied(page: Page) -> None:
    page.get_by_role("tab", name="Clean").click()
    page.locator(".fastclf-tile").first.wait_for()
    expect(page.get_by_text("still being looked for")).to_have_count(0)
    page.get_by_label("Show", exact=True).select_option(label="All photos (90)")
    page.locator(".fastclf-tile").first.focus()
    page.keyboard.press("x")
    expect(page.locator(".fastclf-tile").first).to_contain_text("will be removed")
    said = listen(page, ".fastclf-panel-clean")
    group = next(phrase for phrase in said if phrase.startswith("group, Photo 1 of 90"))
    assert "will be removed" in group
    name = group.split("; ")[1]
    assert_order(
        said,
        "heading, Doubtful photos, level 2",
        "group, Label the selected photos",
        "list, Photos",
        group,
        f"checkbox, Select {name}, not checked",
        f"end of {group}",
        "button, Apply 1 change ...",
        "heading, Retrain the model, level 2",
    )
    page.get_by_role("button", name="Apply 1 change").click()
    sheet = page.locator(".fastclf-change img[src]")
    sheet.wait_for()
    said = listen(page, ".fastclf-clean-footer")
    assert_order(
        said,
        "heading, What will change, level 3",
        "1 photo will be removed. No file is touched, and it can be undone.",
        "list, What will change",
        f"from {group.split('; ')[2]} to removed",
        f"button, Leave {name} as it is",
        "button, Apply these changes",
        "button, Not yet",
    )
    page.get_by_role("button", name="Apply these changes").click()
    expect(page.get_by_text("Applied: 1 removed.")).to_be_visible()
    assert any(phrase.startswith("Applied: 1 removed.") for phrase in listen(page, ".fastclf-clean-work"))


def test_who_asks_about_the_model_hears_figures_as_sentences(page: Page) -> None:
    page.get_by_role("tab", name="About").click()
    page.get_by_role("heading", name="What it is for").wait_for()
    said = listen(page, ".fastclf-panel-about")
    assert_order(
        said,
        "heading, What it is for, level 2",
        "heading, Good for, level 3",
        "heading, Not for, level 3",
        "heading, How good it is, level 2",
        "heading, What it mixes up, level 2",
        "grid, What the photos show, and what the model said, Arrow keys go from number to number.",
        "heading, How sure it is, level 2",
        "heading, Version, level 2",
    )
    assert any("was called" in phrase or "were recognised" in phrase for phrase in said)
    assert not any("{" in phrase or "None" in phrase for phrase in said)
