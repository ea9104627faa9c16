"""The page's own client: every kind of widget that the dashboard uses, both ways, over a line that may break."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import Publish, Share, break_line_after, hold_line, wait_true
from .servers import Server, build_checkout, start

pytestmark = pytest.mark.slow

CODE = """
import anywidget, traitlets
import ipywidgets as widgets

log = widgets.HTML("<p>nothing yet</p>")
def say(text):
    log.value = f"<p>{text}</p>"

class Echo(anywidget.AnyWidget):
    _esm = '''
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        button.textContent = "Send bytes";
        button.onclick = () => model.send({ kind: "bytes" }, {}, [new Uint8Array([1, 2, 250]).buffer]);
        const out = document.createElement("output");
        model.on("msg:custom", (content, buffers) => {
          const bytes = new Uint8Array(buffers[0].buffer, buffers[0].byteOffset, buffers[0].byteLength);
          out.textContent = content.kind + ":" + [...bytes].join(",");
        });
        const trait = document.createElement("span");
        const show = () => { trait.textContent = "trait:" + new Uint8Array(model.get("data").buffer).length; };
        model.on("change:data", show);
        show();
        el.append(button, out, trait);
      },
    };
    '''
    _css = ".echo-mark { color: rgb(1, 2, 3); }"
    data = traitlets.Bytes(b"abc").tag(sync=True)

echo = Echo()
def on_custom(widget, content, buffers):
    echo.send({"kind": content["kind"]}, [bytes(reversed(bytes(buffers[0])))])
    echo.data = bytes(buffers[0]) * 2
echo.on_msg(on_custom)

button = widgets.Button(description="Press")
presses = []
def on_press(_):
    presses.append(1)
    say(f"pressed {len(presses)}")
    row.children = [*row.children, widgets.Label(f"born {len(presses)}")]
button.on_click(on_press)
text = widgets.Text(description="Text")
area = widgets.Textarea(description="Area")
drop = widgets.Dropdown(options=["one", "two"], description="Drop")
check = widgets.Checkbox(description="Check")
toggle = widgets.ToggleButtons(options=["left", "right"])
upload = widgets.FileUpload(description="Upload", multiple=True)
for widget in (text, area, drop, check, toggle):
    widget.observe(lambda change: say(f"value {change['new']}"), "value")
upload.observe(lambda change: change["new"] and say(
    "files " + ", ".join(f"{f.name} {len(f.content)} {sum(f.content)}" for f in change["new"])), "value")
