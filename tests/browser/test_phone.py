"""A phone opens the page by its code: the very signs on the terminal, and the drawing, read by a decoder for cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageOps
from playwright.sync_api import expect

from fastclf.sharing import draw_qr, write_qr

from ..drawing import draw_photo
from ..sharing.test_qr_code import LINK, read_terminal
from .conftest import Launch, Visit, choose
from .pictures import keep
from .sites import hosting, make_site

pytestmark = pytest.mark.slow

PHONE: dict[str, Any] = {
    "width": 390, "height": 664, "device_scale_factor": 3, "is_mobile": True, "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
}  # fmt: skip
SIGN = 8  # pixels of a module


def photograph_terminal(text: str) -> Image.Image:
    """Return what a camera sees of a terminal, its letters light."""
    dark = np.array(read_terminal(text), np.uint8)
    return ImageOps.expand(
        Image.fromarray(np.kron(255 * (1 - dark), np.ones((SIGN, SIGN), np.uint8))), 20, 255
    )


def decode(image: Image.Image) -> str:
    [found] = zxingcpp.read_barcodes(np.asarray(image.convert("L")))
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    return str(found.text)


def test_the_code_on_a_terminal_is_read_also_in_its_colours_the_other_way_round_and_aslant() -> None:
    seen = photograph_terminal(draw_qr(LINK))
    for image in (
        seen,
        ImageOps.invert(seen),
        seen.rotate(20, expand=True, fillcolor=255),
        seen.resize((200, 200)),
    ):
        assert decode(image) == LINK


def test_a_phone_reads_the_drawing_and_opens_a_page_without_a_server(visit: Visit, tmp_path: Path) -> None:
    _, index, _ = make_site(tmp_path)
    with hosting(Path(index).parent) as host:
        write_qr(f"{host.url}/", tmp_path / "code.svg")
        poster = visit((tmp_path / "code.svg").as_uri())
        poster.screenshot(path=tmp_path / "code.png")
        page = visit(decode(Image.open(tmp_path / "code.png")), **PHONE)
        give_a_photo(page, tmp_path)


@pytest.mark.thorough
def test_a_phone_opens_the_dashboard(launch: Launch, visit: Visit, toy_model: Path, tmp_path: Path) -> None:
    server = launch("serve", model=toy_model)
    page = visit(decode(photograph_terminal(draw_qr(server.url))), **PHONE)
    give_a_photo(page, tmp_path)


def give_a_photo(page: Any, folder: Path) -> None:
    draw_photo("red", 7, (90, 60)).save(folder / "red.png")
    choose(page, folder / "red.png")
    expect(page.locator(".fastclf-card h3")).to_contain_text("red")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(page, "phone-by-code")
