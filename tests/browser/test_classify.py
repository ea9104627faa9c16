"""The Classify tab as people use it: chosen, dragged, pasted photos, cards, why, that's wrong, the table."""

from __future__ import annotations

import csv
import io
import re
import signal
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from ..conftest import Trained
from ..drawing import draw_photo, encode
from .conftest import Visit, break_line_after, choose, clear, hold_line, sealed_digits, wait_true
from .pictures import EVERY_WIDTH, PHONE, is_wider_than_the_window, keep, keep_light_and_dark
from .servers import Server, read_kernel

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
    # it can be mended
    expect(field).to_have_value(f"{server.url}voila/static/x.png")
    choose(page, png("after.png"))
    expect(cards(page)).to_have_count(1)


def test_a_picture_that_stands_in_its_own_address_is_a_file_like_any_other(
    page: Page, rng: np.random.Generator
) -> None:
    noise = encode(Image.fromarray(rng.integers(0, 256, (700, 700, 3), dtype=np.uint8)), "PNG")
    assert len(noise) > 2**20
    # a test before may have left it open
    page.locator(".fastclf-address").evaluate("details => { details.open = true; }")
    field = page.get_by_label("Web address of a photo")
    field.fill(f"data:image/png;base64,{b64encode(noise).decode()}")
    field.press("Enter")
    expect(cards(page)).to_have_count(1)
    expect(cards(page).first.get_by_role("img")).to_be_visible()
    field.fill("data:image/png;base64,@@@")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="is damaged")).to_be_visible()


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
    # which ones, before anything is answered
    expect(page.get_by_role("alert").filter(has_text="3 more were skipped")).to_contain_text("photo-102.png")
    bar = page.get_by_role("progressbar", name="Photos answered")
    expect(bar).to_have_attribute("max", "100")
    expect(page.locator(".fastclf-card").nth(4)).to_be_attached(timeout=30_000)
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
    page.get_by_role("button", name="Undo").click()
    expect(cards(page)).to_have_count(3)
    page.get_by_role("button", name="Clear all").click()
    expect(cards(page)).to_have_count(0)
    keep(page, "classify-cleared")
    page.get_by_role("button", name="Undo").click()
    expect(cards(page)).to_have_count(3)
    assert [card.get_attribute("aria-label") for card in cards(page).all()] == names
    # the next upload ends the offer
    page.get_by_role("button", name="Remove first.png").click()
    choose(page, png("fourth.png"))
    expect(cards(page)).to_have_count(3)
    expect(page.get_by_role("button", name="Undo")).to_be_hidden()


def test_everything_on_a_card_works_with_the_keyboard(page: Page) -> None:
    page.locator(".fastclf-example").first.focus()
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(1)
    reached = []
    page.locator(".fastclf-cards").evaluate("(e) => e.querySelector('li').focus()")
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.title"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["Look closely", "Why?", "That's wrong", "Save", "×"]
    page.get_by_role("button", name="Why?").press("Enter")
    expect(page.locator(".fastclf-heat")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile("marked parts"))).to_be_visible()
    page.get_by_role("button", name="Hide why").press("Enter")
    expect(page.locator(".fastclf-heat")).to_have_count(0)
    page.get_by_role("button", name="That's wrong").press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="That's wrong")).to_be_focused()


def test_many_answers_are_counted_chosen_sorted_and_listed(page: Page, trained: Trained) -> None:
    broken = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff"}
    choose(page, *sealed_digits(trained).values())
    choose(page, broken)
    expect(cards(page)).to_have_count(4)
    assert not page.locator(".fastclf-line").first.is_visible()
    choose(page, *sealed_digits(trained).values())
    choose(page, png("last.png"))
    expect(cards(page)).to_have_count(8)
    # from eight on a list, whose rows open
    line = page.locator(".fastclf-line").first
    expect(line).to_be_visible()
    expect(page.get_by_role("button", name="Why?")).to_have_count(0)
    line.click()
    expect(line).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("button", name="Why?")).to_have_count(1)
    chip = page.locator(".fastclf-chip").filter(has_text="unreadable")
    expect(chip).to_have_text("unreadable (1)")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("1 of 8 answers are shown.")).to_be_visible()
    assert page.locator(".fastclf-card:visible").count() == 1
    keep_light_and_dark(page, "classify-chosen", (PHONE,), whole=False)
    # new answers are never left out
    choose(page, png("new.png"))
    expect(page.locator(".fastclf-card:visible")).to_have_count(9)
    page.get_by_label("Order").select_option("Most doubtful first")
    expect(cards(page).last).to_have_attribute("aria-label", "broken.jpg")
    keep_light_and_dark(page, "classify-list", (PHONE,))
    page.get_by_role("button", name="Show as cards").click()
    expect(line).to_be_hidden()
    page.get_by_role("button", name="Show as a list").click()
    expect(line).to_be_visible()
    page.get_by_label("Order").select_option("Newest first")
    expect(cards(page).first).to_have_attribute("aria-label", "new.png")


