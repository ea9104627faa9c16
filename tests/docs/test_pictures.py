"""No picture in the documents is older than the page that it shows, and none is left over."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from .pages import PAGES
from .pictures import PICTURES, SCHEMES, SHOWS, hash_sources, read_record


@pytest.mark.parametrize("name", SHOWS)
def test_a_picture_is_of_the_page_as_it_is(name: str) -> None:
    assert read_record().get(name) == hash_sources(name), "`make docs-pictures` takes the pictures anew"
    sizes = set()
    for scheme in SCHEMES:
        with Image.open(PICTURES / f"{name}-{scheme}.png") as picture:
            sizes.add(picture.size)
    assert len(sizes) == 1


def test_every_picture_is_shown_and_described() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = set(re.findall(r"pictures/([\w-]+)\.png", text))
    assert shown <= {f"{name}-{scheme}" for name in SHOWS for scheme in SCHEMES}
    assert {path.stem for path in PICTURES.glob("*.png")} == shown
    assert text.count(":::{image}") == len(
        re.findall(r":::\{image\}[^\n]*\n(?::(?!alt)[^\n]*\n)*:alt: \S", text)
    )
