"""The Classify tab as people use it: chosen, dragged, pasted photos, cards, why, that's wrong, the table."""

from __future__ import annotations

import csv
import io
import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from ..conftest import Trained
from ..drawing import draw_photo, encode
from .conftest import Visit, choose, clear, sealed_digits
from .pictures import EVERY_WIDTH, PHONE, is_wider_than_the_window, keep, keep_light_and_dark
from .servers import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(digits: Callable[[str], Server]) -> Server:
    return digits("serve")


@pytest.fixture(scope="module")
def open_page(stay: Visit, server: Server) -> Page:
    page = stay(server.url)
    page.locator(".fastclf-drop").get_by_role("button", name="Choose photos").wait_for()
    return page


@pytest.fixture
def page(open_page: Page) -> Page:
    """A page of the usual size, without a card."""
    clear(open_page)
    return open_page


def cards(page: Page) -> Locator:
    return page.locator(".fastclf-card")


def png(name: str, colour: str = "red") -> dict:
    return {"name": name, "mimeType": "image/png", "buffer": encode(draw_photo(colour, 0), "PNG")}


@EVERY_WIDTH
def test_every_state_fits_the_window_and_has_no_barrier(
    visit: Visit, server: Server, trained: Trained, widths: tuple[int, ...]
) -> None:
    page = visit(server.url, width=widths[0], height=800)
    page.locator(".fastclf-example img").first.wait_for()
    keep_light_and_dark(page, "classify-start", widths, whole=False)
    page.locator(".fastclf-example").nth(3).click()
    # the first answer takes one action, and the drop zone stands in the place of the plain upload
    expect(cards(page).get_by_role("heading")).to_contain_text("3, ")
    expect(page.locator(".fastclf-plain")).to_be_hidden()
    keep_light_and_dark(page, "classify-one", widths, whole=False)
    long = {**png(f"{'a-very-long-name-' * 6}.png"), "buffer": encode(draw_photo("blue", 1), "PNG")}
    choose(page, *sealed_digits(trained).values())
    choose(page, long, {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff"})
    expect(cards(page)).to_have_count(6)
    page.get_by_text("Use a photo from the web").click()
    first = cards(page).nth(0)
    first.get_by_role("button", name="Why?").click()
    expect(first.locator(".fastclf-heat")).to_be_visible()
    first.get_by_role("button", name="That's wrong").click()
    expect(first.get_by_label("What is it really?")).to_be_focused()
    keep_light_and_dark(page, "classify-cards", widths)


def test_a_photo_is_seen_large_with_its_heat(page: Page, trained: Trained) -> None:
    choose(page, *sealed_digits(trained).values())
    expect(cards(page)).to_have_count(3)
    first = cards(page).first
    first.locator(".fastclf-look").click()
    viewer = page.get_by_role("dialog", name="The photo, large")
    viewer.get_by_role("button", name="Why?").click()
    expect(viewer.locator(".fastclf-viewer-heat")).to_be_visible()
    viewer.get_by_label("Strength of the marks").fill("40")
    expect(viewer.locator(".fastclf-viewer-heat")).to_have_css("opacity", "0.4")
    keep_light_and_dark(page, "viewer", (PHONE,), whole=False)
    page.keyboard.press("ArrowRight")
    viewer.get_by_role("heading").focus()
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("Photo 2 of 3")
    expect(viewer.locator(".fastclf-viewer-heat")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(cards(page).nth(1).locator(".fastclf-look")).to_be_focused()


def test_photos_are_dragged_and_pasted_anywhere_on_the_page(page: Page) -> None:
    data = b64encode(encode(draw_photo("red", 0), "PNG")).decode()
    send = """([kind, data, name]) => {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], name, { type: "image/png" }));
        const make = (type) => kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
            : new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
        if (kind === "drag") document.querySelector("h1").dispatchEvent(make("dragover"));
        const over = Boolean(document.querySelector(".fastclf-drop-over"));
        document.querySelector("h1").dispatchEvent(make("drop"));
        return over;
    }"""
    assert page.evaluate(send, ["drag", data, "dragged.png"])
    expect(cards(page)).to_have_count(1)
    page.evaluate(send, ["paste", data, "pasted.png"])
    expect(cards(page)).to_have_count(2)
    assert page.locator(".fastclf-drop-over").count() == 0
    names = cards(page).locator(".fastclf-file").all_inner_texts()
    assert {"dragged.png", "pasted.png"} <= set(names)


def test_a_web_address_that_is_not_public_is_refused_in_a_sentence(page: Page, server: Server) -> None:
    page.get_by_text("Use a photo from the web").click()
    field = page.get_by_label("Web address of a photo")
    field.fill(f"{server.url}voila/static/x.png")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text=re.compile(r"\w"))).to_contain_text("127.0.0.1")
    assert cards(page).count() == 0
    choose(page, png("after.png"))
    expect(cards(page)).to_have_count(1)


def test_a_phone_photo_travels_small_and_upright(
    page: Page, tmp_path: Path, rng: np.random.Generator
) -> None:
    sent: list[int] = []
    # the browser's own count of what leaves over the websocket
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.webSocketFrameSent", lambda e: sent.append(len(e["response"]["payloadData"])))
    coarse = Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    photo = coarse.resize((4000, 3000), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    photo.save(tmp_path / "phone.jpg", "JPEG", quality=95, exif=exif)
    assert (tmp_path / "phone.jpg").stat().st_size > 1_500_000
    choose(page, tmp_path / "phone.jpg")
    expect(cards(page)).to_have_count(1)
    # binary frames are counted in base64 by the browser's protocol
    assert 20_000 < max(sent) * 3 / 4 <= 300_000 + 2000
    image = cards(page).get_by_role("img")
    assert image.evaluate("(i) => i.naturalHeight > i.naturalWidth")


def test_a_hundred_photos_show_progress_and_can_be_cancelled(page: Page) -> None:
    choose(page, *[png(f"photo-{i}.png", ("red", "green", "blue")[i % 3]) for i in range(103)])
    expect(page.get_by_role("alert").filter(has_text="3 more were skipped")).to_be_visible()
    bar = page.get_by_role("progressbar", name="Photos answered")
    expect(bar).to_have_attribute("max", "100")
    page.wait_for_function("document.querySelectorAll('.fastclf-card').length >= 5")
    keep(page, "classify-hundred", check=False)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status").filter(has_text="Cancelled")).to_be_visible()
    # what comes next is answered, and nothing of what was cancelled
    choose(page, png("next.png"))
    expect(page.get_by_role("button", name="Remove next.png")).to_be_visible()
    count = cards(page).count()
    assert 5 < count < 100
    choose(page, png("last.png"))
    expect(page.get_by_role("button", name="Remove last.png")).to_be_visible()
    assert cards(page).count() == count + 1
    page.get_by_role("button", name="Clear all").click()
    expect(cards(page)).to_have_count(0)
    choose(page, *[png(f"again-{i}.png") for i in range(100)])
    expect(cards(page)).to_have_count(100, timeout=60_000)
    expect(page.get_by_role("status").filter(has_text="100 photos looked at")).to_be_visible()


def test_cards_are_added_announced_saved_as_a_table_and_removed(page: Page) -> None:
    # cleared before their number was announced
    choose(page, *(png(f"{number}.png") for number in range(4)))
    expect(cards(page)).to_have_count(4)
    clear(page)
    choose(page, png("first.png"))
    expect(page.locator(".fastclf-answers [aria-live]")).to_contain_text("first.png: ")
    choose(page, png("second.png"), png("third.png"))
    expect(cards(page)).to_have_count(3)
    # the newest upload stands first, its photos in their order
    names = [card.get_attribute("aria-label") for card in cards(page).all()]
    assert names == ["second.png", "third.png", "first.png"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a table").click()
    assert download.value.suggested_filename == "answers.csv"
    rows = csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig")))
    assert sorted(row["file"] for row in rows) == sorted(names)
    page.get_by_role("button", name="Remove second.png").click()
    expect(cards(page)).to_have_count(2)
    expect(cards(page).nth(0)).to_be_focused()


def test_everything_on_a_card_works_with_the_keyboard(page: Page) -> None:
    page.locator(".fastclf-example").first.focus()
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(1)
    reached = []
    page.locator(".fastclf-cards").evaluate("(e) => e.querySelector('li').focus()")
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert re.fullmatch("Look closely at .*", reached[0])
    assert reached[1:] == ["Why?", "That's wrong", "×"]
    page.get_by_role("button", name="Why?").press("Enter")
    expect(page.locator(".fastclf-heat")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile("marked parts"))).to_be_visible()
    page.get_by_role("button", name="Hide why").press("Enter")
    expect(page.locator(".fastclf-heat")).to_have_count(0)
    page.get_by_role("button", name="That's wrong").press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="That's wrong")).to_be_focused()


