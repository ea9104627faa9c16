"""The About tab in a real Chromium: the confusion matrix and the photos behind its cells."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from fastclf import ModelBundle
from fastclf.card import build_card_html
from fastclf.system import hash_file

from ..conftest import ROOT, Once
from ..dashboard.judged import build_wide
from .conftest import Publish, Visit, speak, wait_true
from .pictures import EVERY_WIDTH, keep, keep_light_and_dark

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=document.title='pwned'>.png"
TWELVE = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    "Hat", "Gloves",
]  # fmt: skip

CODE = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
import ipywidgets as widgets
from fastclf import ModelBundle
from fastclf.dashboard.about import AboutPanel, ValidationPhotos
from fastclf.dashboard.widgets import PageFrame

photos = {photos!r}
panel = AboutPanel(ModelBundle.load({model!r}), ValidationPhotos(Path(photos)) if photos else None)
panel.start()
box = widgets.VBox([PageFrame(), widgets.HTML("<h1>Colours</h1>"), panel])
box.add_class("fastclf")
box
"""

# the least contrast of a text with what lies behind it, over all elements of a selector
_CONTRAST = """(selector) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const paint = (colours) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => {
        const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return Math.min(...[...document.querySelectorAll(selector)].map((node) => {
        const behind = [];
        for (let at = node; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
        const ground = light(paint(["white", ...behind]));
        const ink = light(paint(["white", ...behind, getComputedStyle(node).color]));
        return (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
    }));
}"""


@pytest.fixture(scope="session")
def pages(once: Once, judged: tuple[Path, Path]) -> dict[str, tuple[str, str]]:
    """{page: (model, photos)}; only an owner's page has photos."""

    def build(folder: Path) -> dict[str, tuple[str, str]]:
        photos, model = shutil.copytree(judged[0], folder / "photos"), judged[1]
        rows = {row.sha256 for row in ModelBundle.load(model).read_photos() if row.split == "valid"}
        moved = next(p for p in sorted((photos / "blue").glob("from-red-*")) if hash_file(p) in rows)
        moved.rename(moved.with_name(HOSTILE))
        twelve = build_wide(folder / "twelve", model, TWELVE, n=4000)
        many = build_wide(folder / "many", model, [f"Class of things {k}" for k in range(13)])
        return {
            "owner": (str(model), str(photos)),
            "visitor": (str(model), ""),
            "twelve": (str(twelve.path), ""),
            "many": (str(many.path), ""),
        }

    return once("about-pages", build)


@pytest.fixture(scope="module")
def look(pages: dict[str, tuple[str, str]], publish: Publish, stay: Visit) -> Callable[..., Page]:
    """Open a page, or go on with the one that an earlier test has opened and left without a dialog."""

    @cache
    def open_once(name: str, language: str) -> Page:
        model, photos = pages[name]
        server = publish(f"about-{name}", CODE.format(root=str(ROOT), model=model, photos=photos))
        page, foreign = stay(language=language), []
        page.on("request", lambda r: foreign.append(r.url) if "127.0.0.1" not in r.url else None)
        page.goto(server.url)
        page.locator(".fastclf-matrix-cell").first.wait_for()
        expect(page.locator(f".fastclf[lang={language[:2]}]")).to_be_attached()
        assert not [url for url in foreign if not url.startswith(("blob:", "data:"))]
        return page

    def go(name: str, width: int = 360, *, scheme: str = "light", language: str = "en-US") -> Page:
        page = open_once(name, language)
        page.set_viewport_size({"width": width, "height": 740 if width < 500 else 900})
        page.emulate_media(color_scheme=scheme)
        return page

    return go


def cell(page: Page, row: int, column: int) -> Locator:
    return page.locator("tbody tr").nth(row).locator(".fastclf-matrix-cell").nth(column)


def expect_no_sideways_scrolling(page: Page) -> None:
    for selector in ("html", ".fastclf"):
        wide, room = page.locator(selector).evaluate("(e) => [e.scrollWidth, e.clientWidth]")
        assert wide <= room, selector


