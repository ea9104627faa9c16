"""The classifier inside another site's page: the very lines that About and the README give, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page, expect

from fastclf.dashboard.widgets import write_snippet

from ..drawing import draw_photo
from .conftest import Launch, Visit, speak, wait_true
from .pictures import find_barriers, keep
from .servers import MODES
from .sites import Host, hosting, make_site

pytestmark = pytest.mark.slow

# a site with a page that shows the frame, and hears what comes of it
AROUND = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>A school</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ font-family: serif; margin: 0 }} h1 {{ margin: 8px }}</style>
<script>window.heard = []; addEventListener("message", ({{ data }}) => heard.push(data))</script>
<main><h1>A school</h1>
{lines}
</main>"""
# a browser that gives a frame of another site no storage
WITHOUT_STORAGE = """for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"]) {
    Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
}"""
DROP = """(bytes) => {
    const given = new DataTransfer();
    given.items.add(new File([new Uint8Array(bytes)], "red.png", { type: "image/png" }));
    for (const kind of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: given });
        document.querySelector(".fastclf-drop-zone").dispatchEvent(event);
    }
}"""


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Host]:
    """Another site: another host name and port than all servers of these tests."""
    (tmp_path / "school").mkdir()
    with hosting(tmp_path / "school") as host:
        host.url = host.url.replace("127.0.0.1", "localhost")
        yield host


@pytest.fixture
def photo(tmp_path: Path) -> bytes:
    draw_photo("red", 7, (90, 60)).save(tmp_path / "red.png")
    return (tmp_path / "red.png").read_bytes()


def put_lines(tmp_path: Path, lines: str) -> None:
    (tmp_path / "school" / "index.html").write_text(AROUND.format(lines=lines), encoding="utf-8")


def find_frame(page: Page) -> Frame:
    [frame] = [frame for frame in page.frames if frame.parent_frame]
    return frame


def measure(page: Page) -> float:
    return float(page.locator("iframe.fastclf").evaluate("(frame) => frame.getBoundingClientRect().height"))


def wait_until_it_fits(page: Page, frame: Frame) -> None:
    """Wait until there is nothing to scroll inside, and no more room than a line."""
    frame.wait_for_function(
        "() => document.documentElement.scrollHeight <= innerHeight && "
        "innerHeight - document.documentElement.getBoundingClientRect().height < 1.01",
        timeout=30_000,
    )
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


def check_the_frame(page: Page, photo: bytes) -> Frame:
    """Drop a photo into the frame and see the answer, the frame grow, and nothing of the page but Classify."""
    frame = find_frame(page)
    frame.locator(".fastclf-drop-zone").wait_for()
    expect(frame.get_by_role("tab")).to_have_count(0)
    expect(frame.get_by_role("combobox", name="Language")).to_have_count(0)
    box = frame.locator(".fastclf-head").first.bounding_box()
    assert box
    assert box["height"] <= 1
    wait_until_it_fits(page, frame)
    before = measure(page)
    frame.evaluate(DROP, list(photo))
    expect(frame.locator(".fastclf-card h3")).to_contain_text("red")
    wait_until_it_fits(page, frame)
    assert measure(page) > before
    # all that the page around it is ever told
    assert {tuple(sorted(said)) for said in page.evaluate("heard")} == {("height", "type")}
    assert page.evaluate("heard.every(({ type, height }) => type === 'fastclf:height' && height > 0)")
    assert find_barriers(frame) == []
    return frame


def sign_in(page: Page, url: str, password: str) -> None:
    page.goto(f"{url}login")
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Clean")).to_be_visible()


def test_the_lines_in_about_show_the_page_on_the_site_that_is_named_and_on_no_other(
    launch: Launch, visit: Visit, toy_model: Path, school: Host, photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "owners").write_text("owner of it all\n")
    options = ["--embed", school.url, "--owner-password-file", str(tmp_path / "owners")]
    server = launch("serve", model=toy_model, options=options)
    owner = visit(permissions=["clipboard-read", "clipboard-write"])
    sign_in(owner, server.url, "owner of it all")
    owner.get_by_role("tab", name="About").click()
    part = owner.locator(".fastclf-embedding")
    part.get_by_role("button", name="Copy").click()
    expect(part.get_by_role("status")).to_have_text("Copied.")
    lines = owner.evaluate("navigator.clipboard.readText()")
    assert lines == write_snippet("Toy colours", server.url)
    expect(part).to_contain_text(f"Only these sites may show it: {school.url}.")
    for width, language in ((1000, "es"), (360, "ar")):
        owner.set_viewport_size({"width": width, "height": 900})
        speak(owner, language)
        expect(owner.locator("html")).to_have_attribute("lang", language)
        part.scroll_into_view_if_needed()
        keep(owner, f"embed-about-{width}-{language}")
        assert owner.evaluate("document.documentElement.scrollWidth <= innerWidth")
    put_lines(tmp_path, lines)
    page = visit()
    page.add_init_script(WITHOUT_STORAGE)
    page.goto(school.url)
    check_the_frame(page, photo)
    keep(page, "embed-1000-light", whole=True)
    # under a name that is not allowed the frame stays empty
    other = visit(school.url.replace("localhost", "127.0.0.1"))
    other.wait_for_timeout(500)
    assert find_frame(other).url.startswith("chrome-error:")


@pytest.mark.thorough
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "serve"])
def test_however_the_server_is_started_the_site_that_is_named_shows_the_page(
    launch: Launch, visit: Visit, toy_model: Path, school: Host, photo: bytes, tmp_path: Path, mode: str
) -> None:
    server = launch(mode, model=toy_model, env={"FASTCLF_EMBED": school.url})
    put_lines(tmp_path, write_snippet("Toy colours", server.url))
    page, policies = visit(), []
    page.on("response", lambda r: policies.append(r.headers.get("content-security-policy", "")))
    page.add_init_script(WITHOUT_STORAGE)
    page.goto(school.url)
    check_the_frame(page, photo)
    assert any(f"frame-ancestors 'self' {school.url};" in policy for policy in policies)


def test_a_page_without_a_server_stands_in_any_site_with_the_lines_of_its_readme(
    visit: Visit, school: Host, photo: bytes, tmp_path: Path
) -> None:
    _, index, _ = make_site(tmp_path)
    folder = Path(index).parent
    [lines] = re.findall(r"```html\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL)
    with hosting(folder) as host:
        put_lines(tmp_path, lines.replace("ADDRESS", f"{host.url}/"))
        page = visit(width=360, scheme="dark", language="ar")
        page.add_init_script(WITHOUT_STORAGE)
        page.goto(school.url)
        frame = check_the_frame(page, photo)
        keep(page, "embed-site-360-dark-ar", whole=True)
        frame.locator(".fastclf-foot summary").click()
        expect(frame.locator(".fastclf-foot details p")).to_be_visible()
        wait_until_it_fits(page, frame)
        # a photo is looked at where it was clicked, in a frame that is high enough for it
        frame.locator(".fastclf-look").click()
        expect(frame.locator("dialog.fastclf-viewer")).to_be_visible()
        wait_true(page, "document.querySelector('iframe.fastclf').offsetHeight >= 544")
        page.wait_for_timeout(500)
        keep(page, "embed-site-viewer-360-dark-ar")
        frame.locator("dialog.fastclf-viewer").press("Escape")
        expect(frame.get_by_role("link")).to_have_attribute("href", f"{host.url}/")
        # with its address in a browser of its own the same page is whole
        whole = visit(f"{host.url}/")
        expect(whole.get_by_role("tab")).to_have_count(2)
