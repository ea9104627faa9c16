"""The page's own client: every kind of widget that the dashboard uses, both ways, and nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from .conftest import Publish, Share
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


# the client is the same in both; what differs is the line, and how the page is handed over
BOTH = pytest.mark.parametrize("mode", ["extension", "voila"])


@pytest.fixture
def serve_client(publish: Publish, share: Share) -> Callable[[str], Server]:
    def go(mode: str) -> Server:
        if mode == "extension":
            return publish("client", CODE)
        return share("client", lambda folder: start("voila", build_checkout(folder, code=CODE)))

    return go


@pytest.fixture(params=["extension", pytest.param("voila", marks=pytest.mark.thorough)])
def client(request: pytest.FixtureRequest, serve_client: Callable[[str], Server], page: Page) -> Page:
    page.goto(serve_client(request.param).url)
    page.get_by_role("button", name="Press").wait_for()
    return page


def expect_log(page: Page, words: str) -> None:
    expect(page.locator("#fastclf-app").get_by_text(words, exact=True)).to_be_visible()


def test_every_control_speaks_with_the_kernel(client: Page, tmp_path: Path) -> None:
    client.get_by_role("button", name="Press").click()
    client.get_by_role("button", name="Press").click()
    expect_log(client, "pressed 2")
    expect(client.get_by_text("born 2")).to_be_visible()
    client.get_by_label("Text").fill("hello")
    client.get_by_label("Text").press("Enter")
    expect_log(client, "value hello")
    client.get_by_label("Area").fill("a longer one")
    client.get_by_label("Area").blur()
    expect_log(client, "value a longer one")
    client.get_by_label("Drop").select_option("two")
    expect_log(client, "value two")
    client.get_by_label("Check").check()
    expect_log(client, "value True")
    client.get_by_role("button", name="right").click()
    expect_log(client, "value right")
    first, second = tmp_path / "first.bin", tmp_path / "second.bin"
    first.write_bytes(bytes([1, 2, 3]))
    second.write_bytes(bytes([255]) * 300_000)
    with client.expect_file_chooser() as chooser:
        client.get_by_role("button", name="Upload").click()
    chooser.value.set_files([first, second])
    expect_log(client, "files first.bin 3 6, second.bin 300000 76500000")


def test_an_anywidget_sends_and_gets_bytes(client: Page) -> None:
    expect(client.get_by_text("trait:3")).to_be_visible()
    client.get_by_role("button", name="Send bytes").click()
    expect(client.get_by_text("bytes:250,2,1")).to_be_visible()
    expect(client.get_by_text("trait:6")).to_be_visible()
    assert "echo-mark" in client.locator("style").all_text_contents().__str__()


def test_markup_in_a_description_is_text(client: Page) -> None:
    expect(client.get_by_text("<img src=x")).to_be_visible()
    assert client.locator("img").count() == 0
    assert client.title() != "pwned"


# what a socket that dies takes along: frames that the page has written and nobody gets
SWALLOW = """() => {
    window.swallowed = 0;
    window.resent = 0;
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (bytes) {
        if (window.swallowing) return void window.swallowed++;
        if (new TextDecoder().decode(bytes).includes('"resent":true')) window.resent++;
        send.call(this, bytes);
    };
}"""


def test_what_a_dying_socket_took_along_is_sent_again_in_order(client: Page, tmp_path: Path) -> None:
    client.evaluate(SWALLOW)
    client.get_by_role("button", name="Press").click()
    expect_log(client, "pressed 1")
    client.evaluate("window.swallowing = true")
    file = tmp_path / "second.bin"
    file.write_bytes(bytes([255]) * 300_000)
    client.get_by_role("button", name="Press").click()
    with client.expect_file_chooser() as chooser:
        client.get_by_role("button", name="Upload").click()
    chooser.value.set_files(file)
    client.wait_for_function("window.swallowed > 1")
    client.get_by_role("button", name="Send bytes").click()
    client.wait_for_function("window.swallowed > 2")
    client.evaluate("window.swallowing = false; fastclfPage.socket.close()")
    expect_log(client, "files second.bin 300000 76500000")
    expect(client.get_by_text("bytes:250,2,1")).to_be_visible()
    # the first press was done, so it is not sent again
    expect(client.get_by_text("born 2")).to_be_visible()
    expect(client.get_by_text("born 3")).to_have_count(0)
    assert client.evaluate("window.resent") == client.evaluate("window.swallowed") == 3


def test_what_has_arrived_is_not_sent_again(client: Page) -> None:
    client.evaluate(SWALLOW)
    for n in (1, 2, 3):
        client.get_by_role("button", name="Press").click()
        expect_log(client, f"pressed {n}")
        client.evaluate("fastclfPage.socket.close()")
    client.get_by_role("button", name="Send bytes").click()
    expect(client.get_by_text("bytes:250,2,1")).to_be_visible()
    expect_log(client, "pressed 3")
    assert client.evaluate("window.resent") == 0


@BOTH
def test_the_page_comes_from_this_host_and_is_whole(
    mode: str, serve_client: Callable[[str], Server], page: Page
) -> None:
    server = serve_client(mode)
    requests: list[Request] = []
    errors: list[str] = []
    page.on("request", lambda r: r.url.startswith(("blob:", "data:")) or requests.append(r))
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(server.url)
    page.get_by_role("button", name="Press").wait_for()
    page.wait_for_load_state("networkidle")
    assert [r.url.split("?")[0].rsplit("/", 1)[-1] for r in requests[1:]] == ["client.js"]
    assert all(r.url.startswith(server.root) for r in requests)
    for request in requests:
        assert request.response().headers["content-encoding"] == "gzip"
    assert int(requests[1].response().headers["cache-control"].removeprefix("max-age=")) > 10**7
    # what was served is all there is: with the web cut off the page goes on
    del requests[:]
    page.route("**/*", lambda route: route.abort())
    page.get_by_role("button", name="Press").click()
    expect_log(page, "pressed 1")
    page.get_by_role("button", name="Send bytes").click()
    expect(page.get_by_text("bytes:250,2,1")).to_be_visible()
    assert requests == []
    assert errors == []


def test_the_page_holds_no_code_of_the_notebook(client: Page) -> None:
    config = json.loads(client.locator("#jupyter-config-data").text_content() or "")
    assert set(config) == {"baseUrl", "kernelId"}
    assert "import anywidget" not in client.content()