@EVERY_WIDTH
def test_a_visitor_reads_what_a_number_means_and_takes_the_card_along(
    look: Callable[..., Page], pages: dict[str, tuple[str, str]], widths: tuple[int, ...]
) -> None:
    page = look("visitor", widths[-1])
    expect(page.get_by_role("heading", level=2).first).to_have_text("What it is for")
    expect(page.get_by_text("Right on 15 of 18 photos that it did not learn from")).to_be_visible()
    table = page.get_by_role("grid", name="What the photos show, and what the model said")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Photo shows", "Model said", "blue", "green", "red"]
    )
    expect(table.get_by_role("rowheader")).to_have_text(["blue", "green", "red"])
    cell(page, 0, 2).click()
    words = page.get_by_role("status").filter(has_text="2 of 6 photos of blue were called red.")
    expect(words).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    keep_light_and_dark(page, "about-visitor", widths, whole=False)
    for row, column, said in (
        (1, 1, "5 of 6 photos of green were recognised."),
        (1, 0, "1 of 6 photos of green was called blue."),
        (2, 0, "No photo of red was called blue."),
    ):
        cell(page, row, column).click()
        expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
    expect_no_sideways_scrolling(page)
    keep_light_and_dark(page, "about-visitor-whole", widths)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the model card").click()
    assert download.value.suggested_filename == "card.html"
    bundle = ModelBundle.load(pages["visitor"][0])
    assert download.value.path().read_text() == build_card_html(bundle.manifest.to_dict())


