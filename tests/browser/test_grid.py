"""The cleaner in a real Chromium: keys, focus, selection, pictures, names that would be HTML."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from ..conftest import ROOT
from .conftest import Publish, Visit, speak
from .pictures import keep, keep_light_and_dark

pytestmark = pytest.mark.slow

CODE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from dataclasses import replace
import ipywidgets as widgets
from fastclf.dashboard.clean import CleanPanel
from fastclf.dashboard.widgets import PageFrame, PhotoViewer
from tests.dashboard.memory import VOCAB, MemoryStore, build_group, build_item

items = [build_item(k, VOCAB[k % 3], 1 - k / 100) for k in range(60)]
items[2] = replace(items[2], name="<img src=x onerror=document.title='pwned'>.jpg")
for k, share in ((4, 0.97), (5, 0.99), (7, 0.9)):
    items[k] = replace(items[k], answer="blue", probability=share)
items += build_group("duplicate", 1, [60, 61, 62], best=61)
items += build_group("near-duplicate", 2, [63, 64, 65, 66, 67], best=63)
frame, viewer, again, box = PageFrame(), PhotoViewer(), widgets.Button(description="Begin again"), widgets.VBox()

def close(widget):
    # one that stayed would say its words at each change of language: dozens of them, more than a socket keeps
    for child in getattr(widget, "children", ()):
        close(child)
    widget.close()

def begin():
    for panel in rounds[-1:]:
        close(panel)
    panel = CleanPanel(MemoryStore(items))
    # what was sent before the page opened is gone: it has to ask for the first pictures
    panel.model.page = 1
    panel.model.page = 0
    begun = widgets.Label(f"Begun {{len(rounds)}}")
    rounds.append(panel)
    box.children = [frame, viewer, panel, widgets.HBox([again, begun])]

rounds = []
begin()
again.on_click(lambda _: begin())
box.add_class("fastclf")
box
"""


@pytest.fixture(scope="module")
def open_page(publish: Publish, stay: Visit) -> Page:
    page = stay()
    foreign: list[str] = []
    page.on("request", lambda r: foreign.append(r.url) if "127.0.0.1" not in r.url else None)
    page.goto(publish("cleaner", CODE).url)
    page.locator(".fastclf-tile").first.wait_for()
    assert not [url for url in foreign if not url.startswith(("blob:", "data:"))]
    return page


@pytest.fixture
def cleaner(open_page: Page) -> Page:
    """A cleaner in which nobody has done anything, in English, in a window of the usual size."""
    speak(open_page, "en")
    open_page.set_viewport_size({"width": 1000, "height": 900})
    before = int(open_page.get_by_text("Begun").inner_text().split()[1])
    open_page.get_by_role("button", name="Begin again").click()
    expect(open_page.get_by_text(f"Begun {before + 1}")).to_be_visible()
    expect(open_page.locator(".fastclf-tile-image:visible")).to_have_count(24)
    return open_page


def tile(page: Page, index: int) -> Locator:
    return page.locator(".fastclf-tile").nth(index)


def expect_focus(page: Page, key: int) -> None:
    expect(page.locator(f".fastclf-tile[data-key='{key}']")).to_be_focused()


def expect_said(page: Page, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words).first).to_be_visible()


def test_pictures_arrive_and_a_name_is_never_read_as_html(cleaner: Page) -> None:
    expect(cleaner.locator(".fastclf-tile-image:visible")).to_have_count(24)
    assert "<img src=x" in tile(cleaner, 2).inner_text()
    assert cleaner.locator("img[src=x]").count() == 0
    assert cleaner.title() != "pwned"
    keep(cleaner, "cleaner", check=False)


