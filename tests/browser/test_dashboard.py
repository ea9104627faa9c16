"""The dashboard as a visitor meets it: served by Voila, opened in Chromium."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from ..conftest import Trained
from ..drawing import draw_photo, encode
from .conftest import Server, fetch, keep, keep_all_sizes, stop

pytestmark = pytest.mark.slow

OPEN = ["--VoilaConfiguration.file_allowlist=.*", "--VoilaConfiguration.file_denylist=x^"]
MODES = ["serve", "voila", "extension"]


def open_page(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator(".fastclf-drop").get_by_role("button", name="Choose photos").wait_for()


def choose(page: Page, *files: Path) -> None:
    """Choose files as a person does."""
    with page.expect_file_chooser() as chooser:
        page.locator(".fastclf-drop").get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(files)


def read_command(process: psutil.Process) -> list[str]:
    """Return a process's command line; nothing where it is ending."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def sealed_digits(trained: Trained) -> dict[str, Path]:
    """One photo of each of three digits, none of which the model was trained on."""
    lines = (trained.model / "photos.csv").read_text().splitlines()[1:]
    unseen = {line.split(",")[0] for line in lines if line.endswith(",test")}
    from fastclf.system import hash_file

    return {
        digit: next(p for p in sorted((trained.photos / digit).iterdir()) if hash_file(p) in unseen)
        for digit in ("0", "4", "7")
    }


