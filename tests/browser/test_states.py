"""What a visitor sees when the dashboard is not simply there: starting, lost, full, broken, no JavaScript."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import Page, expect

from .conftest import Launch, Publish, Share, Visit, hold_line
from .pictures import keep
from .servers import COLD, Server, build_checkout, fetch, read_kernel, start, wait_until

pytestmark = pytest.mark.slow

CODE = """
import time
import ipywidgets as widgets
from fastclf.dashboard.widgets import PageFrame

time.sleep({pause})
said = widgets.HTML("<p>An answer that was read</p>")
button = widgets.Button(description="Press")
presses = []
button.on_click(lambda _: presses.append(1) or setattr(said, "value", f"<p>pressed {len(presses)}</p>"))
box = widgets.VBox([PageFrame(), widgets.HTML("<h1>Ready</h1>"), said, button])
box.add_class("fastclf")
box
"""
QUICK, LATE = CODE.replace("{pause}", "0"), CODE.replace("{pause}", "4")
RAISES, SHOWS_NOTHING = "raise RuntimeError('secret words')", "import ipywidgets\nprint('no widget')"
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
MISSING = {
    "es-MX": "Esta página no existe",
    "ar": "هذه الصفحة غير موجودة",
    "fr": "There is no such page",
}
# a state looks alike in every language; every word in every language is a test of the page's sources
LOOKS = [("ar", "dark", 360), ("en", "light", 1440), ("es", "dark", 768)]
ONE_LOOK = [look if look[0] == "ar" else pytest.param(*look, marks=pytest.mark.thorough) for look in LOOKS]


@pytest.fixture
def server(share: Share) -> Server:
    """Voila on its own with a small page, whose kernels wait for visitors."""
    return share("small", lambda folder: start("voila", build_checkout(folder, code=QUICK)))


def open_page(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Press").wait_for()


def is_gone(server: Server, kernel: str) -> bool:
    return fetch(f"{server.root}api/kernels/{kernel}")[0] == 404


def leave(page: Page, server: Server) -> None:
    kernel = read_kernel(page)
    page.goto("about:blank")
    wait_until(lambda: is_gone(server, kernel), 90)


@pytest.mark.parametrize(("language", "scheme", "width"), ONE_LOOK)
def test_the_first_words_are_there_before_the_kernel(
    publish: Publish, visit: Visit, language: str, scheme: str, width: int
) -> None:
    server = publish("late", LATE)
    page = visit(language=language, scheme=scheme, width=width)
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
    keep(page, f"state-starting-{language}-{scheme}-{width}")
    assert before < bar.evaluate("bar => bar.value") < 76
    expect(page.get_by_role("heading", level=1)).to_have_text("Ready")
    assert page.locator("#fastclf-starting").count() == 0
    wait_until(lambda: ready == [language])
    # the next visit knows how long it took; with reduced motion its bar moves by steps alone
    page.emulate_media(reduced_motion="reduce")
    page.clock.install()
    page.reload(wait_until="commit")
    seconds = float(page.evaluate("localStorage.getItem('fastclf-seconds')"))
    assert seconds > 4
    expect(page.locator(".fastclf-starting-soon")).to_contain_text(str(round(seconds)))
    expect(line).to_contain_text(OPENING[language])
    first = bar.evaluate("bar => bar.value")
    page.clock.run_for(3000)
    assert bar.evaluate("bar => bar.value") == first


@pytest.mark.parametrize(("language", "scheme", "width"), ONE_LOOK)
def test_an_ended_kernel_is_said_and_the_page_stays_readable(
    server: Server, visit: Visit, language: str, scheme: str, width: int
) -> None:
    page = visit(language=language, scheme=scheme, width=width)
    open_page(page, server)
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.evaluate("document.addEventListener('fastclf-lost', (e) => { window.lostFor = e.detail.reason; })")
    [kernel] = server.find_kernels(read_kernel(page))
    kernel.send_signal(signal.SIGKILL)
    words, button = LOST[language]
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name=button)).to_be_focused()
    expect(page.get_by_text("An answer that was read")).to_be_visible()
    assert page.evaluate("window.lostFor") == "ended"
    keep(page, f"state-lost-{language}")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Press").click()
    expect(page.get_by_text("pressed 1")).to_be_visible()


def test_a_cut_line_is_mended_however_long_it_was_and_an_end_is_noticed_at_the_next_click(
    server: Server, visit: Visit
) -> None:
    page = visit(language="ar", width=360)
    page.clock.install()
    hold_line(page)
    open_page(page, server)
    press = page.get_by_role("button", name="Press")
    page.evaluate("line.close()")
    press.click()
    expect(page.get_by_text("pressed 1")).to_be_visible()
    expect(page.locator(".fastclf-notice")).to_have_count(0)
    page.route("**/api/kernels/**", lambda route: route.abort())
    page.evaluate("line.close()")
    press.click()
    expect(page.locator(".fastclf-notice")).to_be_visible()
    # second by second, so that every try meets the cut line
    for _ in range(31):
        page.clock.run_for(1000)
    expect(page.get_by_role("button", name=LOST["ar"][1])).to_be_visible()
    keep(page, "state-unreachable-ar")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.unroute_all()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_text("pressed 2")).to_be_visible()
    expect(page.locator(".fastclf-notice")).to_have_count(0)
    kernel = read_kernel(page)
    page.evaluate(
        """id => {
            document.cookie = "_xsrf=abc; path=/";
            return fetch(`/voila/api/shutdown/${id}`, { method: "POST", headers: { "X-XSRFToken": "abc" } });
        }""",
        kernel,
    )
    wait_until(lambda: is_gone(server, kernel), 90)
    if not page.get_by_role("alert").count():
        press.click()
    expect(page.get_by_role("alert")).to_contain_text(LOST["ar"][0])


@pytest.mark.parametrize("settings", [None, COLD], ids=["preheated", "cold"])
def test_a_visitor_too_many_is_asked_to_wait_and_let_in_later(
    launch: Launch, visit: Visit, settings: dict[str, object] | None
) -> None:
    server = launch("voila", code=QUICK, settings=settings, env={"FASTCLF_MAX_VISITORS": "1"})
    first = visit()
    open_page(first, server)
    for language, scheme, width in LOOKS if settings is None else LOOKS[-1:]:
        asked = visit(language=language, scheme=scheme, width=width)
        answer = asked.goto(server.url)
        assert answer.status == 503
        expect(asked.get_by_role("alert")).to_contain_text(FULL[language])
        expect(asked.get_by_role("button")).to_be_focused()
        assert "Traceback" not in asked.content()
        keep(asked, f"state-full-{language}")
    waiting = visit()
    waiting.clock.install()
    waiting.goto(server.url)
    expect(waiting.get_by_text("Next try in")).to_be_visible()
    leave(first, server)
    waiting.clock.run_for(62_000)
    # it was tried again by itself
    waiting.get_by_role("button", name="Press").wait_for()
    leave(waiting, server)
    asked.get_by_role("button").click()
    asked.get_by_role("button", name="Press").wait_for()


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        pytest.param(RAISES, None, id="raises while it waits for a visitor"),
        pytest.param(SHOWS_NOTHING, None, id="shows nothing, waiting", marks=pytest.mark.thorough),
        pytest.param(RAISES, COLD, id="raises under a visitor's eyes"),
        pytest.param(SHOWS_NOTHING, COLD, id="shows nothing"),
    ],
)
def test_a_notebook_that_fails_is_said_without_a_traceback(
    launch: Launch, publish: Publish, page: Page, code: str, settings: dict[str, object] | None
) -> None:
    if settings:
        server = publish("raises" if code == RAISES else "nothing", code)
    else:
        server = launch("voila", code=code)
    page.goto(server.url, wait_until="commit")
    expect(page.get_by_role("alert")).to_contain_text("The page could not be started")
    expect(page.get_by_role("button", name="Reload")).to_be_focused()
    assert "secret words" not in page.content()
    assert "Traceback" not in page.content()
    keep(page, "state-failed")


def test_a_start_that_never_ends_offers_to_reload(publish: Publish, page: Page) -> None:
    page.clock.install()
    page.goto(publish("dies", "import os\nos._exit(3)").url, wait_until="commit")
    expect(page.locator(".fastclf-starting-now")).to_contain_text("Opening the classifier")
    assert page.get_by_role("button").count() == 0
    page.clock.run_for(25_000)
    expect(page.get_by_role("status")).to_have_text("This takes longer than usual ...")
    expect(page.get_by_role("button", name="Reload")).to_be_visible()
    expect(page.get_by_text("This takes a few seconds")).to_be_hidden()
    keep(page, "state-late")


def test_a_page_that_does_not_exist_looks_like_ours(publish: Publish, visit: Visit) -> None:
    server = publish("dashboard", QUICK)
    for language, words in MISSING.items():
        page = visit(language=language)
        answer = page.goto(server.url.replace("dashboard", "nowhere"))
        assert answer.status == 404
        expect(page.get_by_role("alert")).to_contain_text(words)
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        keep(page, f"state-no-such-page-{language}")
    page.get_by_role("button").click()
    page.get_by_role("button", name="Press").wait_for()


def test_without_javascript_a_sentence_says_so_and_no_other_address_tells_anything(
    server: Server, visit: Visit
) -> None:
    page = visit(server.url, java_script_enabled=False)
    expect(page.get_by_text("This page needs JavaScript")).to_be_visible()
    expect(page.get_by_text("Esta página necesita JavaScript")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_hidden()
    keep(page, "state-no-javascript", check=False)
    # where there is one page
    assert page.goto(f"{server.url}nothing").status in (403, 404)
    assert "Traceback" not in page.content()