def test_the_keyboard_does_everything(cleaner: Page) -> None:
    keyboard = cleaner.keyboard
    tile(cleaner, 0).focus()
    keyboard.press("ArrowRight")
    expect_focus(cleaner, 1)
    keyboard.press("3")
    expect(tile(cleaner, 1)).to_contain_text("will become red")
    expect_said(cleaner, "green/001.jpg will become red.")
    expect_focus(cleaner, 2)
    keyboard.press("ArrowLeft")
    keyboard.press("x")
    expect(tile(cleaner, 1)).to_contain_text("will be removed")
    keyboard.press("Control+z")
    expect(tile(cleaner, 1)).to_contain_text("will become red")
    # undo leads back to the photo
    expect_focus(cleaner, 1)
    keyboard.press("Control+Shift+z")
    expect(tile(cleaner, 1)).to_contain_text("will be removed")
    keyboard.press("ArrowRight")
    keyboard.press("a")
    expect(tile(cleaner, 2)).to_contain_text("will become blue")
    keyboard.press("End")
    expect_focus(cleaner, 23)
    keyboard.press("PageDown")
    expect_focus(cleaner, 24)
    expect_said(cleaner, "Page 2 of 3, photos 25 to 48 of 68")
    keyboard.press("PageUp")
    expect_focus(cleaner, 0)
    expect(tile(cleaner, 1)).to_contain_text("will be removed")


def test_what_has_the_focus_keeps_its_keys_from_a_notebook(cleaner: Page) -> None:
    tile(cleaner, 0).focus()
    # JupyterLab looks for this where the focus is, before a key reaches the page
    expect(tile(cleaner, 0)).to_have_attribute("data-lm-suppress-shortcuts", "true")


# the words of the button that has the focus, if nothing covers its middle
SEEN = """() => {
    const { left, top, width, height } = document.activeElement.getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2)?.closest("button")?.innerText;
}"""


def test_at_400_per_cent_no_bar_covers_what_has_the_focus(cleaner: Page) -> None:
    cleaner.set_viewport_size({"width": 360, "height": 225})
    for bar in (".fastclf-grid-top", ".fastclf-clean-footer"):
        expect(cleaner.locator(bar)).to_have_css("position", "static")
    tile(cleaner, 0).get_by_role("button", name="Skip").focus()
    assert cleaner.evaluate(SEEN) == "Skip"


def test_a_skipped_photo_hands_the_focus_to_the_next(cleaner: Page) -> None:
    tile(cleaner, 4).focus()
    cleaner.keyboard.press("s")
    expect_focus(cleaner, 5)
    # the focus goes on at once, the photo a moment later
    expect(tile(cleaner, 4)).to_have_attribute("data-key", "5")
    tile(cleaner, 4).get_by_role("button", name="Skip").click()
    expect_focus(cleaner, 6)
    cleaner.keyboard.press("Control+z")
    expect(cleaner.locator(".fastclf-tile[data-key='5']")).to_be_visible()
    expect_focus(cleaner, 5)


def expect_marked(page: Page, *keys: int) -> None:
    expect(page.locator(".fastclf-tile.fastclf-is-marked")).to_have_count(len(keys))
    for key in keys:
        expect(page.locator(f".fastclf-tile[data-key='{key}']")).to_have_attribute("aria-current", "true")


def test_nothing_can_be_done_to_a_photo_that_is_not_marked(cleaner: Page) -> None:
    bar = cleaner.get_by_role("group", name="Label the selected photos")
    expect_marked(cleaner)
    expect(bar.get_by_role("button", name="Remove")).to_be_disabled()
    tile(cleaner, 3).locator(".fastclf-tile-name").click()
    expect_marked(cleaner, 3)
    expect(bar.get_by_role("button", name="red")).to_be_enabled()
    # a filter shows another list: whatever was marked in the old one is not in the new one
    cleaner.get_by_label("Class", exact=True).focus()
    cleaner.get_by_label("Class", exact=True).select_option("red")
    expect(tile(cleaner, 0)).to_have_attribute("data-key", "2")
    expect_marked(cleaner)
    expect(bar.get_by_role("button", name="Remove")).to_be_disabled()
    tile(cleaner, 0).get_by_role("checkbox").focus()
    expect_marked(cleaner, 2)
    # the bar's buttons go on as the keys do, and what they act on next stays in sight
    bar.get_by_role("button", name="blue").click()
    expect(tile(cleaner, 0)).to_contain_text("will become blue")
    expect_marked(cleaner, 5)