@pytest.mark.parametrize("mode", MODES)
def test_three_digits_are_answered_and_a_truncated_jpeg_is_named(
    mode: str, launch: Callable[..., Server], page: Page, trained: Trained, tmp_path: Path
) -> None:
    server = launch(mode)
    requested: list[str] = []
    page.on("request", lambda r: requested.append(r.url))
    open_page(page, server)
    broken = tmp_path / "holiday.jpg"
    broken.write_bytes(encode(draw_photo("red", 0, (300, 200)), "JPEG")[:4000])
    digits = sealed_digits(trained)
    choose(page, *digits.values(), broken)
    cards = page.locator(".fastclf-card")
    expect(cards).to_have_count(4)
    for card, digit in zip(cards.all(), digits, strict=False):
        heading = card.get_by_role("heading").inner_text()
        assert re.search(rf"(^|probably |perhaps ){digit}, ", heading), heading
        assert card.get_by_role("img").get_attribute("alt", timeout=5000).startswith("Your photo")
    expect(cards.nth(3)).to_contain_text("holiday.jpg is cut off before its end")
    expect(page.get_by_role("status").filter(has_text="4 photos looked at")).to_be_visible()
    keep(page, f"answers-{mode}")
    hosts = {urlsplit(url).hostname for url in requested if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
    source = page.content()
    assert "build_app" not in source
    assert "import fastclf" not in source
    assert "Traceback" not in source


@pytest.mark.parametrize("mode", MODES)
def test_photos_over_the_old_ten_megabyte_limit_are_answered(
    mode: str, launch: Callable[..., Server], page: Page, tmp_path: Path, rng: np.random.Generator
) -> None:
    noise = Image.fromarray(rng.integers(0, 256, (2200, 2200, 3), dtype=np.uint8))
    # the browser scales one of them down, and knows nothing of the other's format
    big, foreign, huge = tmp_path / "big.bmp", tmp_path / "foreign.tif", tmp_path / "huge.tif"
    noise.save(big)
    noise.save(foreign)
    noise.resize((3000, 3000)).save(huge)
    assert foreign.stat().st_size > 10 * 2**20
    server = launch(mode)
    open_page(page, server)
    choose(page, big, foreign, huge)
    cards = page.locator(".fastclf-card")
    expect(cards).to_have_count(3)
    expect(cards.nth(0).get_by_role("img")).to_be_visible()
    expect(cards.nth(1).get_by_role("img")).to_be_visible()
    expect(cards.nth(2)).to_contain_text("huge.tif has 25.7 MB; at most 20 MB")
    choose(page, big)
    expect(cards).to_have_count(4)


@pytest.mark.parametrize("mode", ["serve", "voila"])
def test_no_url_gives_away_code_model_or_photos(
    mode: str, launch: Callable[..., Server], trained: Trained
) -> None:
    server = launch(mode)
    photo = next((trained.photos / "3").iterdir())
    secrets = {
        "photo": photo.read_bytes(),
        "pickle": (trained.model / "export.pkl").read_bytes()[:200],
        "graph": (trained.model / "model.onnx").read_bytes()[:200],
        "code": b"build_app",
        "training notebook": b"load_data",
        "manifest": b'"features_id"',
        "settings": b"websocket_max_message_size",
    }
    inside = [
        "dashboard.ipynb", "train.ipynb", "voila.json", "model/export.pkl", "model/model.onnx", "model/bundle.json",
        "model/examples/example-1.jpg", f"photos/digits/3/{photo.name}", "server.log",
    ]  # fmt: skip
    prefixes = [
        "",
        "voila/files/",
        "voila/static/../",
        "voila/render/",
        "files/",
        "voila/templates/../",
        "static/",
    ]
    urls = [
        f"{server.url}{prefix}{name}"
        for prefix in prefixes
        for name in inside
        if prefix or name.count("/") < 2
    ]
    for route in (
        "api/contents",
        "api/kernels",
        "api/kernelspecs",
        "api/sessions",
        "voila/tree",
        "voila/files/",
    ):
        urls.append(server.url + route)

    def find_leaks(urls: list[str]) -> list[tuple[str, str]]:
        bodies = {url: fetch(url.replace("../", "..%2f"))[1] for url in urls}
        return [
            (url, what) for url, body in bodies.items() for what, secret in secrets.items() if secret in body
        ]

    assert find_leaks(urls) == []
    if mode == "voila":
        # the same search finds them all where Voila is told to serve everything
        open_server = launch("voila", options=OPEN)
        opened = find_leaks([f"{open_server.url}voila/files/{name}" for name in inside])
        assert {what for _, what in opened} == set(secrets)


def test_code_sent_over_the_kernel_channel_is_not_run(
    launch: Callable[..., Server], page: Page, tmp_path: Path
) -> None:
    server = launch("serve")
    open_page(page, server)
    config = json.loads(page.locator("#jupyter-config-data").text_content() or "")
    target = tmp_path / "pwned"
    message = {
        "header": {"msg_id": "1", "msg_type": "execute_request", "username": "", "session": "s", "date": "", "version": "5.3"},
        "parent_header": {}, "metadata": {}, "buffers": [], "channel": "shell",
        "content": {"code": f"open({str(target)!r}, 'w')", "silent": False, "store_history": False,
                    "user_expressions": {}, "allow_stdin": False, "stop_on_error": True},
    }  # fmt: skip
    page.evaluate(
        """async ([path, message]) => {
            const socket = new WebSocket(`ws://${location.host}${path}`);
            await new Promise((done, fail) => { socket.onopen = done; socket.onerror = fail; });
            socket.send(JSON.stringify(message));
            await new Promise((done) => setTimeout(done, 3000));
        }""",
        [f"/api/kernels/{config['kernelId']}/channels", message],
    )
    assert not target.exists()


def test_without_a_model_the_page_says_what_to_run(launch: Callable[..., Server], page: Page) -> None:
    server = launch("voila", model=None)
    page.goto(server.url)
    expect(page.get_by_role("alert")).to_contain_text("There is no model yet")
    expect(page.get_by_role("alert")).to_contain_text("fastclf train")
    assert "Traceback" not in page.content()
    keep_all_sizes(page, "no-model")


def test_a_model_that_fails_a_check_is_refused_by_name(launch: Callable[..., Server], page: Page) -> None:
    broken = launch("voila")
    with (broken.folder / "model" / "head.npz").open("ab") as file:
        file.write(b"x")
    # the waiting kernel has opened the model before; the next one finds it changed
    for _ in range(3):
        page.goto(broken.url)
        page.locator(".fastclf-drop-zone, .fastclf-refusal").first.wait_for()
    expect(page.get_by_role("alert")).to_contain_text("The model is refused")
    expect(page.get_by_role("alert")).to_contain_text("head.npz")
    assert str(broken.folder) not in page.content()
    keep_all_sizes(page, "refused")


@pytest.mark.parametrize("mode", MODES)
def test_a_visitor_who_leaves_takes_the_kernel_along(
    mode: str, launch: Callable[..., Server], page: Page
) -> None:
    server = launch(mode)

    def lives(kernel_id: str) -> bool:
        family = psutil.Process(server.process.pid).children(recursive=True)
        return any(kernel_id in " ".join(read_command(process)) for process in family)

    open_page(page, server)
    page.locator(".fastclf-example").first.click()
    expect(page.locator(".fastclf-card")).to_have_count(1)
    config = json.loads(page.locator("#jupyter-config-data").text_content() or "")
    assert lives(config["kernelId"])
    page.goto("about:blank")
    deadline = time.monotonic() + 15
    while lives(config["kernelId"]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not lives(config["kernelId"])


def test_a_stopped_server_leaves_no_process_behind(launch: Callable[..., Server], page: Page) -> None:
    server = launch("serve")
    open_page(page, server)
    assert stop(server) == []