hostile = widgets.HTML(value="fine", description="<img src=x onerror=document.title='pwned'>", description_allow_html=True)
row = widgets.HBox([widgets.Label("first")])
widgets.VBox([log, button, text, area, drop, check, toggle, upload, echo, hostile, row])
"""


@pytest.fixture
def server(request: pytest.FixtureRequest, publish: Publish, share: Share) -> Server:
    if getattr(request, "param", "extension") == "extension":
        return publish("client", CODE)
    return share("client", lambda folder: start("voila", build_checkout(folder, code=CODE)))


# the client is the same in both; what differs is the line, and how the page is handed over
BOTH = pytest.mark.parametrize(
    "server", ["extension", pytest.param("voila", marks=pytest.mark.thorough)], indirect=True
)


def open_page(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="Press").wait_for()


def upload(page: Page, *files: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(files)


def expect_log(page: Page, words: str) -> None:
    expect(page.locator("#fastclf-app").get_by_text(words, exact=True)).to_be_visible()


@BOTH
def test_every_control_speaks_with_the_kernel_and_markup_in_a_description_is_text(
    server: Server, page: Page, tmp_path: Path
) -> None:
    open_page(page, server)
    expect(page.get_by_text("<img src=x")).to_be_visible()
    assert page.locator("img").count() == 0
    assert page.title() != "pwned"
    config = json.loads(page.locator("#jupyter-config-data").text_content() or "")
    assert set(config) == {"baseUrl", "kernelId"}
    assert "import anywidget" not in page.content()
    for _ in range(2):
        page.get_by_role("button", name="Press").click()
    expect_log(page, "pressed 2")
    expect(page.get_by_text("born 2")).to_be_visible()
    page.get_by_label("Text").fill("hello")
    page.get_by_label("Text").press("Enter")
    expect_log(page, "value hello")
    page.get_by_label("Area").fill("a longer one")
    page.get_by_label("Area").blur()
    expect_log(page, "value a longer one")
    page.get_by_label("Drop").select_option("two")
    expect_log(page, "value two")
    page.get_by_label("Check").check()
    expect_log(page, "value True")
    page.get_by_role("button", name="right").click()
    expect_log(page, "value right")
    first, second = tmp_path / "first.bin", tmp_path / "second.bin"
    first.write_bytes(bytes([1, 2, 3]))
    second.write_bytes(bytes([255]) * 300_000)
    upload(page, first, second)
    expect_log(page, "files first.bin 3 6, second.bin 300000 76500000")
    # an anywidget sends and gets bytes
    expect(page.get_by_text("trait:3")).to_be_visible()
    page.get_by_role("button", name="Send bytes").click()
    expect(page.get_by_text("bytes:250,2,1")).to_be_visible()
    expect(page.get_by_text("trait:6")).to_be_visible()
    # its styles are adopted: the page's policy lets none stand inline that it does not know
    adopted = (
        "[...document.adoptedStyleSheets].flatMap((sheet) => [...sheet.cssRules]).map((rule) => rule.cssText)"
    )
    assert "echo-mark" in str(page.evaluate(adopted))
    assert page.locator("style").count() == 1
    # more than one photo's bytes are not sent, and the page goes on
    page.evaluate("addEventListener('fastclf-lost', (e) => { window.lostFor = e.detail.reason; }, true)")
    first.write_bytes(bytes(21 * 2**20))
    upload(page, first)
    wait_true(page, "window.lostFor === 'undelivered'")
    page.get_by_role("button", name="Press").click()
    expect_log(page, "pressed 3")


# what a socket that dies takes along: frames that the page has written and nobody gets
SWALLOW = """() => {
    window.swallowed = 0;
    window.resent = 0;
    window.mended = 0;
    document.addEventListener("fastclf-mended", () => window.mended++);
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (bytes) {
        if (window.swallowing) return void window.swallowed++;
        if (new TextDecoder().decode(bytes).includes('"resent":true')) window.resent++;
        send.call(this, bytes);
    };
}"""


@BOTH
def test_what_a_dying_socket_took_along_is_sent_again_in_order_and_nothing_else(
    server: Server, page: Page, tmp_path: Path
) -> None:
    hold_line(page)
    open_page(page, server)
    page.evaluate(SWALLOW)
    for n in (1, 2):
        page.get_by_role("button", name="Press").click()
        expect_log(page, f"pressed {n}")
        page.evaluate("line.close()")
        if n == 1:
            wait_true(page, "window.mended === 1")
    page.get_by_role("button", name="Press").click()
    expect_log(page, "pressed 3")
    wait_true(page, "window.mended === 2")
    # what has arrived is not sent again
    assert page.evaluate("window.resent") == 0
    page.evaluate("window.swallowing = true")
    file = tmp_path / "second.bin"
    file.write_bytes(bytes([255]) * 300_000)
    page.get_by_role("button", name="Press").click()
    upload(page, file)
    wait_true(page, "window.swallowed > 1")
    page.get_by_role("button", name="Send bytes").click()
    wait_true(page, "window.swallowed > 2")
    page.evaluate("window.swallowing = false; line.close()")
    expect_log(page, "files second.bin 300000 76500000")
    expect(page.get_by_text("bytes:250,2,1")).to_be_visible()
    expect(page.get_by_text("born 4")).to_be_visible()
    expect(page.get_by_text("born 5")).to_have_count(0)
    assert page.evaluate("window.resent") == page.evaluate("window.swallowed") == 3


def test_what_was_said_to_the_page_over_a_dying_line_is_asked_for(server: Server, page: Page) -> None:
    hold_line(page)
    open_page(page, server)
    born = page.get_by_text("born", exact=False)
    before = born.count()
    # a new widget and the change of another are lost
    break_line_after(page, page.get_by_role("button", name="Press").click)
    assert born.count() == before
    page.get_by_label("Area").fill("typed meanwhile")
    expect(page.get_by_text(f"born {before + 1}")).to_have_count(1)
    expect_log(page, "value typed meanwhile")
    expect(page.get_by_label("Area")).to_have_value("typed meanwhile")


LOSE_IDLES = """() => {
    const hear = line.onmessage;
    window.lostIdles = 0;
    window.losing = true;
    line.onmessage = (event) => {
        const isIdle = new TextDecoder().decode(event.data).includes('"idle"');
        if (window.losing && isIdle) window.lostIdles++;
        else hear(event);
    };
}"""


@pytest.mark.parametrize(
    "after", ["another message", pytest.param("nothing else", marks=pytest.mark.thorough)]
)
def test_an_idle_that_was_lost_leaves_no_widget_waiting(server: Server, page: Page, after: str) -> None:
    """A flood of words may take it along; a widget keeps its next state back until its last one is done."""
    hold_line(page)
    open_page(page, server)
    page.evaluate(LOSE_IDLES)
    page.get_by_label("Drop").select_option("two")
    expect_log(page, "value two")
    wait_true(page, "window.lostIdles > 0")
    page.evaluate("window.losing = false")
    page.get_by_label("Drop").select_option("one")
    if after == "another message":
        page.get_by_role("button", name="Press").click()
        expect(page.get_by_text("born 1")).to_be_visible()
    expect_log(page, "value one")
