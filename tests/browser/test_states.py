"""What a visitor sees when the dashboard is not simply there: starting, lost, full, broken, no JavaScript."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Server, build_small_checkout, fetch, keep, start, stop

pytestmark = pytest.mark.slow

CODE = """
import time
import ipywidgets as widgets
from fastclf.dashboard.widgets import PageFrame

time.sleep({pause})
said = widgets.HTML("<p>An answer that was read</p>")
button = widgets.Button(description="Press")
button.on_click(lambda _: setattr(said, "value", "<p>pressed</p>"))
box = widgets.VBox([PageFrame(), widgets.HTML("<h1>Ready</h1>"), said, button])
box.add_class("fastclf")
box
"""
COLD = {"preheat_kernel": False}
LANGUAGES = ["en", "es", "ar"]
STARTING = {"en": "Starting a session", "es": "Iniciando una sesión", "ar": "جارٍ بدء جلسة"}
OPENING = {"en": "Opening the classifier", "es": "Abriendo el clasificador", "ar": "جارٍ فتح المصنِّف"}
LOST = {
    "en": ("This session has ended.", "Reload"),
    "es": ("Esta sesión ha terminado.", "Recargar"),
    "ar": ("انتهت هذه الجلسة.", "إعادة التحميل"),
}
FULL = {
    "en": "Many people are here right now",
    "es": "Hay mucha gente aquí",
    "ar": "يوجد هنا كثير من الزوار الآن",
}


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    servers: list[Server] = []

    def go(
        mode: str = "voila", pause: float = 0, code: str = CODE, settings: dict[str, object] | None = None
    ) -> Server:
        source = code.replace("{pause}", str(pause))
        folder = build_small_checkout(tmp_path / f"checkout{len(servers)}", source, settings)
        servers.append(start(mode, folder))
        return servers[-1]

    yield go
    for server in servers:
        if server.process.poll() is None:
            stop(server)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []

    def go(language: str = "en", scheme: str = "light", width: int = 1000, **options: object) -> Page:
        context = browser.new_context(
            locale=language, color_scheme=scheme, viewport={"width": width, "height": 780}, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        return page

    yield go
    for context in contexts:
        context.close()


def open_page(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Press").wait_for()


def read_kernel(page: Page) -> str:
    return json.loads(page.locator("#jupyter-config-data").text_content() or "")["kernelId"]


def is_gone(server: Server, kernel: str) -> bool:
    return fetch(f"{server.url}api/kernels/{kernel}")[0] == 404


def kernels(server: Server) -> list[psutil.Process]:
    """The kernel processes; nothing of one that is ending."""
    found = []
    for process in psutil.Process(server.process.pid).children(recursive=True):
        try:
            if any("ipykernel" in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not check() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert check()


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1440), ("es", "dark", 768), ("ar", "light", 360)]
)
def test_the_first_words_are_there_before_the_kernel(
    serve: Serve, visit: Callable[..., Page], language: str, scheme: str, width: int
) -> None:
    server = serve(pause=4, settings=COLD)
    page = visit(language, scheme, width)
    ready: list[str] = []
    page.expose_function("heard", lambda code: ready.append(code))
    page.add_init_script("document.addEventListener('fastclf-ready', (e) => heard(e.detail))")
    page.goto(server.url, wait_until="commit")
    line = page.locator(".fastclf-starting-now")
    expect(line).to_contain_text(STARTING[language])
    assert page.locator("#jupyter-config-data").count() == 0
    expect(page.get_by_role("heading", level=1)).to_have_text("A small page")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [
        language,
        "rtl" if language == "ar" else "ltr",
    ]
    bar = page.get_by_role("progressbar")
    before = bar.evaluate("bar => bar.value")
    expect(line).to_contain_text(OPENING[language])
    page.wait_for_timeout(500)
    keep(page, f"state-starting-{language}-{scheme}-{width}")
    assert before < bar.evaluate("bar => bar.value") < 76
    expect(page.get_by_role("heading", level=1)).to_have_text("Ready")
    assert page.locator("#fastclf-starting").count() == 0
    assert ready == [language]
    # the next visit knows how long it took
    page.reload(wait_until="commit")
    seconds = float(page.evaluate("localStorage.getItem('fastclf-seconds')"))
    assert seconds > 4
    expect(page.locator(".fastclf-starting-soon")).to_contain_text(str(round(seconds)))


def test_reduced_motion_moves_the_bar_by_steps_alone(serve: Serve, visit: Callable[..., Page]) -> None:
    server = serve(pause=4, settings=COLD)
    page = visit(reduced_motion="reduce")
    page.goto(server.url, wait_until="commit")
    expect(page.locator(".fastclf-starting-now")).to_contain_text(OPENING["en"])
    bar = page.get_by_role("progressbar")
    first = bar.evaluate("bar => bar.value")
    page.wait_for_timeout(1500)
    assert bar.evaluate("bar => bar.value") == first


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_ended_kernel_is_said_and_the_page_stays_readable(
    serve: Serve, visit: Callable[..., Page], language: str
) -> None:
    server = serve()
    page = visit(language, "dark" if language == "es" else "light", 360 if language == "ar" else 1000)
    open_page(page, server)
    expect(page.locator("html")).to_have_attribute("lang", language)
    kernel = read_kernel(page)
    page.evaluate("document.addEventListener('fastclf-lost', (e) => { window.lostFor = e.detail.reason; })")
    [mine] = [k for k in kernels(server) if kernel in " ".join(k.cmdline())]
    mine.send_signal(signal.SIGKILL)
    words, button = LOST[language]
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(words)
    expect(page.get_by_role("button", name=button)).to_be_focused()
    expect(page.get_by_text("An answer that was read")).to_be_visible()
    assert page.evaluate("window.lostFor") == "ended"
    keep(page, f"state-lost-{language}")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Press").click()
    expect(page.get_by_text("pressed")).to_be_visible()


def test_a_session_that_the_server_ended_is_noticed_at_the_next_click(
    serve: Serve, visit: Callable[..., Page]
) -> None:
    server = serve()
    page = visit()
    open_page(page, server)
    kernel = read_kernel(page)
    page.evaluate(
        """id => {
            document.cookie = "_xsrf=abc; path=/";
            return fetch(`/voila/api/shutdown/${id}`, { method: "POST", headers: { "X-XSRFToken": "abc" } });
        }""",
        kernel,
    )
    wait_until(lambda: is_gone(server, kernel))
    if not page.get_by_role("alert").count():
        page.get_by_role("button", name="Press").click()
    expect(page.get_by_role("alert")).to_contain_text(LOST["en"][0])


def test_a_stopped_server_is_said_after_some_tries(serve: Serve, visit: Callable[..., Page]) -> None:
    server = serve()
    page = visit()
    open_page(page, server)
    stop(server)
    expect(page.get_by_role("status").filter(has_text="Trying again")).to_be_visible()
    keep(page, "state-interrupted")
    expect(page.get_by_role("button", name="Reload")).to_be_visible(timeout=40_000)
    expect(page.get_by_role("status").filter(has_text="Reloading starts anew")).to_be_visible()
    expect(page.get_by_text("An answer that was read")).to_be_visible()
    keep(page, "state-unreachable")


def test_a_session_outlives_a_long_time_without_a_line(serve: Serve, visit: Callable[..., Page]) -> None:
    server = serve()
    page = visit("ar", width=360)
    open_page(page, server)
    page.route("**/api/kernels/**", lambda route: route.abort())
    page.evaluate("fastclfPage.socket.close()")
    page.get_by_role("button", name="Press").click()
    page.wait_for_timeout(20_000)
    expect(page.get_by_role("button", name=LOST["ar"][1])).to_be_visible(timeout=20_000)
    keep(page, "state-unreachable-ar")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.unroute_all()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_text("pressed")).to_be_visible()
    expect(page.locator(".fastclf-notice")).to_have_count(0)


def test_a_short_interruption_is_mended_and_nothing_is_lost(serve: Serve, visit: Callable[..., Page]) -> None:
    server = serve()
    page = visit()
    open_page(page, server)
    page.evaluate("fastclfPage.socket.close()")
    page.get_by_role("button", name="Press").click()
    expect(page.get_by_text("pressed")).to_be_visible()
    expect(page.locator(".fastclf-notice")).to_have_count(0)


@pytest.mark.parametrize("settings", [None, COLD], ids=["preheated", "cold"])
def test_a_visitor_too_many_is_asked_to_wait_and_let_in_later(
    serve: Serve,
    visit: Callable[..., Page],
    settings: dict[str, object] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FASTCLF_MAX_VISITORS", "1")
    server = serve(settings=settings)
    first = visit()
    open_page(first, server)
    for language, width in zip(LANGUAGES, (1000, 768, 360), strict=True):
        page = visit(language, "dark" if language == "es" else "light", width)
        answer = page.goto(server.url)
        assert answer.status == 503
        expect(page.get_by_role("alert")).to_contain_text(FULL[language])
        expect(page.get_by_role("button")).to_be_focused()
        assert "Traceback" not in page.content()
        keep(page, f"state-full-{language}")
    kernel = read_kernel(first)
    first.goto("about:blank")
    wait_until(lambda: is_gone(server, kernel))
    page.get_by_role("button").click()
    page.get_by_role("button", name="Press").wait_for()


def test_a_full_server_is_tried_again_by_itself(
    serve: Serve, visit: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCLF_MAX_VISITORS", "1")
    server = serve()
    first = visit()
    open_page(first, server)
    page = visit()
    page.clock.install()
    page.goto(server.url)
    expect(page.get_by_text("Next try in")).to_be_visible()
    kernel = read_kernel(first)
    first.goto("about:blank")
    wait_until(lambda: is_gone(server, kernel))
    page.clock.run_for(62_000)
    page.get_by_role("button", name="Press").wait_for()


@pytest.mark.parametrize(
    "code",
    ["raise RuntimeError('secret words')", "import ipywidgets\nprint('no widget')"],
    ids=["raises", "shows nothing"],
)
@pytest.mark.parametrize("settings", [None, COLD], ids=["preheated", "cold"])
def test_a_notebook_that_fails_is_said_without_a_traceback(
    serve: Serve, visit: Callable[..., Page], code: str, settings: dict[str, object] | None
) -> None:
    server = serve(code=code, settings=settings)
    page = visit()
    page.goto(server.url, wait_until="commit")
    expect(page.get_by_role("alert")).to_contain_text("The page could not be started")
    expect(page.get_by_role("button", name="Reload")).to_be_focused()
    assert "secret words" not in page.content()
    assert "Traceback" not in page.content()
    keep(page, "state-failed")


def test_a_start_that_never_ends_offers_to_reload(serve: Serve, visit: Callable[..., Page]) -> None:
    server = serve(code="import os\nos._exit(3)", settings=COLD)
    page = visit()
    page.clock.install()
    page.goto(server.url, wait_until="commit")
    expect(page.locator(".fastclf-starting-now")).to_contain_text("Opening the classifier")
    assert page.get_by_role("button").count() == 0
    page.clock.run_for(25_000)
    expect(page.get_by_role("status")).to_have_text("This takes longer than usual ...")
    expect(page.get_by_role("button", name="Reload")).to_be_visible()
    expect(page.get_by_text("This takes a few seconds")).to_be_hidden()
    keep(page, "state-late")


@pytest.mark.parametrize("mode", ["voila", "extension"])
def test_a_page_that_does_not_exist_looks_like_ours(
    serve: Serve, visit: Callable[..., Page], mode: str
) -> None:
    server = serve(mode)
    page = visit("es")
    if mode == "extension":
        answer = page.goto(server.url.replace("dashboard", "nothing"))
        assert answer.status == 404
        expect(page.get_by_role("alert")).to_contain_text("Esta página no existe")
        keep(page, "state-no-such-page")
        page.get_by_role("button").click()
        page.get_by_role("button", name="Press").wait_for()
    else:
        assert page.goto(f"{server.url}nothing").status in (403, 404)
        assert "Traceback" not in page.content()


def test_without_javascript_a_sentence_says_so(serve: Serve, visit: Callable[..., Page]) -> None:
    server = serve()
    page = visit(java_script_enabled=False)
    page.goto(server.url)
    expect(page.get_by_text("This page needs JavaScript")).to_be_visible()
    expect(page.get_by_text("Esta página necesita JavaScript")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_hidden()
    keep(page, "state-no-javascript", check=False)
