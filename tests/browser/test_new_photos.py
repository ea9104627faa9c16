"""Photos without a label, labelled by keys in the Clean tab: what joins the set, what it brings, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fastclf.catalog import Catalog, find_digest

from ..drawing import draw_photo, draw_photos
from ..scanned import draw_splits_of, hash_folder
from ..toy import VOCAB, write_toy_bundle
from .conftest import Launch, Visit, speak
from .pictures import keep, keep_light_and_dark
from .test_clean import open_clean

pytestmark = pytest.mark.slow


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A toy model, and the folder of its photos with twenty-four that have no label."""
    folder = draw_photos(tmp_path / "photos", per_class=20)
    rows = draw_splits_of(folder)
    (folder / "_new").mkdir()
    for i in range(200, 208):
        for label in VOCAB:
            draw_photo(label, i, (160, 120)).save(folder / "_new" / f"{label}-{i}.png")
    return write_toy_bundle(tmp_path / "model", rows=rows), folder


def test_an_owner_labels_new_photos_by_keys_and_sees_what_they_brought(
    launch: Launch, page: Page, pair: tuple[Path, Path]
) -> None:
    model, photos = pair
    server = launch("serve", model=model, photos=photos, options=["--owner"])
    [folder] = {path.parent for path in server.folder.rglob("_new")}
    open_clean(page, server)
    page.get_by_label("Show", exact=True).select_option(label="New photos (24)")
    summary = page.locator(".fastclf-clean-summary")
    expect(summary).to_contain_text("24 new photos wait for a label.")
    tiles = page.locator(".fastclf-tile")
    # the guess and the second one
    expect(tiles.first).to_contain_text(", or ")
    expect(page.get_by_text("Looking at new photo")).to_have_count(0)
    names = [tiles.nth(i).locator(".fastclf-tile-name").inner_text() for i in range(10)]
    tiles.first.focus()
    for name in names:
        page.keyboard.press(str(VOCAB.index(name.split("-")[0]) + 1))
    for i in range(10):
        expect(tiles.nth(i)).to_contain_text("will be added to")
    keep_light_and_dark(page, "clean-new", (360, 1440))
    page.get_by_role("button", name="Apply 10 changes").click()
    expect(page.locator(".fastclf-change img[src]")).to_have_count(10)
    keep(page, "clean-new-preview")
    page.get_by_role("button", name="Apply these changes").click()
    expect(
        page.get_by_text("Applied: 10 added. 10 files were added, and no other was changed.")
    ).to_be_visible()
    expect(summary).to_contain_text("14 new photos wait for a label.")
    copies = [path for path in folder.glob("*/*") if find_digest(path.name)]
    assert sorted(f"{path.parent.name}-{path.stem.split('-')[-1]}.png" for path in copies) == sorted(names)
    assert len(list((folder / "_new").iterdir())) == 24
    # ten labels, and the model is fitted again by itself
    brought = page.get_by_text("After 10 labels of new photos:")
    expect(brought).to_contain_text("right on the same")
    expect(summary).to_contain_text("A new model is ready below the photos")
    keep_light_and_dark(page, "clean-new-retrained", (360, 1440))
    speak(page, "ar")
    expect(page.get_by_text("صور جديدة تنتظر تسمية")).to_be_visible()
    keep(page, "clean-new-ar", whole=True)
    speak(page, "en")
    page.get_by_role("button", name="Keep the old one").click()
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("10 new photos wait for a label again; their copies stay")).to_be_visible()
    expect(summary).to_contain_text("24 new photos wait for a label.")
    with Catalog(folder) as catalog:
        assert not [p for p in catalog.photos().photos if find_digest(p.name)]


def test_the_host_names_another_folder_whose_photos_an_owner_labels_and_a_visitor_never_hears_of(
    launch: Launch, visit: Visit, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    model, photos = pair
    card = tmp_path / "camera-card"
    card.mkdir()
    for i, label in enumerate(VOCAB):
        draw_photo(label, 300 + i, (160, 120)).save(card / f"{label}.png")
    (tmp_path / "owners").write_text("owner of it all")
    before = hash_folder(card)
    options = ["--photos=photos/photos", f"--new={card}", f"--owner-password-file={tmp_path / 'owners'}"]
    server = launch("serve", model=model, photos=photos, options=options)
    folder = server.folder / "photos" / "photos"
    page = visit()
    heard: list[str] = []
    page.on("websocket", lambda line: line.on("framereceived", lambda data: heard.append(str(data))))
    page.goto(server.url)
    expect(page.get_by_role("tab")).to_have_count(2)
    assert "fastclf" in str(heard)
    assert card.name not in f"{page.content()}{heard}"
    page.goto(f"{server.root}login")
    page.get_by_label("Password").fill("owner of it all")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Clean").click()
    page.locator(".fastclf-tile").first.wait_for()
    page.get_by_label("Show", exact=True).select_option(label="New photos (3)")
    tile = page.locator(".fastclf-tile", has_text="green.png")
    tile.focus()
    page.keyboard.press(str(VOCAB.index("green") + 1))
    expect(tile).to_contain_text("will be added to green")
    page.get_by_role("button", name="Apply 1 change").click()
    page.get_by_role("button", name="Apply these changes").click()
    expect(page.locator(".fastclf-clean-summary")).to_contain_text("2 new photos wait for a label.")
    [copy] = [path for path in folder.glob("*/*") if find_digest(path.name)]
    assert (copy.parent.name, copy.read_bytes()) == ("green", (card / "green.png").read_bytes())
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".fastclf-clean-summary")).to_contain_text("3 new photos wait for a label.")
    assert hash_folder(card) == before