def test_ticked_photos_keep_their_keys(cleaner: Page) -> None:
    for index in (1, 2):
        tile(cleaner, index).get_by_role("checkbox").check()
    cleaner.keyboard.press("3")
    expect(tile(cleaner, 1)).to_contain_text("will become red")
    tile(cleaner, 4).get_by_role("checkbox").check()
    cleaner.keyboard.press("x")
    expect(tile(cleaner, 4)).to_contain_text("will be removed")
    cleaner.keyboard.press("Control+z")
    expect(tile(cleaner, 4)).not_to_contain_text("will be removed")


def test_keys_of_other_keyboards_and_labels_beyond_the_tenth(cleaner: Page) -> None:
    tile(cleaner, 0).focus()
    for key, code in (("٣", "Digit3"), ("ء", "KeyX"), ("س", "KeyS")):
        event = {"key": key, "code": code, "bubbles": True}
        cleaner.locator(".fastclf-tile:focus").dispatch_event("keydown", event)
    expect(tile(cleaner, 0)).to_contain_text("will become red")
    expect(tile(cleaner, 1)).to_contain_text("will be removed")
    expect(cleaner.locator(".fastclf-tile[data-key='2']")).to_have_count(0)
    expect_focus(cleaner, 3)
    cleaner.keyboard.press("l")
    cleaner.get_by_role("combobox", name="Label", exact=True).fill("gr")
    found = cleaner.get_by_role("listbox", name="Labels").get_by_role("option")
    expect(found).to_have_count(1)
    expect(found).to_have_attribute("aria-selected", "true")
    keep(cleaner, "cleaner-palette", check=False)
    cleaner.keyboard.press("Enter")
    expect(cleaner.locator(".fastclf-tile[data-key='3']")).to_contain_text("will become green")
    expect_focus(cleaner, 4)
    cleaner.keyboard.press("l")
    cleaner.keyboard.press("Escape")
    expect_focus(cleaner, 4)


def test_thirteen_corrections_cost_at_most_twenty_keys(cleaner: Page) -> None:
    pressed = 0

    def press(key: str) -> None:
        nonlocal pressed
        pressed += 1
        cleaner.keyboard.press(key)

    # from Select the page, the last stop before the photos
    cleaner.get_by_role("button", name="Select the page").focus()
    press("Tab")
    expect_focus(cleaner, 0)
    # each third photo has the label that is suggested
    for key in "3aa2aasaa2aa2x":
        press(key)
    press("Control+Enter")
    expect(cleaner.get_by_role("button", name="Apply these changes")).to_be_focused()
    press("Enter")
    assert pressed <= 20
    expect_said(cleaner, "13 changes are stored.")
    # a second Enter takes nothing back: it looks at the next photo
    cleaner.keyboard.press("Enter")
    expect(cleaner.get_by_role("dialog", name="The photo, large")).to_be_visible()
    cleaner.keyboard.press("Escape")
    expect(cleaner.locator(".fastclf-tile:focus")).to_have_count(1)
    expect(cleaner.get_by_role("button", name="Apply ...")).to_be_disabled()


def test_what_will_change_is_seen_and_can_be_left_out_one_by_one(cleaner: Page) -> None:
    expect(cleaner.get_by_role("button", name="Undo", exact=True)).to_be_disabled()
    tile(cleaner, 0).focus()
    for key in "xxx":
        cleaner.keyboard.press(key)
    cleaner.keyboard.press("Control+Enter")
    rows = cleaner.get_by_role("list", name="What will change").get_by_role("listitem")
    expect(rows.locator("img[src]")).to_have_count(3)
    keep(cleaner, "cleaner-changes", check=False)
    cleaner.get_by_role("button", name="Leave green/001.jpg as it is").click()
    expect(rows).to_have_count(2)
    expect(cleaner.get_by_role("button", name="Leave blue/000.jpg as it is")).to_be_focused()
    cleaner.keyboard.press("Escape")
    expect(cleaner.get_by_role("button", name="Apply 2 changes ...")).to_be_focused()