@EVERY_WIDTH
def test_an_owner_sees_the_photos_behind_a_number(look: Callable[..., Page], widths: tuple[int, ...]) -> None:
    page = look("owner", widths[-1])
    cell(page, 0, 2).click()
    sheet = page.get_by_role("dialog", name="2 of 6 photos of blue were called red.")
    expect(sheet).to_be_visible()
    photos = sheet.get_by_role("listitem")
    expect(photos).to_have_count(2)
    expect(photos.get_by_role("img")).to_have_count(2)
    expect(photos.nth(0)).to_contain_text(re.compile(r"Model: red, (over )?\d+\s%"))
    wait_true(
        page, "[...document.querySelectorAll('.fastclf-cell img')].every((image) => image.naturalWidth > 0)"
    )
    expect(sheet.get_by_text(HOSTILE)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "pwned"
    keep_light_and_dark(page, "about-owner", widths, whole=False)
    box = sheet.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= widths[-1]
    # what can be touched is large enough
    page = look("owner")
    shut = sheet.get_by_role("button", name="Close")
    assert shut.bounding_box()["height"] >= 44
    shut.click()
    expect(sheet).to_be_hidden()
    expect(cell(page, 0, 2)).to_be_focused()
    for target in [*page.locator("summary").all(), page.get_by_role("link", name="Download the model card")]:
        assert target.bounding_box()["height"] >= 44
    # where there is no photo, there is nothing to open
    cell(page, 2, 0).click()
    expect(page.get_by_role("status").filter(has_text="No photo of red was called blue.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_keyboard_does_everything(look: Callable[..., Page]) -> None:
    page = look("owner", language="en-GB")  # of its own: what others have opened would be stops on the way
    keyboard = page.keyboard
    cell(page, 0, 0).focus()
    assert page.locator(".fastclf-matrix-cell[tabindex='0']").count() == 1
    keyboard.press("ArrowUp")
    expect(cell(page, 0, 0)).to_be_focused()
    keyboard.press("End")
    expect(cell(page, 0, 2)).to_be_focused()
    outline = cell(page, 0, 2).evaluate("(e) => getComputedStyle(e).outlineWidth")
    assert outline == "3px"
    keyboard.press("Enter")
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_role("heading", level=3)).to_be_focused()
    expect(sheet.get_by_role("listitem")).to_have_count(2)
    keyboard.press("Tab")
    expect(sheet.get_by_role("button", name="Close")).to_be_focused()
    keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(cell(page, 0, 2)).to_be_focused()
    keyboard.press("ArrowDown")
    keyboard.press("ArrowLeft")
    expect(cell(page, 1, 1)).to_be_focused()
    keyboard.press(" ")
    expect(page.get_by_role("dialog", name="5 of 6 photos of green were recognised.")).to_be_visible()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(cell(page, 1, 1)).to_be_focused()
    # the table is one stop: what comes next is behind it
    keyboard.press("Tab")
    expect(page.locator("summary").first).to_be_focused()
    keyboard.press("Enter")
    expect(page.get_by_role("region", name="Error rates")).to_be_visible()


def test_twelve_classes_fit_a_phone_and_more_scroll_in_their_own_region(look: Callable[..., Page]) -> None:
    page = look("twelve", 360)
    frame = page.get_by_role("region", name="What the photos show, and what the model said")
    wide, room = frame.evaluate("(e) => [e.scrollWidth, e.clientWidth]")
    assert wide <= room + 1  # rounded up and down
    boxes = [cell(page, 0, k).bounding_box() for k in range(12)]
    assert all(box["height"] >= 44 and box["width"] >= 20 for box in boxes)
    assert boxes[-1]["x"] + boxes[-1]["width"] <= 360
    clipped = "(e) => e.scrollWidth > e.clientWidth"
    assert not any(cell(page, k, k).evaluate(clipped) for k in range(12))
    frame.scroll_into_view_if_needed()
    keep(page, "about-twelve-360")
    page = look("many", 360, scheme="dark")
    frame = page.get_by_role("region", name="What the photos show, and what the model said")
    wide, room = frame.evaluate("(e) => [e.scrollWidth, e.clientWidth]")
    assert wide > room
    expect_no_sideways_scrolling(page)
    cell(page, 0, 0).focus()
    page.keyboard.press("End")
    expect(cell(page, 0, 12)).to_be_in_viewport()
    # which row it is stays in sight
    expect(page.get_by_role("rowheader").first).to_be_in_viewport()
    assert page.get_by_role("rowheader").first.bounding_box()["x"] < 60
    keep(page, "about-many-360")


def test_every_number_can_be_read_on_its_colour(look: Callable[..., Page]) -> None:
    page = look("twelve")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for kind in ("right", "wrong", "none"):
            assert page.evaluate(_CONTRAST, f".fastclf-matrix-cell[data-kind='{kind}']") >= 4.5, kind
        for part in ("p", "li", "th bdi", "figcaption", "summary h2", ".fastclf-about-interval"):
            assert page.evaluate(_CONTRAST, f".fastclf-about {part}") >= 4.5, part
        colours = page.evaluate(
            "[...document.querySelectorAll('.fastclf-matrix-cell')].map((e) => getComputedStyle(e).backgroundColor)"
        )
        assert len(set(colours)) > 3


def test_another_language_turns_the_table_and_its_arrows(look: Callable[..., Page]) -> None:
    page = look("visitor", 360, language="ar")
    expect(page.get_by_role("heading", level=2).first).to_have_text("الغرض منه")
    expect(page.get_by_role("columnheader").first).to_have_text("الصورة تُظهر")
    assert cell(page, 0, 0).bounding_box()["x"] > cell(page, 0, 2).bounding_box()["x"]
    cell(page, 0, 0).focus()
    page.keyboard.press("ArrowLeft")
    expect(cell(page, 0, 1)).to_be_focused()
    cell(page, 0, 2).click()
    expect(page.get_by_role("status").filter(has_text="سُمّيت")).to_be_visible()
    expect_no_sideways_scrolling(page)
    keep(page, "about-ar-360", whole=True)
    page = look("visitor", 1440, language="ar")
    speak(page, "es")
    expect(page.get_by_text("Acierta en 15 de cada 18 fotos de las que no aprendió")).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()
    keep(page, "about-es-1440-open", whole=True)