@pytest.mark.parametrize(
    ("language", "button", "direction"),
    [
        ("ar", "اختر صورًا", "rtl"),
        pytest.param("es-MX", "Elegir fotos", "ltr", marks=pytest.mark.thorough),
        pytest.param("fr", "Choose photos", "ltr", marks=pytest.mark.thorough),
    ],
)
def test_the_page_speaks_the_browsers_language(
    visit: Visit, server: Server, language: str, button: str, direction: str
) -> None:
    page = visit(server.url, width=360, language=language)
    expect(page.get_by_role("button", name=button)).to_be_visible()
    assert page.evaluate("document.documentElement.dir") == direction
    page.locator(".fastclf-example").first.click()
    expect(cards(page)).to_have_count(1)
    assert not is_wider_than_the_window(page)
    keep(page, f"classify-{language}", whole=True)


def test_another_language_is_chosen_in_the_page_and_kept(page: Page) -> None:
    page.locator(".fastclf-example").nth(1).click()
    expect(cards(page)).to_have_count(1)
    page.get_by_label("Language").focus()
    page.get_by_label("Language").select_option("es")
    expect(page.get_by_role("button", name="¿Por qué?")).to_be_visible()
    expect(page.get_by_label("Idioma")).to_be_focused()
    page.reload()
    expect(page.get_by_role("button", name="Elegir fotos")).to_be_visible()
    page.get_by_label("Idioma").select_option("en")
    expect(page.get_by_label("Language")).to_be_visible()


def test_the_plain_upload_answers_where_the_scripts_do_not_run(
    visit: Visit, server: Server, trained: Trained
) -> None:
    page = visit()
    # a widget's script is imported from an object URL
    page.add_init_script("URL.createObjectURL = () => { throw new Error('not here'); };")
    page.goto(server.url)
    upload = page.locator(".fastclf-plain").get_by_role("button", name="Choose photos")
    with page.expect_file_chooser() as chooser:
        upload.click()
    chooser.value.set_files(sealed_digits(trained)["7"])
    expect(page.locator(".fastclf-plain li")).to_contain_text("7, ")
