"""The site is built without a warning, holds together, and loads nothing from elsewhere: also from a disk."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ..conftest import ROOT, Once

pytestmark = pytest.mark.slow
# what a page loads by itself, and where that stands
LOADED = {"script": "src", "img": "src", "link": "href", "source": "srcset", "iframe": "src", "video": "src"}
# a link that loads nothing
NAMED = {"canonical", "author", "license", "search", "index", "next", "prev", "alternate"}


class Page(HTMLParser):
    """The anchors, links and loaded files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said[name] for name in ("id", "name") if name in said}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag in LOADED and LOADED[tag] in said and not NAMED & set(said.get("rel", "").split()):
            self.loaded.append(said[LOADED[tag]])


def build(folder: Path) -> str:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html"]
    done = subprocess.run(
        [*command, ROOT / "docs", folder, "-d", folder.parent / f"{folder.name}-trees"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return str(folder)


@pytest.fixture(scope="module")
def site(once: Once) -> Path:
    return Path(once("documents", build))


@cache
def read_page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def list_pages(site: Path) -> list[Path]:
    pages = sorted(p for p in site.rglob("*.html") if "_static" not in p.parts)
    assert len(pages) > 30
    return pages


def has_anchor(page: Path, name: str) -> bool:
    return not name or name in read_page(page).anchors


def find_dead_links(path: Path) -> Iterator[str]:
    for link in read_page(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file() or (
            target.suffix == ".html" and not has_anchor(target, unquote(parts.fragment))
        ):
            yield f"{path.name}: {link}"


def test_every_link_inside_of_the_site_leads_somewhere(site: Path) -> None:
    dead = [link for page in list_pages(site) for link in find_dead_links(page)]
    assert dead == []
    assert sum(len(read_page(page).links) for page in list_pages(site)) > 1000


def test_nothing_is_loaded_from_elsewhere_or_from_the_root(site: Path) -> None:
    loaded = {(page.name, link) for page in list_pages(site) for link in read_page(page).loaded}
    assert len(loaded) > 100
    assert [one for one in loaded if urlsplit(one[1]).netloc or one[1].startswith(("/", "http"))] == []
    styles = list(site.rglob("*.css"))
    foreign = re.compile(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//")
    assert styles
    assert [p.name for p in styles if foreign.search(p.read_text(encoding="utf-8"))] == []


def test_every_loaded_file_is_there(site: Path) -> None:
    for page in list_pages(site):
        for link in read_page(page).loaded:
            if not link.startswith("data:"):
                assert (page.parent / unquote(urlsplit(link).path)).is_file(), (page.name, link)


def test_the_reference_has_every_kind_of_page(site: Path) -> None:
    parts = (
        "commands/training",
        "settings",
        "photos",
        "formats/bundle",
        "messages/training",
        "python/fastclf",
    )
    for part in parts:
        assert (site / "reference" / f"{part}.html").is_file()
    python = read_page(site / "reference" / "python" / "fastclf.html")
    assert {"fastclf.train", "fastclf.Predictor.predict"} <= python.anchors
    assert "fastclf-train" in read_page(site / "reference" / "commands" / "training.html").anchors


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html">x</a><a href="a.html#c">y</a><p id="d"><a href="#d">')
    assert list(find_dead_links(tmp_path / "a.html")) == ["a.html: b.html", "a.html: a.html#c"]
