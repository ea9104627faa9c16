"""Files of a page without a server that are damaged, exchanged or a stranger's: a sentence, no script, no hang."""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from fastclf import ModelBundle
from fastclf.dashboard.site import build_site

from ..conftest import ROOT
from ..drawing import draw_photo
from ..toy import write_toy_bundle
from .conftest import Visit, choose
from .sites import change_head, write_block
from .test_site_page import made

__all__ = ["made"]

pytestmark = pytest.mark.slow


def some(names: Iterable[Any], usual: int) -> list[Any]:
    """The first ones as they are, the others for thorough runs."""
    marks = pytest.mark.thorough
    return [
        n if i < usual else pytest.param(*([n] if isinstance(n, str) else n), marks=marks)
        for i, n in enumerate(names)
    ]


# the one script that stands in the page itself: it sees at once whether it is in a frame
EMBEDDED = (ROOT / "fastclf" / "dashboard" / "site" / "static" / "embedded.js").read_text().strip()
MARKUP = "<img src=x onerror='window.pwned = 1'><script>window.pwned = 1</script>"
ZEROS = 300 * 2**20


@pytest.fixture
def parts(made: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made["folder"].parent, tmp_path / "site")) / "parts"


def expect_words(visit: Visit, parts: Path, words: str) -> Page:
    page = visit((parts.parent / "index.html").as_uri(), offline=True)
    expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
    assert page.evaluate("window.pwned") is None
    return page


CUT = {
    "head": "(head)",
    "graph": "(graph)",
    "worker": "(worker)",
    "site": "damaged.",
    "components": "damaged.",
}


@pytest.mark.parametrize("name", some(CUT, 2))
def test_a_part_that_is_cut_off_is_told(parts: Path, visit: Visit, name: str) -> None:
    file = parts / f"{name}.js"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    expect_words(visit, parts, CUT[name])


@pytest.mark.parametrize(
    ("old", "new"),
    some([('"graph",0,1', '"grapi",0,1'), ("0,1,", "0,999999999999,"), ("0,1,", "7,1,"), ("0,1,", '0,"x",'), ("0,1,", "0,2,")], 2),
)  # fmt: skip
def test_a_part_that_calls_itself_otherwise_is_told(parts: Path, visit: Visit, old: str, new: str) -> None:
    file = parts / "graph.js"
    file.write_text(file.read_text().replace(old, new, 1))
    expect_words(visit, parts, "damaged (graph)")


def test_a_part_of_another_page_is_told(parts: Path, visit: Visit, tmp_path: Path) -> None:
    other = ModelBundle.load(write_toy_bundle(tmp_path / "other", judged=True))
    build_site(replace(other, manifest=replace(other.manifest, temperature=2.0)), tmp_path / "others")
    for name in ("head", "examples"):
        shutil.copy(tmp_path / "others" / "parts" / f"{name}.js", parts)
        expect_words(visit, parts, f"damaged ({name})" if name == "head" else "damaged (head)")


@pytest.mark.parametrize("name", some(["head", "worker", "graph"], 1))
def test_a_few_bytes_that_hold_hundreds_of_megabytes_are_told(parts: Path, visit: Visit, name: str) -> None:
    packed = lzma.compress(bytes(ZEROS)) if name == "graph" else gzip.compress(bytes(ZEROS))
    write_block(parts, name, packed)
    expect_words(visit, parts, f"damaged ({name})")


SHAPES: dict[str, Callable[[dict[str, Any]], object]] = {
    "fewer classes": lambda v: v["header"]["page"]["vocab"].pop(),
    "classes that are no names": lambda v: v["header"]["page"].update(vocab=[1, 2, 3]),
    "weights cut off": lambda v: v["arrays"]["weight"].update(length=7),
    "weights beyond the end": lambda v: v["arrays"]["weight"].update(offset=10**9),
    "another kind of numbers": lambda v: v["arrays"]["weight"].update(kind="constructor"),
    "a huge photo": lambda v: v["header"]["preprocess"].update(resize_to=[10**5, 10**5]),
    "a temperature of none": lambda v: v["header"].update(temperature=0),
    "no part of its own": lambda v: v["header"].update(parts={}),
    "a detector without axes": lambda v: v["arrays"]["ood.axes"].update(length=5),
}  # fmt: skip


@pytest.mark.parametrize("name", some(SHAPES, 2))
def test_a_head_that_does_not_fit_together_is_told(parts: Path, visit: Visit, name: str) -> None:
    change_head(parts, SHAPES[name])
    expect_words(visit, parts, "damaged (head)")


def test_no_name_of_a_model_is_markup(tmp_path: Path, visit: Visit) -> None:
    bundle = ModelBundle.load(write_toy_bundle(tmp_path / "model", judged=True))
    texts = {"es": {"title": MARKUP, "intro": MARKUP, "classes": {"red": MARKUP}}}
    manifest = replace(
        bundle.manifest, title=MARKUP, intro=MARKUP, colour=f"red;{MARKUP}", translations=texts,
        vocab=[f"{MARKUP}{n}" for n in range(3)],
    )  # fmt: skip
    site = build_site(replace(bundle, manifest=manifest), tmp_path / "site")
    photo = tmp_path / f"{MARKUP[:40].replace('/', '')}.png"
    draw_photo("red", 3).save(photo)
    for code in ("en-US", "es"):
        page = visit(site.page.as_uri(), offline=True, language=code)
        choose(page, photo)
        expect(page.locator(".fastclf-card h3")).to_contain_text("onerror")
        page.get_by_role("tab").nth(1).click()
        expect(page.locator(".fastclf-confusion-host table")).to_be_visible()
        page.wait_for_timeout(300)
        assert page.evaluate("window.pwned") is None
        assert page.locator("img[onerror]").count() == 0
        assert page.locator("script:not([src])").all_text_contents() == [EMBEDDED]
    page.goto((site.path / "card.html").as_uri())
    expect(page.get_by_role("heading").first).to_contain_text("onerror")
    assert page.evaluate("window.pwned") is None


def write_png(width: int, height: int) -> bytes:
    """A black picture, whose file is a thousandth of its pixels."""
    pack = zlib.compressobj(9)
    rows = b"".join(pack.compress(bytes(width * 3 + 1)) for _ in range(height)) + pack.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_a_photo_is_refused_by_the_size_that_it_claims_and_none_runs(
    made: dict[str, Path], visit: Visit, tmp_path: Path
) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="window.pwned=1">{MARKUP}</svg>'
    given = {
        "bomb.png": write_png(12_000, 9_000),
        "script.svg": svg.encode(),
        "page.jpg": f"<html>{MARKUP}".encode(),
        f"{MARKUP[:30]}.jpg": b"\xff\xd8\xff\xe0" + bytes(50),
    }
    page = visit()
    # what is decoded counts, wherever it is
    page.goto(made["folder"].as_uri())
    page.locator(".fastclf-example").first.wait_for()
    choose(page, *({"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in given.items()))
    expect(page.locator('.fastclf-card[data-level="failed"]')).to_have_count(len(given))
    expect(page.locator(".fastclf-card").filter(has_text="bomb.png has 12,000 x 9,000 pixels")).to_have_count(
        1
    )
    assert page.evaluate("window.pwned") is None