def test_escape_on_a_photo_leaves_what_will_change_and_stays_there(cleaner: Page) -> None:
    rows = cleaner.get_by_role("list", name="What will change")
    apply = cleaner.get_by_role("button", name="Apply 2 changes ...")
    tile(cleaner, 0).focus()
    cleaner.keyboard.press("Shift+ArrowRight")
    cleaner.keyboard.press("x")
    expect(apply).to_be_enabled()
    # Escape comes before the list does
    cleaner.evaluate("""() => {
        const press = (key, ctrlKey) => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", {key, ctrlKey, bubbles: true, cancelable: true}));
        press("Enter", true);
        press("Escape", false);
        press("PageDown", false);
    }""")
    # answers come in the order of the keys
    expect_said(cleaner, "Page 2 of 3")
    expect(rows).to_be_hidden()
    expect_focus(cleaner, 24)
    # and after it
    cleaner.keyboard.press("Control+Enter")
    expect(cleaner.get_by_role("button", name="Apply these changes")).to_be_focused()
    tile(cleaner, 3).locator(".fastclf-tile-name").click()
    cleaner.keyboard.press(" ")
    cleaner.keyboard.press("Escape")
    expect(rows).to_be_hidden()
    expect_focus(cleaner, 27)
    # what is selected stays until the next one
    expect(tile(cleaner, 3).get_by_role("checkbox")).to_be_checked()
    cleaner.keyboard.press("Escape")
    expect(tile(cleaner, 3).get_by_role("checkbox")).not_to_be_checked()
    # as on the button that asks for it
    apply.focus()
    cleaner.evaluate("""() => {
        document.activeElement.click();
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
    }""")
    expect(rows).to_be_hidden()
    tile(cleaner, 0).focus()
    cleaner.keyboard.press("PageUp")
    expect_said(cleaner, "Page 1 of 3")
    expect(rows).to_be_hidden()


def test_a_photo_is_seen_large_and_decided_there(cleaner: Page) -> None:
    viewer, keyboard = cleaner.get_by_role("dialog", name="The photo, large"), cleaner.keyboard
    tile(cleaner, 1).locator(".fastclf-tile-image").dblclick()
    expect(viewer.get_by_role("heading", name="green/001.jpg")).to_be_focused()
    expect(viewer).to_contain_text("Photo 2 of 68")
    keep(cleaner, "viewer-clean")
    width = viewer.locator(".fastclf-viewer-image").bounding_box()["width"]
    keyboard.press("+")
    expect(viewer.get_by_role("button", name="Whole photo")).to_have_text("140\u00a0%")
    assert viewer.locator(".fastclf-viewer-image").bounding_box()["width"] > 1.3 * width
    # near, the arrows move over the photo; far, they go to the next
    keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("Photo 2 of 68")
    keyboard.press("-")
    keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("Photo 3 of 68")
    keyboard.press("1")
    expect(viewer).to_contain_text("Photo 4 of 68")
    viewer.get_by_role("button", name="Remove").click()
    expect(viewer).to_contain_text("Photo 5 of 68")
    keyboard.press("Control+z")
    expect(viewer).to_contain_text("Photo 4 of 68")
    keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect_focus(cleaner, 3)
    expect(tile(cleaner, 2)).to_contain_text("will become blue")
    expect(tile(cleaner, 3)).not_to_contain_text("will be removed")
    # past the end of a page comes the next
    keyboard.press("End")
    keyboard.press("Enter")
    viewer.get_by_role("button", name="Next photo").click()
    expect(viewer).to_contain_text("Photo 25 of 68")
    viewer.get_by_role("button", name="Photo before").click()
    expect(viewer).to_contain_text("Photo 24 of 68")
    viewer.get_by_role("button", name="Close").click()
    expect_focus(cleaner, 23)


