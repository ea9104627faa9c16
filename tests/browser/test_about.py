"""The About tab in a real Chromium: the confusion matrix and the photos behind its cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from fastclf import ModelBundle
from fastclf.card import build_card_html
from fastclf.system import hash_file

from ..conftest import ROOT
from ..dashboard.judged import build_judged, build_wide
from .conftest import Server, build_checkout, keep, start, stop

pytestmark = pytest.mark.slow

SIZES = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]
HOSTILE = "<img src=x onerror=document.title='pwned'>.png"
TWELVE = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    "Hat", "Gloves",
]  # fmt: skip

# stands in for the page's theme where the style sheet has only its light half
THEME = """
html, body, body :has(.fastclf) { background: #f6f8fb !important; }
.fastclf .widget-html-content { color: var(--ink); }
.fastclf { --ground: #f6f8fb; --on-accent: #ffffff; --good: #1d6b3a; --focus: #b45f06; }
@media (prefers-color-scheme: dark) {
  .fastclf {
    --ink: #e6eaf0; --soft: #a3aebd; --line: #343c48; --card: #1b212a; --ground: #14181f; --accent: #7db1ff;
    --on-accent: #0d1117; --warn: #ffb066; --bad: #ff9a94; --good: #7fd49b; --focus: #ffc266;
  }
  html, body, body :has(.fastclf) { background: #14181f !important; }
}
"""

CODE = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
import ipywidgets as widgets
from fastclf import ModelBundle
from fastclf.dashboard.about import AboutPanel, ValidationPhotos
from fastclf.dashboard.widgets import PageFrame
from fastclf.dashboard.widgets.scripted import read_style
from tests.browser.test_about import THEME

style = read_style()
if "prefers-color-scheme" not in style:
    style += THEME
about = Path({root!r}, "fastclf", "dashboard", "about", "about.css")
if about.exists():
    style += about.read_text()
photos = {photos!r}
panel = AboutPanel(ModelBundle.load({model!r}), ValidationPhotos(Path(photos)) if photos else None)
panel.start()
sheet = widgets.HTML("<style>" + style + "</style>", layout={{"display": "none"}})
box = widgets.VBox([sheet, PageFrame(), widgets.HTML("<h1>Colours</h1>"), panel])
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("about")
    photos, model = build_judged(folder)
    rows = {row.sha256 for row in ModelBundle.load(model).read_photos() if row.split == "valid"}
    moved = next(p for p in sorted((photos / "blue").glob("from-red-*")) if hash_file(p) in rows)
    moved.rename(moved.with_name(HOSTILE))
    twelve = build_wide(folder / "twelve", model, TWELVE, n=4000)
    many = build_wide(folder / "many", model, [f"Class of things {k}" for k in range(30)])
    checkout = build_checkout(folder / "checkout", None, None)
    pages = {
        "owner": (model, photos),
        "visitor": (model, None),
        "twelve": (twelve.path, None),
        "many": (many.path, None),
    }
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for name, (bundle, beside) in pages.items():
        code = CODE.format(root=str(ROOT), model=str(bundle), photos=str(beside or ""))
        notebook = nbformat.v4.new_notebook(metadata=metadata, cells=[nbformat.v4.new_code_cell(code)])
        nbformat.write(notebook, checkout / f"{name}.ipynb")
    server = start("jupyter", checkout)
    yield server
    stop(server)


@pytest.fixture
def visit(server: Server, browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []

    def go(name: str, width: int = 1000, scheme: str = "light", locale: str = "en") -> Page:
        height = 740 if width < 500 else 900
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        foreign: list[str] = []
        page.on("request", lambda r: foreign.append(r.url) if "127.0.0.1" not in r.url else None)
        page.goto(server.url.replace("dashboard.ipynb", f"{name}.ipynb"))
        page.locator(".fastclf-matrix-cell").first.wait_for()
        if locale != "en":
            expect(page.locator(f".fastclf[lang={locale}]")).to_be_attached()
        assert not [url for url in foreign if not url.startswith(("blob:", "data:"))]
        return page

    yield go
    for context in contexts:
        context.close()


def cell(page: Page, row: int, column: int) -> Locator:
    return page.locator("tbody tr").nth(row).locator(".fastclf-matrix-cell").nth(column)


def expect_no_sideways_scrolling(page: Page) -> None:
    for selector in ("html", ".fastclf"):
        wide, room = page.locator(selector).evaluate("(e) => [e.scrollWidth, e.clientWidth]")
        assert wide <= room, selector


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_a_visitor_reads_what_a_number_means(visit: Callable[..., Page], width: int, scheme: str) -> None:
    page = visit("visitor", width, scheme)
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
    keep(page, f"about-visitor-{width}-{scheme}")
    for row, column, said in (
        (1, 1, "5 of 6 photos of green were recognised."),
        (1, 0, "1 of 6 photos of green was called blue."),
        (2, 0, "No photo of red was called blue."),
    ):
        cell(page, row, column).click()
        expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
    expect_no_sideways_scrolling(page)
    keep(page, f"about-visitor-{width}-{scheme}-whole", whole=True)


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_an_owner_sees_the_photos_behind_a_number(
    visit: Callable[..., Page], width: int, scheme: str
) -> None:
    page = visit("owner", width, scheme)
    cell(page, 0, 2).click()
    sheet = page.get_by_role("dialog", name="2 of 6 photos of blue were called red.")
    expect(sheet).to_be_visible()
    photos = sheet.get_by_role("listitem")
    expect(photos).to_have_count(2)
    expect(photos.get_by_role("img")).to_have_count(2)
    expect(photos.nth(0)).to_contain_text(re.compile(r"Model: red, (over )?\d+\s%"))
    page.wait_for_function(
        "[...document.querySelectorAll('.fastclf-cell img')].every((image) => image.naturalWidth > 0)"
    )
    expect(sheet.get_by_text(HOSTILE)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "pwned"
    keep(page, f"about-owner-{width}-{scheme}")
    box = sheet.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_be_hidden()
    expect(cell(page, 0, 2)).to_be_focused()
    # where there is no photo, there is nothing to open
    cell(page, 2, 0).click()
    expect(page.get_by_role("status").filter(has_text="No photo of red was called blue.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_keyboard_does_everything(visit: Callable[..., Page]) -> None:
    page = visit("owner")
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


def test_twelve_classes_fit_a_phone_and_more_scroll_in_their_own_region(visit: Callable[..., Page]) -> None:
    page = visit("twelve", 360)
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
    page = visit("many", 360, "dark")
    frame = page.get_by_role("region", name="What the photos show, and what the model said")
    wide, room = frame.evaluate("(e) => [e.scrollWidth, e.clientWidth]")
    assert wide > room
    expect_no_sideways_scrolling(page)
    cell(page, 0, 0).focus()
    page.keyboard.press("End")
    expect(cell(page, 0, 29)).to_be_in_viewport()
    # which row it is stays in sight
    expect(page.get_by_role("rowheader").first).to_be_in_viewport()
    assert page.get_by_role("rowheader").first.bounding_box()["x"] < 60
    keep(page, "about-many-360")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_number_can_be_read_on_its_colour(visit: Callable[..., Page], scheme: str) -> None:
    page = visit("twelve", 1000, scheme)
    for kind in ("right", "wrong", "none"):
        assert page.evaluate(_CONTRAST, f".fastclf-matrix-cell[data-kind='{kind}']") >= 4.5, kind
    for part in ("p", "li", "th bdi", "figcaption", "summary h2", ".fastclf-about-interval"):
        assert page.evaluate(_CONTRAST, f".fastclf-about {part}") >= 4.5, part
    colours = page.evaluate(
        "[...document.querySelectorAll('.fastclf-matrix-cell')].map((e) => getComputedStyle(e).backgroundColor)"
    )
    assert len(set(colours)) > 3


def test_another_language_turns_the_table_and_its_arrows(visit: Callable[..., Page]) -> None:
    page = visit("visitor", 360, locale="ar")
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
    page = visit("visitor", 1440, locale="es")
    expect(page.get_by_text("Acierta en 15 de cada 18 fotos de las que no aprendió")).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()
    keep(page, "about-es-1440-open", whole=True)


def test_the_card_can_be_taken_along(visit: Callable[..., Page], server: Server) -> None:
    page = visit("visitor")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the model card").click()
    assert download.value.suggested_filename == "card.html"
    bundle = ModelBundle.load(server.folder.parent / "model")
    assert download.value.path().read_text() == build_card_html(bundle.manifest)


def test_what_can_be_touched_is_large_enough(visit: Callable[..., Page]) -> None:
    page = visit("owner", 360)
    cell(page, 0, 0).click()
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(4)
    shut = page.get_by_role("dialog").get_by_role("button", name="Close")
    assert shut.bounding_box()["height"] >= 44
    shut.click()
    for target in [*page.locator("summary").all(), page.get_by_role("link", name="Download the model card")]:
        assert target.bounding_box()["height"] >= 44
