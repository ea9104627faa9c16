"""The dashboard as a visitor meets it: served by Voila in every mode, opened in Chromium."""

from __future__ import annotations

import json
import re
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Request, expect

from fastclf.inbox import Inbox

from ..conftest import Trained
from ..drawing import draw_photo, encode
from .conftest import Launch, Visit, choose, clear, sealed_digits
from .pictures import EVERY_WIDTH, keep, keep_light_and_dark
from .servers import MODES_TO_SEE, Server, fetch, on_the_wire, read_kernel, stop, wait_until

pytestmark = pytest.mark.slow

Digits = Callable[[str], Server]


def open_page(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator(".fastclf-drop").get_by_role("button", name="Choose photos").wait_for()


class Opened(NamedTuple):
    """A visitor's page that the tests of one mode share, with what it has asked for and what went wrong in it."""

    mode: str
    server: Server
    page: Page
    requests: list[Request]
    errors: list[str]


@pytest.fixture(scope="module", params=MODES_TO_SEE)
def shared(request: pytest.FixtureRequest, digits: Digits, stay: Visit) -> Opened:
    opened = Opened(request.param, digits(request.param), stay(), [], [])
    page = opened.page
    page.on("request", lambda r: r.url.startswith(("blob:", "data:")) or opened.requests.append(r))
    page.on("console", lambda m: m.type == "error" and opened.errors.append(m.text))
    page.on("pageerror", lambda e: opened.errors.append(str(e)))
    open_page(page, opened.server)
    return opened


@pytest.fixture
def opened(shared: Opened) -> Opened:
    """The shared page without a card; the one that was left is opened anew."""
    if shared.page.url == "about:blank":
        open_page(shared.page, shared.server)
    clear(shared.page)
    return shared


def ask_example(page: Page, n: int = 0) -> Locator:
    """Let an example be answered; return its card."""
    page.locator(".fastclf-example").nth(n).click()
    expect(page.locator(".fastclf-card")).to_have_count(1)
    return page.locator(".fastclf-card")


def test_the_page_comes_from_this_host_and_is_whole(opened: Opened) -> None:
    page, requests = opened.page, opened.requests
    page.wait_for_load_state("networkidle")
    assert all(r.url.startswith(opened.server.root) for r in requests)
    [asked] = [r for r in requests if not r.is_navigation_request()]
    assert asked.url.split("?")[0].endswith("/client.js")
    for request in requests:
        assert request.response().headers["content-encoding"] == "gzip"
    assert int(asked.response().headers["cache-control"].removeprefix("max-age=")) > 10**7
    # what was served is all there is: with the web cut off the page goes on
    n = len(requests)
    page.route("**/*", lambda route: route.abort())
    ask_example(page).get_by_role("button", name="Why?").click()
    expect(page.locator(".fastclf-heat")).to_be_visible()
    page.unroute_all()
    assert len(requests) == n
    assert opened.errors == []
    source = page.content()
    for secret in ("build_app", "import fastclf", "Traceback"):
        assert secret not in source


def test_the_plots_of_about_have_their_lines_under_the_servers_policy(opened: Opened) -> None:
    opened.page.get_by_role("tab", name="About").click()
    expect(opened.page.locator(".fastclf-about svg").first).to_be_attached()
    strokes = opened.page.evaluate(
        "[...document.querySelectorAll('.fastclf-about svg line')].map((line) => getComputedStyle(line).stroke)"
    )
    opened.page.get_by_role("tab", name="Classify").click()
    assert len(strokes) > 10
    assert "none" not in strokes
    assert opened.errors == []


def test_three_digits_are_answered_and_a_truncated_jpeg_is_named(
    opened: Opened, trained: Trained, tmp_path: Path
) -> None:
    page = opened.page
    expect(page.get_by_role("tab")).to_have_text(["Classify", "About"])
    broken = tmp_path / "holiday.jpg"
    broken.write_bytes(encode(draw_photo("red", 0, (300, 200)), "JPEG")[:4000])
    photos = sealed_digits(trained)
    choose(page, *photos.values(), broken)
    cards = page.locator(".fastclf-card")
    expect(cards).to_have_count(4)
    for card, digit in zip(cards.all(), photos, strict=False):
        heading = card.get_by_role("heading").inner_text()
        assert re.search(rf"(^|probably |perhaps ){digit}, ", heading), heading
        assert card.get_by_role("img").get_attribute("alt", timeout=5000).startswith("Your photo")
    expect(cards.nth(3)).to_contain_text("holiday.jpg is cut off")
    # where there is no picture, none takes room
    assert cards.nth(3).locator(".fastclf-picture").bounding_box()["height"] < 100
    expect(page.get_by_role("status").filter(has_text="4 photos looked at")).to_be_visible()
    keep(page, f"answers-{opened.mode}")


def test_photos_over_the_old_ten_megabyte_limit_are_answered(
    opened: Opened, tmp_path: Path, rng: np.random.Generator
) -> None:
    page = opened.page
    noise = Image.fromarray(rng.integers(0, 256, (2200, 2200, 3), dtype=np.uint8))
    # the browser scales one of them down, and knows nothing of the other's format
    big, foreign, huge = tmp_path / "big.bmp", tmp_path / "foreign.tif", tmp_path / "huge.tif"
    noise.save(big)
    noise.save(foreign)
    noise.resize((3000, 3000)).save(huge)
    assert foreign.stat().st_size > 10 * 2**20
    choose(page, big, foreign, huge)
    cards = page.locator(".fastclf-card")
    expect(cards).to_have_count(3)
    expect(cards.nth(0).get_by_role("img")).to_be_visible()
    expect(cards.nth(1).get_by_role("img")).to_be_visible()
    expect(cards.nth(2)).to_contain_text("huge.tif has 25.7 MB; at most 20 MB")
    choose(page, big)
    expect(cards).to_have_count(4)


def test_a_wrong_answer_reaches_the_owners_inbox_or_is_a_file_where_there_is_none(opened: Opened) -> None:
    page, has_inbox = opened.page, opened.mode == "serve"
    ask_example(page, 5).get_by_role("button", name="That's wrong").click()
    if has_inbox:
        expect(page.get_by_text("go to the owner")).to_be_visible()
        page.get_by_label("What is it really?").select_option("8")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("status").filter(has_text="Thank you")).to_be_visible()
        [report] = Inbox(opened.server.folder / "inbox.sqlite").reports()
        assert (report.answer, report.label) == ("5", "8")
        # once, and the mark outlives a reload
        for is_first in (True, False):
            expect(page.get_by_text("You said: 8")).to_be_visible()
            expect(page.get_by_role("button", name="Why?")).to_have_count(1)
            expect(page.get_by_role("button", name="That's wrong")).to_have_count(0)
            if is_first:
                page.reload()
        return
    page.get_by_label("What is it really?").select_option("none of these")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    with zipfile.ZipFile(download.value.path()) as parcel:
        report = json.loads(parcel.read("report.json"))
        assert (report["answer"], report["label"]) == ("5", None)
        assert parcel.read("photo.jpg").startswith(b"\xff\xd8")