def test_photos_like_a_corrected_one_are_asked_for_by_mouse_and_key(cleaner: Page) -> None:
    back = cleaner.get_by_role("button", name="Back to the list")
    tile(cleaner, 5).focus()
    cleaner.keyboard.press("1")
    like = cleaner.get_by_role("button", name="More like this red/005.jpg")
    like.click()
    expect_said(cleaner, "The photos most like red/005.jpg, the nearest first.")
    expect(tile(cleaner, 0)).to_have_attribute("data-key", "5")
    expect(tile(cleaner, 0)).to_contain_text("will become blue")
    expect(tile(cleaner, 1)).to_have_attribute("data-key", "4")
    expect(cleaner.locator(".fastclf-tile")).to_have_count(24)
    keep(cleaner, "cleaner-similar", check=False)
    # label and doubt are there, and the keys decide as everywhere
    tile(cleaner, 1).focus()
    cleaner.keyboard.press("x")
    expect(tile(cleaner, 1)).to_contain_text("will be removed")
    expect_focus(cleaner, 6)
    cleaner.keyboard.press("Escape")
    expect(back).to_be_hidden()
    # back where the list was left
    expect_focus(cleaner, 5)
    expect(tile(cleaner, 4)).to_contain_text("will be removed")
    cleaner.keyboard.press("ArrowRight")
    cleaner.keyboard.press("m")
    expect_said(cleaner, "The photos most like blue/006.jpg, the nearest first.")
    expect_focus(cleaner, 6)
    back.click()
    expect_focus(cleaner, 6)
    # from the viewer as well
    cleaner.keyboard.press("Enter")
    cleaner.get_by_role("dialog").get_by_role("button", name="More like this").click()
    expect_said(cleaner, "The photos most like blue/006.jpg, the nearest first.")
    expect(cleaner.get_by_role("dialog")).to_be_hidden()
    expect(like).to_be_visible()


def test_copies_stand_side_by_side_and_a_key_keeps_one(cleaner: Page) -> None:
    viewer, keyboard = cleaner.get_by_role("dialog", name="The photo, large"), cleaner.keyboard
    panes, current = viewer.locator(".fastclf-viewer-pane"), viewer.locator(".fastclf-is-current")
    cleaner.get_by_label("Show", exact=True).select_option("Near copies (5)")
    expect(tile(cleaner, 0)).to_have_attribute("data-key", "63")
    tile(cleaner, 1).get_by_role("button", name="Compare 5").click()
    expect(panes).to_have_count(4)
    expect(panes.nth(0)).to_contain_text("copy to keep")
    expect(current).to_contain_text("red/064.jpg")
    expect(panes.get_by_role("img")).to_have_count(4)
    # all of them are near at once
    keyboard.press("+")
    widths = [panes.nth(i).locator("img").first.bounding_box()["width"] for i in range(4)]
    assert max(widths) - min(widths) < 1
    keyboard.press("-")
    keep_light_and_dark(cleaner, "viewer-copies", (360, 1440), whole=False)
    for pane in panes.all():
        assert pane.bounding_box()["width"] > 100
    keyboard.press("3")
    expect(
        viewer.get_by_role("status").filter(has_text="red/065.jpg is kept; 4 photos will be removed.")
    ).to_be_visible()
    expect(current).to_contain_text("red/065.jpg")
    expect(panes.nth(0)).to_contain_text("will be removed")
    keyboard.press("Control+z")
    expect(panes.nth(0)).not_to_contain_text("will be removed")
    # arrows go on to the fifth, which stands alone on its side
    current_name = viewer.get_by_role("heading")
    while "067" not in current_name.inner_text():
        name = current_name.inner_text()
        keyboard.press("ArrowRight")
        expect(current_name).not_to_have_text(name)
    expect(panes).to_have_count(1)
    keyboard.press("ArrowLeft")
    expect(panes).to_have_count(4)
    viewer.get_by_role("button", name="Keep this one, remove the others: red/064.jpg").click()
    expect(panes.nth(2)).to_contain_text("will be removed")
    keyboard.press("Escape")
    # the group is seen in the list; from there back to where it was opened
    expect(cleaner.locator(".fastclf-clean-groups")).to_contain_text("5 photos side by side")
    expect_focus(cleaner, 64)
    keyboard.press("Escape")
    expect(cleaner.locator(".fastclf-clean-groups")).not_to_contain_text("5 photos side by side")
    expect_focus(cleaner, 64)
    expect(cleaner.get_by_role("button", name="Apply 4 changes ...")).to_be_enabled()
    # a key opens them, where there are any
    keyboard.press("c")
    expect(panes).to_have_count(4)
    keyboard.press("Escape")
    cleaner.get_by_label("Show", exact=True).select_option("All doubts (68)")
    expect(tile(cleaner, 0)).to_have_attribute("data-key", "0")
    tile(cleaner, 0).focus()
    keyboard.press("c")
    expect_said(cleaner, "There is no copy of this photo.")
    expect(viewer).to_be_hidden()


