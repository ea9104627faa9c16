"""The pictures of the documents, taken of real pages: `make docs-pictures`; else they lie beside all screenshots."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from fastclf.server import make_password_line

from ..conftest import Once, call_fastclf
from ..docs.pictures import PICTURES, SCHEMES, record
from ..illustrations import draw_object, draw_objects
from .conftest import Share, Visit, choose
from .pictures import SCREENSHOTS, settle
from .servers import Server, build_checkout, start
from .test_teach import teach

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

Take = Callable[..., None]
WIDE = {"width": 1000, "height": 1000}


@pytest.fixture
def take(request: pytest.FixtureRequest) -> Take:
    """Take a picture of a page, or of a part of it, light and dark."""
    kept = request.config.getoption("--docs-pictures")

    def go(page: Page, name: str, part: Locator | None = None) -> None:
        folder = PICTURES if kept else SCREENSHOTS
        folder.mkdir(exist_ok=True)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            settle(page)
            (part or page).screenshot(path=folder / f"{name}-{scheme}.png")
        page.emulate_media(color_scheme="light")
        if kept:
            record(name)

    return go


@pytest.fixture(scope="session")
def mugs(once: Once) -> tuple[Path, Path]:
    """(photos, model): drawn mugs, glasses and bowls, a few of which lie in the wrong folder, twice, or dark."""

    def build(folder: Path) -> list[str]:
        photos = draw_objects(folder / "photos", per_class=40)
        for kind, other in (("mug", "bowl"), ("glass", "mug"), ("bowl", "glass")):
            for i in (3, 17):
                (photos / kind / f"{kind}-{i:02d}.jpg").rename(photos / other / f"IMG_{i}{len(kind)}.jpg")
        copy = draw_object("glass", 9).resize((240, 180))
        copy.save(photos / "glass" / "glass-09-small.jpg", quality=70)
        draw_object("mug", 11).point(lambda v: v // 6).save(photos / "mug" / "mug-11.jpg")
        model = folder / "model"
        title = [
            "--title",
            "Mug, glass or bowl?",
            "--intro",
            "Show it a photo of something to drink or eat from.",
        ]
        done = call_fastclf("train", photos, "--out", model, "--mode", "head", *title, cwd=folder)
        assert done.returncode == 0, done.stderr
        return [str(photos), str(model)]

    photos, model = once("mugs", build)
    return Path(photos), Path(model)


@pytest.fixture
def server(share: Share, mugs: tuple[Path, Path]) -> Server:
    """The dashboard as its visitors see it."""
    return share("mugs", lambda folder: start("serve", build_checkout(folder, model=mugs[1])))


@pytest.fixture
def owners(share: Share, mugs: tuple[Path, Path]) -> Server:
    """The owner's dashboard."""

    def build(folder: Path) -> Server:
        build_checkout(folder, model=mugs[1])
        shutil.copytree(mugs[0], folder / "photos" / "mugs")
        return start("serve", folder, ["--owner", "--photos=photos/mugs"])

    return share("mugs-owners", build)


@pytest.fixture
def new_photos(tmp_path: Path) -> list[Path]:
    """Four photos that nobody has labelled: three objects, and a flower."""
    from sklearn.datasets import load_sample_image

    found = [tmp_path / "flower.jpg"]
    for kind, seed in (("glass", 105), ("mug", 104), ("bowl", 107)):
        found.append(tmp_path / f"{kind}.jpg")
        draw_object(kind, seed, (960, 720)).save(found[-1], quality=90)
    Image.fromarray(load_sample_image("flower.jpg")).save(found[0], quality=92)
    return found


def ask(page: Page, photos: list[Path]) -> None:
    choose(page, *photos)
    expect(page.locator(".fastclf-card h3")).to_have_count(len(photos))
    expect(page.locator(".fastclf-card .fastclf-bars").first).to_be_visible()


def test_classify_and_why(take: Take, server: Server, visit: Visit, new_photos: list[Path]) -> None:
    page = visit(server.url, **WIDE)
    ask(page, new_photos)
    page.set_viewport_size({"width": 1000, "height": 1500})
    page.evaluate("scrollTo(0, 0)")
    take(page, "classify")
    card = page.locator(".fastclf-card", has_text="mug.jpg")
    card.get_by_role("button", name="Why?").click()
    expect(card.locator(".fastclf-heat")).to_be_visible()
    take(page, "why", card)


def test_a_phone(take: Take, server: Server, visit: Visit, new_photos: list[Path]) -> None:
    page = visit(server.url, width=390, height=844, device_scale_factor=2, has_touch=True)
    ask(page, new_photos[1:2])
    page.locator(".fastclf-card").scroll_into_view_if_needed()
    take(page, "phone")


def test_clean_and_accept(take: Take, owners: Server, visit: Visit) -> None:
    page = visit(f"{owners.url}#clean", **WIDE)
    page.locator(".fastclf-tile").first.wait_for()
    expect(page.get_by_text("still being looked for")).to_have_count(0)
    take(page, "clean")
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".fastclf-change img[src]").first).to_be_visible()
    page.locator(".fastclf-change").first.scroll_into_view_if_needed()
    take(page, "accept")


def test_about_and_card(take: Take, server: Server, visit: Visit) -> None:
    page = visit(f"{server.url}#about", **WIDE)
    expect(page.locator(".fastclf-about-part").first).to_be_visible()
    take(page, "about")
    card = visit((server.folder / "model" / "card.html").as_uri(), **WIDE)
    take(card, "card")


def test_report(take: Take, mugs: tuple[Path, Path], visit: Visit, tmp_path: Path) -> None:
    photos = shutil.copytree(mugs[0], tmp_path / "mugs")
    done = call_fastclf("check", photos, "--html", "report.html", cwd=tmp_path)
    assert (tmp_path / "report.html").is_file(), done.stderr
    take(visit((tmp_path / "report.html").as_uri(), **WIDE), "report")


def test_login(take: Take, mugs: tuple[Path, Path], share: Share, visit: Visit) -> None:
    def build(folder: Path) -> Server:
        build_checkout(folder, model=mugs[1])
        (folder / "visitors.txt").write_text(make_password_line("something to drink from"))
        return start("serve", folder, ["--password-file", "visitors.txt"])

    page = visit(share("mugs-password", build).url, width=700, height=420)
    expect(page.get_by_label("Password")).to_be_focused()
    take(page, "login")


def test_teach(take: Take, visit: Visit, tmp_path: Path) -> None:
    photos = draw_objects(tmp_path / "photos", per_class=12, first=200)
    done = call_fastclf("share", "--web", "--teach", "site", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = visit((tmp_path / "site" / "index.html").as_uri(), width=1000, height=1100, offline=True)
    teach(page, photos, ("mug", "glass", "bowl"))
    take(page, "teach")