def test_what_is_new_comes_into_view(page: Page) -> None:
    page.set_viewport_size({"width": 1000, "height": 520})
    choose(page, *(png(f"{number}.png") for number in range(7)))
    expect(cards(page)).to_have_count(7)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    choose(page, png("newest.png"))
    expect(page.locator(".fastclf-card[aria-label='newest.png'] .fastclf-line")).to_be_in_viewport()
    # and how many there are of each
    expect(page.locator(".fastclf-answers-head")).to_be_in_viewport(ratio=1)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    choose(page, *(png(f"{number}.png") for number in range(101)))
    expect(page.get_by_role("alert").filter(has_text="1 more were skipped")).to_be_in_viewport()
    page.set_viewport_size({"width": 1000, "height": 900})


def test_an_answer_that_was_lost_on_its_way_is_asked_for(
    visit: Visit, server: Server, trained: Trained
) -> None:
    page = visit()
    hold_line(page)
    page.goto(server.url)
    page.locator(".fastclf-example img").first.wait_for()
    break_line_after(page, page.locator(".fastclf-example").first.click)
    expect(cards(page)).to_have_count(1)
    expect(page.locator(".fastclf-progress")).to_be_hidden()
    cards(page).first.get_by_role("button", name="Why?").wait_for()
    break_line_after(page, cards(page).first.get_by_role("button", name="Why?").click)
    expect(cards(page).first.locator(".fastclf-heat")).to_be_visible()
    # an answer that has arrived does not come twice
    choose(page, png("red.png"))
    expect(cards(page)).to_have_count(2)


def test_answers_outlive_a_reload_and_are_the_kernels_again(page: Page, trained: Trained) -> None:
    page.locator(".fastclf-example").nth(2).click()
    expect(cards(page)).to_have_count(1)
    choose(page, *sealed_digits(trained).values())
    expect(cards(page)).to_have_count(4)
    before = cards(page).evaluate_all(
        "all => all.map((e) => [e.ariaLabel, e.querySelector('h3').textContent])"
    )
    page.reload()
    expect(cards(page)).to_have_count(4)
    # as soon as the new kernel has answered them, each can be asked why
    expect(page.get_by_role("button", name="Why?")).to_have_count(4)
    after = cards(page).evaluate_all(
        "all => all.map((e) => [e.ariaLabel, e.querySelector('h3').textContent])"
    )
    assert after == before
    choose(page, png("later.png"))
    expect(cards(page).first).to_have_attribute("aria-label", "later.png")
    # what was removed and came back is kept again
    cards(page).first.get_by_role("button", name="Remove later.png").click()
    expect(cards(page)).to_have_count(4)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(cards(page)).to_have_count(5)
    page.reload()
    expect(page.get_by_role("button", name="Why?")).to_have_count(5)
    clear(page)
    assert page.evaluate("Object.keys(sessionStorage).filter((k) => !k.endsWith(' seen')).length") == 0
    choose(page, png("old.png"))
    expect(cards(page)).to_have_count(1)
    # after ten minutes nothing is left
    page.evaluate("onpagehide = () => sessionStorage.setItem('fastclf-kept / seen', Date.now() - 601_000)")
    page.reload()
    page.locator(".fastclf-drop .fastclf-primary").wait_for()
    wait_true(page, "Object.keys(sessionStorage).every((k) => !k.startsWith('fastclf-kept / 1'))")
    assert cards(page).count() == 0