def test_a_first_press_on_a_photo_moves_nothing_under_the_finger(cleaner: Page) -> None:
    cleaner.set_viewport_size({"width": 740, "height": 900})
    button = tile(cleaner, 1).get_by_role("button", name="Skip")
    before = button.bounding_box()
    cleaner.mouse.move(before["x"] + 5, before["y"] + 5)
    cleaner.mouse.down()
    expect_marked(cleaner, 1)
    assert button.bounding_box() == before
    cleaner.mouse.up()


def test_a_photo_of_the_usual_size_has_one_line_of_why(cleaner: Page) -> None:
    # what a button offers is not said a second time
    expect(tile(cleaner, 0).locator(".fastclf-reason-text")).to_be_visible()
    expect(tile(cleaner, 1).get_by_role("button", name="Make it blue")).to_be_visible()
    expect(tile(cleaner, 1).locator(".fastclf-reason-text")).to_be_hidden()
    cleaner.get_by_label("Show", exact=True).select_option("Exact copies (3)")
    expect(tile(cleaner, 0)).to_have_attribute("data-key", "61")
    row = tile(cleaner, 0).locator(".fastclf-reason")
    expect(row.get_by_role("button", name="Compare 3")).to_be_visible()
    expect(row.locator(".fastclf-reason-words")).to_have_attribute("title", "Exact copy a copy (61)")
    cleaner.get_by_label("Size of the photos").select_option("Large")
    expect(row.locator(".fastclf-reason-text")).to_be_visible()
    cleaner.get_by_label("Size of the photos").select_option("Medium")


def test_many_are_selected_over_pages_and_changed_in_one_step(cleaner: Page) -> None:
    tile(cleaner, 1).get_by_role("checkbox").check()
    tile(cleaner, 3).locator(".fastclf-tile-name").click(modifiers=["Shift"])
    cleaner.keyboard.press("Shift+ArrowRight")
    expect_said(cleaner, "4 photos selected.")
    cleaner.get_by_role("button", name="Next page").click()
    expect(tile(cleaner, 0)).to_have_attribute("data-key", "24")
    tile(cleaner, 0).focus()
    cleaner.keyboard.press(" ")
    expect_said(cleaner, "5 photos selected.")
    cleaner.get_by_role("button", name="Remove", exact=True).first.click()
    expect_said(cleaner, "5 photos will be removed.")
    expect(cleaner.get_by_role("button", name="Apply 5 changes ...")).to_be_enabled()
    cleaner.get_by_role("button", name="Undo", exact=True).click()
    expect(cleaner.get_by_role("button", name="Apply ...")).to_be_disabled()


def test_a_field_keeps_its_keys(cleaner: Page) -> None:
    select = tile(cleaner, 0).get_by_role("combobox")
    select.focus()
    cleaner.keyboard.press("x")
    cleaner.keyboard.press("Delete")
    select.select_option("green")
    expect(tile(cleaner, 0)).to_contain_text("will become green")
    expect(select).to_be_focused()
    select.select_option("Remove")
    expect(tile(cleaner, 0)).to_contain_text("will be removed")
    select.select_option("Keep")
    expect(tile(cleaner, 0).locator(".fastclf-tile-outcome")).to_be_hidden()