@pytest.mark.parametrize("mode", MODES_TO_SEE[:2])
def test_no_url_gives_away_code_model_or_photos(mode: str, digits: Digits, trained: Trained) -> None:
    server = digits(mode)
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
    routes = ("api/contents", "api/kernels", "api/kernelspecs", "api/sessions", "voila/tree", "voila/files/")
    urls += [server.url + route for route in routes]

    def find_leaks(urls: list[str]) -> list[tuple[str, str]]:
        bodies = {url: fetch(url.replace("../", "..%2f"))[1] for url in urls}
        return [
            (url, what) for url, body in bodies.items() for what, secret in secrets.items() if secret in body
        ]

    assert find_leaks(urls) == []
    if mode == "serve":
        # the same search finds them all where a server gives away the folder
        class Open(SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), partial(Open, directory=server.folder)) as giving:
            threading.Thread(target=giving.serve_forever, daemon=True).start()
            opened = find_leaks([f"http://127.0.0.1:{giving.server_port}/{name}" for name in inside])
            giving.shutdown()
        assert {what for _, what in opened} == set(secrets)


# a Jupyter server is there to run code
@pytest.mark.parametrize("shared", MODES_TO_SEE[:2], indirect=True)
def test_code_sent_over_the_kernel_channel_is_not_run(opened: Opened, tmp_path: Path) -> None:
    target = tmp_path / "pwned"
    code = {"code": f"open({str(target)!r}, 'w')", "silent": False, "store_history": False,
            "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}  # fmt: skip
    # a kernel takes messages in their order: once it answers the second, it has seen the first
    opened.page.evaluate(
        on_the_wire("""async ([path, code]) => {
            const socket = await openSocket(path);
            socket.send(pack(makeMessage("s", "execute_request", code)));
            socket.send(pack(makeMessage("s", "comm_info_request", {target_name: "jupyter.widget"})));
            await new Promise((done) => {
                socket.onmessage = ({data}) => unpack(data).header.msg_type === "comm_info_reply" && done();
            });
            socket.close();
        }"""),
        [f"/api/kernels/{read_kernel(opened.page)}/channels", code],
    )
    assert not target.exists()


def test_a_websocket_of_the_older_framing_is_refused_and_the_next_visitor_answered(opened: Opened) -> None:
    page = opened.page
    accepted = page.evaluate(
        """async ([path, protocols]) => {
            const opened = (offered) => new Promise((done) => {
                const socket = new WebSocket(`ws://${location.host}${path}`, offered);
                socket.onopen = () => { socket.close(); done(true); };
                socket.onerror = () => done(false);
            });
            return [await opened([]), await opened(["v0.other"]), await opened(protocols)];
        }""",
        [f"/api/kernels/{read_kernel(page)}/channels", ["v0.other", "v1.kernel.websocket.jupyter.org"]],
    )
    assert accepted == [False, False, True]
    ask_example(page)


@EVERY_WIDTH
def test_without_a_model_or_with_one_that_fails_a_check_the_page_says_so(
    launch: Launch, page: Page, toy_model: Path, widths: tuple[int, ...]
) -> None:
    server = launch("voila")
    page.goto(server.url)
    expect(page.get_by_role("alert")).to_contain_text("There is no model yet")
    expect(page.get_by_role("alert")).to_contain_text("fastclf train")
    assert "Traceback" not in page.content()
    keep_light_and_dark(page, "no-model", widths)
    with (toy_model / "head.npz").open("ab") as file:
        file.write(b"x")
    toy_model.rename(server.folder / "model")
    # the waiting kernel has built its page before
    page.goto(server.url)
    expect(page.get_by_role("alert")).to_contain_text("The model is refused")
    expect(page.get_by_role("alert")).to_contain_text("head.npz")
    assert str(server.folder) not in page.content()
    keep_light_and_dark(page, "refused", widths)


def test_a_visitor_who_leaves_takes_the_kernel_along(opened: Opened) -> None:
    ask_example(opened.page)
    kernel = read_kernel(opened.page)
    assert opened.server.find_kernels(kernel)
    opened.page.goto("about:blank")
    wait_until(lambda: not opened.server.find_kernels(kernel), 15)


def test_a_stopped_server_leaves_no_process_behind_and_its_page_says_so(
    launch: Launch, page: Page, toy_model: Path
) -> None:
    server = launch("serve", model=toy_model)
    page.clock.install()
    open_page(page, server)
    ask_example(page)
    assert stop(server.process) == []
    expect(page.get_by_role("status").filter(has_text="Trying again")).to_be_visible()
    keep(page, "state-interrupted")
    page.clock.run_for(31_000)
    expect(page.get_by_role("button", name="Reload")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Reloading starts over")).to_be_visible()
    expect(page.locator(".fastclf-card")).to_be_visible()
    keep(page, "state-unreachable")
