"""The Clean tab as its owner uses it, and as nobody else can."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fastclf import ModelBundle
from fastclf.catalog import Catalog
from fastclf.inbox import Claim, Inbox

from ..conftest import Trained, run_fastclf
from ..drawing import draw_photo
from ..scanned import hash_folder, labels_of
from .conftest import Launch, speak
from .pictures import EVERY_WIDTH, keep, keep_light_and_dark
from .servers import MODES, Server, on_the_wire, read_kernel, wait_until
from .test_dashboard import open_page

pytestmark = pytest.mark.slow

# Sends messages to every widget of the page's kernel, as somebody would who talks to the channel himself. The
# kernel takes messages in their order, so that it has seen all when it answers the last question.
_BLAST = """async ([path, contents]) => {
    const socket = await openSocket(path);
    const heard = [];
    const ask = () => new Promise((done) => {
        socket.onmessage = ({data}) => {
            const message = unpack(data);
            heard.push(data.byteLength < 2000000 ? JSON.stringify({...message, buffers: []}) : "");
            if (message.header.msg_type === "comm_info_reply") { done(Object.keys(message.content.comms)); }
        };
        socket.send(pack(makeMessage("s", "comm_info_request", {target_name: "jupyter.widget"})));
    });
    const comms = await ask();
    for (const content of contents) {
        for (const id of comms) { socket.send(pack(makeMessage("s", "comm_msg", {comm_id: id, data: content}))); }
        await ask();
    }
    socket.close();
    return [comms.length, heard.join("\\n")];
}"""
_MESSAGES = [
    {"method": "update", "state": {"selected": "clean"}},
    {"method": "custom", "content": {"type": "act", "keys": [1, 2, 3], "action": "remove"}},
    {"method": "custom", "content": {"event": "click"}},
    {"method": "custom", "content": {"event": "click"}},
]


def open_clean(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("tab", name="Clean").click()
    page.locator(".fastclf-tile").first.wait_for()
    # the doubtful labels come last and change the order
    expect(page.get_by_text("still being looked for")).to_have_count(0)


def blast(page: Page) -> tuple[int, str]:
    count, heard = page.evaluate(
        on_the_wire(_BLAST), [f"/api/kernels/{read_kernel(page)}/channels", _MESSAGES]
    )
    return count, heard


@EVERY_WIDTH
def test_an_owner_cleans_retrains_and_takes_the_edits_along(
    launch: Launch, page: Page, trained: Trained, tmp_path: Path, widths: tuple[int, ...]
) -> None:
    options = ["--owner", "--photos=photos/digits"]
    server = launch("serve", model=trained.model, photos=trained.photos, options=options)
    photos, model = server.folder / "photos" / "digits", server.folder / "model"
    before, old = hash_folder(photos), (model / "bundle.json").read_bytes()
    open_clean(page, server)
    expect(page.locator(".fastclf-clean-summary")).to_contain_text("of 1,797 photos")
    page.get_by_label("Show", exact=True).select_option(label="All photos (1,797)")
    tiles = page.locator(".fastclf-tile")
    expect(tiles).to_have_count(24)
    # which photos come first is the model's doing
    labels = [tiles.nth(i).locator(".fastclf-tile-label").inner_text()[0] for i in range(2)]
    one, other = ("3" if labels[0] != "3" else "4"), ("7" if labels[1] != "7" else "8")
    tiles.nth(0).focus()
    page.keyboard.press(one)
    expect(tiles.nth(0)).to_contain_text(f"will become {one}")
    tiles.nth(1).get_by_role("combobox").select_option(other)
    expect(tiles.nth(1)).to_contain_text(f"will become {other}")
    tiles.nth(2).get_by_role("button", name="Remove").click()
    expect(tiles.nth(2)).to_contain_text("will be removed")
    keep_light_and_dark(page, "clean", widths)
    # on a phone the first photo is seen without scrolling
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate("scrollTo(0, 0)")
    assert tiles.nth(0).bounding_box()["y"] < 540
    page.set_viewport_size({"width": 1000, "height": 900})
    page.get_by_label("Class", exact=True).select_option(label="5")
    expect(page.locator(".fastclf-clean-summary")).to_contain_text("182 shown")
    page.get_by_label("Class", exact=True).select_option(label="all classes")
    expect(tiles.nth(0)).to_contain_text(f"will become {one}")
    expect(tiles.nth(2)).to_contain_text("will be removed")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(tiles.nth(2)).not_to_contain_text("will be removed")
    page.get_by_role("button", name="Redo", exact=True).click()
    expect(tiles.nth(2)).to_contain_text("will be removed")
    page.get_by_role("button", name="Apply 3 changes").click()
    expect(page.locator(".fastclf-change img[src]")).to_have_count(3)
    keep(page, "clean-preview")
    page.get_by_role("button", name="Apply these changes").click()
    expect(page.locator(".fastclf-clean-summary")).to_contain_text("of 1,797 photos")
    expect(page.get_by_text("Applied: 2 relabelled, 1 removed.")).to_be_visible()
    page.get_by_role("button", name="Retrain").press("Enter")
    # the focus waits at the status, and goes on to what there is to compare
    status = page.locator(".fastclf-retrain-status p").first
    expect(status).to_be_focused()
    expect(page.get_by_role("progressbar", name="Retraining")).to_be_visible()
    expect(page.locator(".fastclf-accuracies tr")).to_have_count(2)
    expect(page.locator(".fastclf-compare h3").first).to_be_focused()
    expect(page.get_by_role("progressbar", name="Retraining")).to_be_hidden()
    keep_light_and_dark(page, "clean-retrained", widths)
    assert (model / "bundle.json").read_bytes() == old
    page.get_by_role("button", name="Use the new one").press("Enter")
    expect(page.get_by_text("The new model answers from now on")).to_be_focused()
    assert len(ModelBundle.load(model).manifest.refits) == 1
    expect(page.get_by_role("button", name="Use this one")).to_be_visible()
    keep(page, "clean-earlier-models")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the edits").click()
    download.value.save_as(tmp_path / "edits.csv")
    assert hash_folder(photos) == before
    with Catalog(photos) as catalog:
        expected = labels_of(catalog)
        assert len(catalog.edits()) == 3
    copy = tmp_path / "copy"
    shutil.copytree(trained.photos, copy, ignore=shutil.ignore_patterns(".fastclf"))
    done = run_fastclf("edits", "import", copy, tmp_path / "edits.csv", cwd=tmp_path)
    assert "3 edits applied" in done.stderr
    with Catalog(copy) as catalog:
        assert labels_of(catalog) == expected


def test_no_message_of_a_visitor_changes_or_shows_anything(
    digits: Callable[[str], Server], page: Page
) -> None:
    server = digits("serve")
    photos, model = server.folder / "photos" / "digits", server.folder / "model"
    before = hash_folder(model)
    open_page(page, server)
    count, heard = blast(page)
    assert count > 3
    assert "fastclf-tile" not in heard
    assert str(photos) not in heard
    with Catalog(photos) as catalog:
        assert catalog.edits(log=True) == []
    assert hash_folder(model) == before


@pytest.mark.parametrize("mode", MODES[1:])
def test_what_the_environment_says_makes_an_owner_who_reads_what_is_wrong_with_the_photos(
    mode: str, launch: Launch, page: Page, judged: tuple[Path, Path]
) -> None:
    server = launch(mode, model=judged[1], env={"FASTCLF_OWNER": "1"})
    photos = server.folder / "photos"
    for words in ("There is no folder", "is damaged") if mode == "voila" else ():
        page.goto(server.url)
        page.get_by_role("tab", name="Clean").click()
        expect(page.get_by_role("alert")).to_contain_text(words)
        assert "Traceback" not in page.content()
        if not photos.exists():
            shutil.copytree(judged[0], photos, ignore=shutil.ignore_patterns(".fastclf"))
            (photos / ".fastclf").mkdir()
            (photos / ".fastclf" / "catalog.sqlite").write_bytes(b"no database at all" * 1000)
    shutil.rmtree(photos, ignore_errors=True)
    shutil.copytree(judged[0], photos)
    open_clean(page, server)
    expect(page.locator(".fastclf-clean-summary")).to_contain_text("of 90 photos")
    # the messages that do nothing for a visitor do their worst here
    blast(page)
    with Catalog(photos) as catalog:
        wait_until(lambda: "remove" in {r.action for r in catalog.edits(log=True)})


def test_photos_behind_a_number_of_the_matrix_open_in_clean_and_what_is_like_them_too(
    launch: Launch, page: Page, judged: tuple[Path, Path]
) -> None:
    options = ["--owner", "--photos=photos/photos"]
    server = launch("serve", model=judged[1], photos=judged[0], options=options)
    tiles, sheet = page.locator(".fastclf-tile"), page.get_by_role("dialog", name="2 of 6 photos of blue")
    said = page.locator(".fastclf-clean-groups")
    page.goto(server.url)
    page.get_by_role("tab", name="About").click()
    blue_called_red = page.locator("tbody tr").nth(0).locator(".fastclf-matrix-cell").nth(2)
    # nobody has looked at the Clean tab before
    blue_called_red.click()
    expect(sheet.get_by_role("img")).to_have_count(2)
    names = [name.inner_text() for name in sheet.locator(".fastclf-cell-name").all()]
    picture, frame = sheet.get_by_role("img").first.bounding_box(), sheet.locator(".fastclf-cell-frame").first
    assert picture["y"] >= frame.bounding_box()["y"]
    sheet.get_by_role("button", name="Open in Clean").click()
    expect(page.get_by_role("tab", name="Clean")).to_have_attribute("aria-selected", "true")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_be_focused()
    assert page.url.endswith("#clean")
    assert [tile.inner_text() for tile in page.locator(".fastclf-tile-name").all()] == names
    expect(said).to_contain_text("Photos of blue that were called red.")
    # the check goes on behind them, and leaves them alone
    expect(page.locator(".fastclf-panel-clean > .fastclf-note")).to_have_text("")
    expect(tiles).to_have_count(2)
    keep_light_and_dark(page, "clean-opened", (360, 1440), whole=False)
    # real features tell what else looks like one of them, in less than the page needs to show it
    tiles.first.focus()
    page.keyboard.press("3")
    page.get_by_role("button", name="More like this").first.click()
    expect(said).to_contain_text(f"The photos most like {names[0]}, the nearest first.")
    expect(tiles).to_have_count(24)
    expect(tiles.nth(1).locator(".fastclf-tile-label")).to_contain_text(re.compile("red|blue"))
    page.get_by_role("button", name="Back to the list").click()
    expect(page.locator(".fastclf-clean-summary")).to_contain_text("the most doubtful first")
    expect(tiles.first).to_be_visible()
    # and again, with the Clean tab at hand
    page.get_by_role("tab", name="About").click()
    blue_called_red.click()
    sheet.get_by_role("button", name="Open in Clean").press("Enter")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_be_focused()
    speak(page, "ar")
    expect(said).to_contain_text("صور")
    page.set_viewport_size({"width": 768, "height": 900})
    keep(page, "clean-opened-arabic")


def test_choices_survive_a_reload_and_what_somebody_else_did_is_seen_and_asked_for(
    launch: Launch, page: Page, judged: tuple[Path, Path]
) -> None:
    options = ["--owner", f"--photos=photos/{judged[0].name}", "--inbox=inbox.sqlite"]
    server = launch("serve", model=judged[1], photos=judged[0], options=options)
    folder = server.folder / "photos" / judged[0].name
    open_clean(page, server)
    tiles = page.locator(".fastclf-tile")
    name = tiles.nth(0).locator(".fastclf-tile-name").inner_text()
    tiles.nth(0).focus()
    page.keyboard.press("x")
    page.keyboard.press("x")
    expect(page.get_by_role("button", name="Apply 2 changes ...")).to_be_visible()
    # a reload asks nothing, for nothing is lost
    page.on("dialog", lambda dialog: pytest.fail(dialog.type))
    open_clean(page, server)
    expect(page.get_by_text("2 changes from")).to_be_visible()
    keep(page, "clean-drafts")
    with Catalog(folder, who="eve") as catalog:
        label = next(label for label in ("blue", "green", "red") if not name.startswith(label))
        catalog.relabel([name], label)
    expect(page.get_by_role("status").filter(has_text="Somebody else changed photos")).to_be_visible()
    claim = Claim(name="new.jpg", answer="blue", probability=0.6, label="red")
    Inbox(server.folder / "inbox.sqlite").add(draw_photo("red", 7), claim)
    expect(page.get_by_role("status").filter(has_text="1 new report came in.")).to_be_visible()
    page.get_by_role("button", name="Apply 2 changes ...").click()
    doubted = page.locator(".fastclf-is-doubted")
    expect(doubted).to_contain_text(f"somebody made it {label} meanwhile")
    keep(page, "clean-conflict")
    page.get_by_role("button", name="Apply these changes").click()
    expect(page.get_by_text("Applied: 1 removed.")).to_be_visible()
    page.get_by_role("button", name="Apply 1 change ...").click()
    doubted.get_by_role("button", name="Change it all the same").click()
    expect(doubted).to_have_count(0)
    page.get_by_role("button", name="Apply these changes").click()
    expect(page.get_by_role("button", name="Apply ...", exact=True)).to_be_disabled()
    with Catalog(folder) as catalog:
        assert catalog.drafts.read() == []
        assert len([row for row in catalog.edits() if row.action == "remove"]) == 2