# the page hears nothing any more from the first new answer on, until `release()`
HELD = """(() => {
    const held = [];
    window.hasAnswer = () => held.length > 0;
    window.release = () => {
        window.release = undefined;
        held.splice(0).forEach((hear) => hear());
    };
    const isAnswer = (data) => /"type": ?"add"/.test(new TextDecoder().decode(data));
    window.WebSocket = class extends WebSocket {
        set onmessage(act) {
            super.onmessage = (event) => {
                if (window.release && (held.length || isAnswer(event.data))) held.push(() => act(event));
                else act(event);
            };
        }
    };
})();"""


def test_what_is_removed_while_it_is_asked_again_stays_away(visit: Visit, server: Server) -> None:
    page = visit(server.url)
    choose(page, png("a.png"), png("b.png"))
    whys = page.get_by_role("button", name="Why?")
    expect(whys).to_have_count(2)
    page.add_init_script(HELD)

    def reload() -> None:
        page.reload()
        expect(page.get_by_text("From before this page was loaded again.")).to_have_count(2)
        wait_true(page, "hasAnswer()")

    reload()
    page.get_by_role("button", name="Remove a.png").click()
    page.evaluate("release()")
    expect(whys).to_have_count(1)
    expect(cards(page)).to_have_count(1)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(whys).to_have_count(2)
    reload()
    page.get_by_role("button", name="Clear all").click()
    page.evaluate("release()")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(whys).to_have_count(2)
    reload()
    page.get_by_role("button", name="Clear all").click()
    page.evaluate("release()")
    page.locator(".fastclf-example").first.click()
    # behind it nothing comes any more
    expect(whys).to_have_count(1)
    assert cards(page).count() == 1


