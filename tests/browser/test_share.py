"""An owner makes a page without a server on the dashboard, saves it, and it answers without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from ..conftest import Once
from ..drawing import draw_photo
from ..toy import write_toy_bundle
from .conftest import Launch, Visit, choose, speak
from .pictures import find_barriers, keep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def toy(once: Once) -> Path:
    return Path(once("share-toy", lambda folder: str(write_toy_bundle(folder / "model", judged=True))))


def test_a_page_is_made_saved_and_opened(toy: Path, launch: Launch, visit: Visit, tmp_path: Path) -> None:
    server = launch("serve", model=toy, options=["--owner"])
    page = visit(f"{server.url}#about", accept_downloads=True)
    part = page.locator(".fastclf-sharing")
    expect(part.get_by_role("button", name="Make the page")).to_be_visible()
    expect(part.get_by_role("button", name="Save the file")).to_be_hidden()
    part.get_by_role("button", name="Make the page").click()
    expect(part.get_by_role("status").filter(has_text="...")).to_be_visible()
    # the page is not held up: the other tab works meanwhile
    page.get_by_role("tab", name="Classify").click()
    photo = tmp_path / "red.png"
    draw_photo("red", 7, (90, 60)).save(photo)
    choose(page, photo)
    expect(page.locator(".fastclf-card")).to_have_count(1)
    page.get_by_role("tab", name="About").click()
    expect(part.get_by_role("status").filter(has_text="The page is ready")).to_be_visible()
    assert find_barriers(page) == []
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        part.scroll_into_view_if_needed()
        keep(page, f"share-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with page.expect_download() as download:
        part.get_by_role("button", name="Save the file").click()
    assert download.value.suggested_filename == "page.html"
    made = tmp_path / "page.html"
    download.value.save_as(made)
    speak(page, "ar")
    expect(part.get_by_role("button", name="حفظ الملف")).to_be_visible()
    assert find_barriers(page) == []
    # the machine that made it is not asked again
    other = visit(made.as_uri(), offline=True)
    choose(other, photo)
    expect(other.locator(".fastclf-card h3")).to_contain_text("red")


def test_a_visitor_is_offered_none(toy: Path, launch: Launch, visit: Visit) -> None:
    page = visit(f"{launch('serve', model=toy).url}#about")
    expect(page.locator(".fastclf-about-part").first).to_be_visible()
    expect(page.locator(".fastclf-sharing")).to_have_count(0)