def test_a_screen_reader_is_told_what_the_eye_sees(cleaner: Page) -> None:
    photos = cleaner.get_by_role("list", name="Photos")
    expect(photos.get_by_role("listitem").filter(has=cleaner.get_by_role("group"))).to_have_count(24)
    tile(cleaner, 0).focus()
    cleaner.keyboard.press("2")
    wanted = re.compile(
        r"Photo 1 of 68; blue.000.jpg; blue; training; will become green; .*Label\? the model says blue \(0\)"
    )
    expect(photos.get_by_role("group", name=wanted)).to_be_visible()
    expect(photos.get_by_role("img", name="blue: blue/000.jpg")).to_be_visible()
    stops = "document.querySelectorAll('.fastclf-grid-list [tabindex=\"0\"]').length"
    # the tile in focus with its tick, its lens, suggestion, select, three buttons; no other tile
    assert cleaner.evaluate(stops) <= 8


def test_a_group_is_compared_and_the_changes_are_applied_after_a_look(cleaner: Page) -> None:
    cleaner.get_by_label("Show", exact=True).select_option("Exact copies (3)")
    tile(cleaner, 0).get_by_role("button", name="Compare 3").click()
    expect(cleaner.locator(".fastclf-viewer-pane")).to_have_count(3)
    cleaner.keyboard.press("Escape")
    expect(cleaner.locator(".fastclf-clean-groups")).to_contain_text("3 photos side by side")
    cleaner.get_by_role("button", name="Keep the best").click()
    cleaner.get_by_role("button", name="Apply 2 changes ...").click()
    expect(cleaner.get_by_role("button", name="Apply these changes")).to_be_focused()
    expect(cleaner.get_by_role("list", name="What will change")).to_contain_text("red/060.jpg")
    cleaner.get_by_role("button", name="Apply these changes").click()
    expect_said(cleaner, "2 changes are stored.")
    with cleaner.expect_download() as download:
        cleaner.get_by_role("link", name="Download the edits").click()
    assert download.value.path().read_text().splitlines()[1:] == [
        "60,remove,,a copy (60)",
        "62,remove,,a copy (62)",
    ]


def test_a_narrow_window_shows_all_of_it(cleaner: Page) -> None:
    cleaner.set_viewport_size({"width": 360, "height": 780})
    expect(cleaner.locator(".fastclf-tile-image:visible")).to_have_count(24)
    for index in range(4):
        box = tile(cleaner, index).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    keep(cleaner, "cleaner-phone", check=False)
    assert cleaner.evaluate("document.documentElement.scrollWidth") <= 360
    # what a finger has to meet
    low = """[...document.querySelectorAll(".fastclf-clean :is(button, select, a, summary, label:has(input))")]
        .map((node) => [node.outerHTML.slice(0, 80), node.getBoundingClientRect().height])
        .filter(([, height]) => height && height < 43.9)"""
    assert cleaner.evaluate(low) == []
    # the labels stay at hand, and cover nothing that has the focus
    for index, name, top in ((6, "Remove", 20), (10, "Skip", 740)):
        button = tile(cleaner, index).get_by_role("button", name=name)
        button.evaluate("(node, top) => scrollBy(0, node.getBoundingClientRect().top - top)", top)
        expect(cleaner.locator(".fastclf-grid-top")).to_be_in_viewport(ratio=1)
        button.focus()
        assert cleaner.evaluate(SEEN) == name
    # the viewer's cross stands beside the name
    tile(cleaner, 0).focus()
    cleaner.keyboard.press("Enter")
    viewer = cleaner.get_by_role("dialog", name="The photo, large")
    name, cross = viewer.get_by_role("heading").bounding_box(), viewer.get_by_label("Close").bounding_box()
    assert cross["x"] >= name["x"] + name["width"]
    assert cross["y"] <= name["y"] + name["height"]
    cleaner.keyboard.press("Escape")


