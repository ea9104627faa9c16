"""Real servers and a real Chromium; a server that no test changes is one for the whole run, a page is a test's or a file's."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ..conftest import Once, Trained
from ..dashboard.judged import build_judged
from .servers import Server, build_checkout, start, stop, write_notebook
from .stalls import WATCHED

CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
Visit = Callable[..., Page]
Launch = Callable[..., Server]
Share = Callable[[str, Callable[[Path], Server]], Server]
Publish = Callable[[str, str], Server]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.failed and call.when == "call":
        report.sections.append(("What the pages and their servers were doing", WATCHED.tell()))
    return report


def find_chromium() -> str:
    named = os.environ.get("FASTCLF_CHROMIUM")
    found = (
        named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )
    if not found:
        pytest.fail(
            "The browser tests need Chromium. Run them with `make test`, which finds or installs one."
        )
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # on a busy machine a child process alone takes longer than Playwright's five seconds
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def open_pages(browser: Browser) -> Iterator[Visit]:
    """Open a page for a visitor of its own: width, colour scheme, language."""
    contexts = []

    def go(
        url: str = "",
        *,
        width: int = 1000,
        height: int = 900,
        scheme: str = "light",
        language: str = "en-US",
        **options: Any,
    ) -> Page:
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, locale=language, **options))
        page = WATCHED.watch(contexts[-1].new_page())
        page.set_default_timeout(60_000)
        if url:
            page.goto(url)
        return page

    yield go
    for context in contexts:
        context.close()


visit = pytest.fixture(open_pages, name="visit")
# for the tests of a file that can share a page: each begins by making it as it needs it
stay = pytest.fixture(open_pages, name="stay", scope="module")


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit()


@pytest.fixture(scope="session")
def share(once: Once) -> Share:
    """Start a server once for the whole run, whoever asks first; the run's end stops it."""

    def go(name: str, build: Callable[[Path], Server]) -> Server:
        def record(folder: Path) -> tuple[str, int, str]:
            server = build(folder)
            return server.url, server.process.pid, str(server.folder)

        url, pid, folder = once(f"server-{name}", record)
        return Server(url, psutil.Process(pid), Path(folder))

    return go


@pytest.fixture(scope="session")
def digits(share: Share, trained: Trained) -> Callable[[str], Server]:
    """The digits' dashboard for visitors, by mode; `fastclf serve` has an inbox."""

    def go(mode: str) -> Server:
        def build(folder: Path) -> Server:
            build_checkout(folder, model=trained.model, photos=trained.photos)
            options = ["--photos=photos/digits", "--inbox=inbox.sqlite"] if mode == "serve" else []
            return start(mode, folder, options)

        return share(f"digits-{mode}", build)

    return go


@pytest.fixture(scope="session")
def publish(share: Share, once: Once) -> Publish:
    """Put a notebook on the run's server of small pages, where every visit starts a kernel."""

    def go(name: str, code: str) -> Server:
        server = share("pages", lambda folder: start("extension", build_checkout(folder)))
        once(f"page-{name}", lambda _: write_notebook(server.folder / f"{name}.ipynb", code))
        return replace(server, url=f"{server.root}voila/render/{name}.ipynb")

    return go


@pytest.fixture(scope="session")
def judged(once: Once) -> tuple[Path, Path]:
    """Return (photos, model) of a toy model that was judged on photos some of which lie in the wrong folder."""
    photos, model = once("judged", lambda folder: [str(path) for path in build_judged(folder)])
    return Path(photos), Path(model)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start a server that a test changes, fills or stops."""
    servers: list[Server] = []

    def go(mode: str, *, options: Any = (), env: Any = None, **contents: Any) -> Server:
        folder = build_checkout(tmp_path / f"checkout{len(servers)}", **contents)
        servers.append(start(mode, folder, options, env))
        return servers[-1]

    yield go
    for server in servers:
        if server.process.is_running():
            stop(server.process)


def choose(page: Page, *files: Path | dict[str, Any]) -> None:
    """Choose photos as a person does."""
    with page.expect_file_chooser() as chooser:
        page.locator(".fastclf-drop .fastclf-primary").click()
    chooser.value.set_files(list(files))


def hold_line(page: Page) -> None:
    """Let a page that is not open yet keep its newest socket as `line`, for a test to close."""
    page.add_init_script("""window.WebSocket = class extends WebSocket {
        constructor(...given) { super(...given); window.line = this; }
    };""")


def wait_true(page: Page, expression: str, seconds: float = 60) -> None:
    """Wait until an expression is true; Playwright's own waiting evaluates a text, which the page's policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(50)


def break_line_after(page: Page, act: Callable[[], object]) -> None:
    """Let the page do something and hear that the kernel is busy with it; then the line dies with all of the answer."""
    page.evaluate("""() => {
        const hear = line.onmessage;
        window.unheard = [];
        line.onmessage = (event) => {
            const text = new TextDecoder().decode(event.data);
            if (text.includes('"busy"')) hear(event);
            else window.unheard.push(text);
        };
    }""")
    act()
    wait_true(page, """window.unheard.some((text) => text.includes('"idle"'))""")
    page.wait_for_timeout(300)
    page.evaluate("line.close()")


def speak(page: Page, language: str) -> None:
    """Put an open page into another language, and wait until it stands: what is being drawn anew takes no click."""
    page.evaluate(
        """code => {
            localStorage.setItem("fastclf-language", code);
            document.dispatchEvent(new CustomEvent("fastclf-language"));
        }""",
        language,
    )
    expect(page.locator(f".fastclf:not([lang={language}])")).to_have_count(0)


def clear(page: Page) -> None:
    """Take away what an earlier test has left among the answers."""
    # not the plain upload's, which stands there until the page's scripts run
    button = page.locator(".fastclf-answers").get_by_role("button", name="Clear all")
    if button.is_visible():
        button.click()
    expect(page.locator(".fastclf-card")).to_have_count(0)


def sealed_digits(trained: Trained) -> dict[str, Path]:
    """One photo of each of three digits, none of which the model was trained on."""
    from fastclf.system import hash_file

    lines = (trained.model / "photos.csv").read_text().splitlines()[1:]
    unseen = {line.split(",")[0] for line in lines if line.endswith(",test")}
    return {
        digit: next(p for p in sorted((trained.photos / digit).iterdir()) if hash_file(p) in unseen)
        for digit in ("0", "4", "7")
    }
