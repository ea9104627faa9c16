"""Lesson 2 of the course from end to end: collect bears, train, open the dashboard, clean."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fastclf import ModelBundle

from ..collect import web as behave
from ..collect.web import Web
from ..conftest import ROOT, call_fastclf
from ..drawing import draw_photo, encode
from .conftest import choose
from .pictures import keep
from .servers import start, stop
from .test_dashboard import open_page

pytestmark = pytest.mark.slow

COLOURS = {"grizzly bear": "red", "black bear": "green", "teddy bear": "blue"}
# The command as it is, but for what it searches with and whom it may reach.
COMMAND = """
import json, sys
sys.path.insert(0, sys.argv[1])
from fastclf.collect import Found, plan, services
from fastclf.collect.web import fetch
from fastclf.collect.web.addresses import AddressRule
from fastclf.cli import main
found, port = json.loads(sys.argv[2]), int(sys.argv[3])
class Fake:
    def __init__(self, name): self.name = name
    def search(self, query, page):
        urls = next((u for term, u in found.items() if query == f"{term} photo"), []) if page == 1 else []
        return [Found(url, "https://bears.example/", "CC0 1.0", query=query, source=self.name) for url in urls]
plan._PAUSE = 0
services.build_service = lambda name, fetcher: Fake(name)
fetch.AddressRule = lambda: AddressRule(allow=frozenset({("127.0.0.1", port)}))
sys.argv = ["fastclf", *sys.argv[4:]]
main()
"""


def fastclf(
    found: dict[str, list[str]], port: int, cwd: Path, *args: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, str(ROOT), json.dumps(found), str(port), *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def serve_bears(web: Web) -> dict[str, list[str]]:
    found = {}
    for term, colour in COLOURS.items():
        urls = [
            web.photo(f"/{colour}/{i}.jpg", encode(draw_photo(colour, i, (320, 240)), "JPEG"))
            for i in range(24)
        ]
        urls[3:3] = [
            web.add(f"/{colour}/page", behave.HTML),
            web.add(f"/{colour}/gone", behave.status(404)),
        ]
        found[term] = urls
    return found


def test_bears_are_collected_trained_served_and_cleaned(page: Page, tmp_path: Path) -> None:
    with Web() as web:
        found, port = serve_bears(web), web.address[1]
        collected = fastclf(found, port, tmp_path, "collect", "bears", "--max", "20")
        assert collected.returncode == 0, collected.stderr
        for label in ("grizzly", "black", "teddy"):
            assert len(list((tmp_path / "photos" / "bears" / label).iterdir())) == 20
            assert (tmp_path / "photos" / "bears-report" / f"{label}.png").exists()
        assert "answered 404 (not found)" in collected.stdout
        assert "Checking" in collected.stderr
        assert "60 readable photos of 3 classes" in collected.stdout
        again = fastclf(found, port, tmp_path, "collect", "bears", "--max", "20", "--json", "--no-check")
        assert json.loads(again.stdout)["new"] == 0
    trained = call_fastclf("train", "bears", "--no-pretrained", "--size", "64", "--epochs", "2", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    bundle = ModelBundle.load(tmp_path / "model")
    assert bundle.manifest.recipe == "bears"
    assert bundle.manifest.vocab == ["black", "grizzly", "teddy"]
    assert bundle.manifest.licences.photos == "CC0 1.0"
    server = start("serve", tmp_path, ["--photos", "photos/bears", "--owner"])
    try:
        open_page(page, server)
        expect(page.get_by_role("heading", name="Grizzly, black or teddy bear?")).to_be_visible()
        photo = tmp_path / "mine.jpg"
        photo.write_bytes(encode(draw_photo("blue", 999, (320, 240)), "JPEG"))
        choose(page, photo)
        expect(page.locator(".fastclf-card")).to_have_count(1)
        page.get_by_role("tab", name="Clean").click()
        expect(page.locator(".fastclf-grid, .fcg-grid").first).to_be_visible()
        keep(page, "bears")
    finally:
        stop(server.process)