# what a browser does whose storage is refused, full, or nearly so
DENIED = """for (const name of ["sessionStorage", "localStorage"]) {
    Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
}"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
SMALL = """const setItem = Storage.prototype.setItem;
Storage.prototype.setItem = function (name, text) {
    const others = Object.keys(this).filter((key) => key !== name).map((key) => this.getItem(key).length);
    if (others.reduce((sum, n) => sum + n, text.length) > ROOM) throw new DOMException("full", "QuotaExceededError");
    setItem.call(this, name, text);
};"""


@pytest.mark.parametrize("storage", [DENIED, FULL], ids=["denied", "full"])
def test_where_the_browser_keeps_nothing_photos_are_answered_all_the_same(
    visit: Visit, server: Server, storage: str
) -> None:
    page = visit()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(storage)
    page.goto(server.url)
    page.locator(".fastclf-example").first.click()
    choose(page, png("a.png"), png("b.png"))
    expect(cards(page)).to_have_count(3)
    page.get_by_role("button", name="Remove a.png").click()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(cards(page)).to_have_count(3)
    page.get_by_label("Language").select_option("Español")
    expect(page.get_by_role("tab").first).to_have_text("Clasificar")
    page.reload()
    page.locator(".fastclf-example").first.click()
    expect(cards(page)).to_have_count(1)
    assert errors == []


def test_where_there_is_little_room_the_oldest_photos_give_way_and_every_answer_stays(
    visit: Visit, server: Server
) -> None:
    page = visit()
    page.goto(server.url)
    # much larger than what is shown of them
    photo = encode(draw_photo("red", 0, (800, 600)), "JPEG")
    photos = [{"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": photo} for n in range(4)]
    choose(page, *photos)
    expect(cards(page)).to_have_count(4)
    sizes = page.evaluate("Object.values(sessionStorage).map((text) => text.length)")
    # the kernel has answered all, and the page begins anew with less room
    clear(page)
    page.add_init_script(SMALL.replace("ROOM", str(int(0.8 * sum(sizes)))))
    page.reload()
    choose(page, *photos)
    expect(cards(page)).to_have_count(4)
    page.reload()
    expect(cards(page)).to_have_count(4)
    # the newest is the kernel's again, of the oldest only the answer is left
    newest, oldest = (page.locator(f".fastclf-card[aria-label='{n}.jpg']") for n in (3, 0))
    expect(newest.get_by_role("button", name="Why?")).to_have_count(1)
    expect(oldest).to_contain_text("From before this page was loaded again.")


def test_an_answer_is_a_picture_and_all_are_printed(page: Page, trained: Trained) -> None:
    choose(page, *list(sealed_digits(trained).values())[:2])
    expect(cards(page)).to_have_count(2)
    with page.expect_download() as download:
        cards(page).first.get_by_role("button", name="Save as a picture").click()
    with Image.open(download.value.path()) as image:
        assert image.format == "JPEG"
        assert image.width == 1080 < image.height
        # below the photo stand words, and bars in the page's colour
        below = np.asarray(image.convert("RGB"))[1080:].reshape(-1, 3).astype(int)
    assert (below.min(0) < 60).all()
    assert (below[:, 2] - below[:, 0] > 100).sum() > 1000
    page.emulate_media(media="print")
    for tool in (".fastclf-drop", ".fastclf-answers-head button", ".fastclf-remove", ".fastclf-foot"):
        expect(page.locator(tool).first).to_be_hidden()
    expect(cards(page).first.get_by_role("heading")).to_be_visible()
    assert cards(page).first.evaluate("(e) => getComputedStyle(e).breakInside") == "avoid"
    page.emulate_media(media="screen")


CAMERA = """([name]) => {
    window.stopped = 0;
    navigator.mediaDevices.getUserMedia = async () => {
        if (name) throw new DOMException("no", name);
        const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
        const context = canvas.getContext("2d");
        setInterval(() => { context.fillStyle = "red"; context.fillRect(0, 0, 320, 240); }, 50);
        const stream = canvas.captureStream(20);
        for (const track of stream.getTracks()) {
            const stop = track.stop.bind(track);
            track.stop = () => { window.stopped += 1; stop(); };
        }
        return stream;
    };
}"""


def test_a_computers_camera_takes_a_photo_and_is_always_off_afterwards(page: Page) -> None:
    page.evaluate(CAMERA, [""])
    page.get_by_role("button", name="Take a photo").click()
    window = page.get_by_role("dialog", name="Take a photo")
    expect(window.get_by_role("button", name="Take", exact=True)).to_be_enabled()
    keep_light_and_dark(page, "classify-camera", (PHONE,), whole=False)
    window.get_by_role("button", name="Take", exact=True).click()
    expect(cards(page)).to_have_count(1)
    wait_true(page, "window.stopped === 1")
    page.get_by_role("button", name="Take a photo").click()
    expect(window.get_by_role("button", name="Take", exact=True)).to_be_enabled()
    page.keyboard.press("Escape")
    expect(window).to_have_count(0)
    wait_true(page, "window.stopped === 2")
    page.evaluate(CAMERA, ["NotAllowedError"])
    page.get_by_role("button", name="Take a photo").click()
    expect(window.get_by_role("status")).to_contain_text("not allowed here")
    window.get_by_role("button", name="Close").click()
    page.evaluate("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.get_by_role("button", name="Take a photo").click()
    expect(page.get_by_role("alert").filter(has_text="over https")).to_be_visible()


def test_a_button_pastes_what_was_copied(page: Page) -> None:
    data = b64encode(encode(draw_photo("red", 0), "PNG")).decode()
    page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const item = new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) });
            navigator.clipboard.read = async () => [item];
        }""",
        data,
    )
    page.get_by_role("button", name="Paste").click()
    expect(cards(page)).to_have_count(1)
    page.evaluate("() => { navigator.clipboard.read = async () => { throw new Error(); }; }")
    page.get_by_role("button", name="Paste").click()
    expect(page.get_by_role("alert").filter(has_text="Ctrl+V")).to_be_visible()


def test_a_page_without_its_kernel_still_gives_the_table(visit: Visit, server: Server) -> None:
    page = visit(server.url, width=PHONE, height=740)
    page.locator(".fastclf-example").nth(3).click()
    expect(cards(page)).to_have_count(1)
    [kernel] = server.find_kernels(read_kernel(page))
    kernel.send_signal(signal.SIGKILL)
    notice = page.locator(".fastclf-notice[role=alert]")
    expect(notice).to_be_visible()
    whole = notice.bounding_box()
    notice.get_by_role("button", name="Less").click()
    folded = notice.bounding_box()
    assert whole is not None
    assert folded is not None
    assert folded["height"] < 0.55 * whole["height"]
    keep(page, "classify-lost")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a table").click()
    [row] = csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig")))
    assert (row["file"], row["label"]) == ("Example photo 4", "3")
    assert float(row["3"]) == pytest.approx(float(row["probability"]))


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