def test_in_arabic_all_of_it_reads_from_right_to_left(cleaner: Page) -> None:
    cleaner.set_viewport_size({"width": 768, "height": 900})
    speak(cleaner, "ar")
    expect(cleaner.get_by_role("button", name="تراجع", exact=True)).to_be_visible()
    expect(cleaner.get_by_role("list", name="الصور")).to_be_visible()
    assert cleaner.locator(".fastclf").first.evaluate("node => getComputedStyle(node).direction") == "rtl"
    first, second = (tile(cleaner, i).bounding_box() for i in range(2))
    assert first["x"] > second["x"]
    tile(cleaner, 0).focus()
    cleaner.keyboard.press("ArrowLeft")
    expect_focus(cleaner, 1)
    cleaner.keyboard.press("3")
    expect(tile(cleaner, 1)).to_contain_text("ستصبح")
    keep(cleaner, "cleaner-arabic", check=False)
    # what is before an arrow stands right of it, so it points to the left
    cleaner.keyboard.press("Control+Enter")
    expect(cleaner.locator(".fastclf-arrow").first).to_have_css("scale", "-1 1")
    # the keys are the list's once it has the focus
    expect(cleaner.get_by_role("button", name="تطبيق هذه التغييرات")).to_be_focused()
    cleaner.keyboard.press("Escape")
    expect(cleaner.get_by_role("list", name="ما الذي سيتغير")).to_be_hidden()
    expect(cleaner.locator(".fastclf-clean-footer button.mod-primary:visible")).to_be_focused()
    tile(cleaner, 2).focus()
    # what is chosen and in focus stays in another language
    speak(cleaner, "es")
    expect(cleaner.get_by_role("button", name="Deshacer", exact=True)).to_be_visible()
    expect(tile(cleaner, 1)).to_contain_text("pasará a")
    expect_focus(cleaner, 2)


def test_small_photos_a_page_of_any_size_and_a_search_by_name(cleaner: Page) -> None:
    cleaner.set_viewport_size({"width": 1440, "height": 900})
    cleaner.get_by_label("Photos on a page").select_option("48 a page")
    expect(cleaner.locator(".fastclf-tile-image:visible")).to_have_count(48)
    cleaner.get_by_label("Size of the photos").select_option("Small")
    tile(cleaner, 0).focus()
    inside = """[...document.querySelectorAll(".fastclf-tile")].filter((node) => {
        const box = node.getBoundingClientRect();
        const foot = document.querySelector(".fastclf-clean-footer").getBoundingClientRect().top;
        return box.top >= document.querySelector(".fastclf-grid-top").getBoundingClientRect().bottom && box.bottom <= foot;
    }).length"""
    cleaner.locator(".fastclf-grid-tools").evaluate("node => node.scrollIntoView({ block: 'start' })")
    assert cleaner.evaluate(inside) >= 24
    keep(cleaner, "cleaner-small", check=False)
    cleaner.get_by_label("Go to page").fill("2")
    cleaner.keyboard.press("Enter")
    expect_said(cleaner, "Page 2 of 2, photos 49 to 68 of 68")
    field = cleaner.get_by_label("Find by name")
    field.fill("GREEN/00")
    expect(cleaner.locator(".fastclf-tile")).to_have_count(3)
    expect(field).to_be_focused()
    field.fill("nothing")
    expect(cleaner.locator(".fastclf-grid-empty")).to_have_text("No photo fits these filters.")
    field.fill("")
    expect(cleaner.locator(".fastclf-tile")).to_have_count(48)
    cleaner.get_by_label("Size of the photos").select_option("Medium")
    cleaner.get_by_label("Photos on a page").select_option("24 a page")
    expect(cleaner.locator(".fastclf-tile")).to_have_count(24)


def test_what_the_model_is_sure_of_is_accepted_at_once_after_a_look(cleaner: Page) -> None:
    cleaner.get_by_role("button", name="Accept 2 suggestions over 95 % ...").click()
    rows = cleaner.get_by_role("list", name="What will change").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(cleaner.get_by_role("button", name="Apply these changes")).to_be_focused()
    cleaner.keyboard.press("Escape")
    expect(cleaner.get_by_role("button", name="Accept")).to_have_count(0)
    cleaner.get_by_role("button", name="Undo", exact=True).click()
    expect(cleaner.get_by_role("button", name="Accept 2 suggestions over 95 % ...")).to_be_visible()
