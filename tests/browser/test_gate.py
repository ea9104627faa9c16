"""The gate on real servers, in every way that people start one: what is asked for in vain, and what is sent to do harm."""

from __future__ import annotations

import http.client
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Page, expect

from .conftest import Launch, Visit
from .servers import MODES_TO_SEE, Server, on_the_wire, read_kernel, wait_until

pytestmark = pytest.mark.slow

Digits = Callable[[str], Server]
KERNEL = "0ee8019e-386a-427d-9164-21d3642401ff"
ODD = [
    "/%00", "/%ff", "/%0d%0aX-Injected:%201", "/logout", "/voila", "/voila/tree", "/voila/tree/", "/voila/files/voila.json",
    "/voila/templates/", "/voila/templates/fastclf", "/voila/templates/fastclf/static", "/voila/templates/x/static/%00",
    "/voila/templates/fastclf/static/..%2findex.html.j2", "/voila/templates/fastclf/static/client.js%00.png",
    "/voila/api/contents/", "/voila/labextensions/x", "/voila/render/", "/voila/render/%00.ipynb", "//", f"/voila/query/{KERNEL}",
    "/api/kernels/x",
    f"/api/kernels/{KERNEL}", f"/api/kernels/{KERNEL}/channels", f"/voila/api/shutdown/{KERNEL}",
    "/voila/render/" + "../" * 600 + "etc/passwd.ipynb", "/" + "a" * 60_000,
]  # fmt: skip


class Opened:
    """A visitor's page, with what its answers said and what its browser complains of."""

    def __init__(self, mode: str, server: Server, page: Page) -> None:
        self.mode, self.server, self.page = mode, server, page
        self.is_ours = mode != "extension"
        self.headers: list[dict[str, str]] = []
        page.on("response", lambda r: r.url.startswith("http") and self.headers.append(r.all_headers()))
        self.faults: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text))


@pytest.fixture(scope="module", params=MODES_TO_SEE)
def opened(request: pytest.FixtureRequest, digits: Digits, stay: Visit) -> Opened:
    opened = Opened(request.param, digits(request.param), stay())
    opened.page.goto(opened.server.url)
    opened.page.locator(".fastclf-example").first.wait_for()
    return opened


def ask(
    server: Server, path: str, *, method: str = "GET", host: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    at = urlsplit(server.root).netloc
    connection = http.client.HTTPConnection(at, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": host or at, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def test_no_address_is_a_fault_and_one_that_is_none_says_so_in_our_look(opened: Opened) -> None:
    for path in ODD:
        for method in ("GET", "POST", "PUT"):
            status, headers, body = ask(opened.server, path, method=method)
            assert 400 <= status < 500 or (not opened.is_ours and status < 400), (method, path)
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "Server" not in headers
            assert b"Traceback" not in body
    for path in ("/nowhere", "/voila/tree") if opened.is_ours else ("/voila/tree",):
        status, _, body = ask(opened.server, path)
        assert status == 404
        assert b"There is no such page" in body


def test_the_page_gets_strict_headers_and_no_cookie(opened: Opened) -> None:
    assert len(opened.headers) >= 2
    for headers in opened.headers:
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "camera=(self)" in headers["permissions-policy"]
        assert "server" not in headers
        policy = headers["content-security-policy"]
        assert policy.startswith(
            "frame-ancestors 'self'; default-src 'none'; script-src 'self' blob: 'sha256-"
        )
        assert "unsafe" not in policy
    cookies = {cookie["name"] for cookie in opened.page.context.cookies()}
    assert not cookies if opened.is_ours else "_xsrf" not in cookies


def test_what_gets_into_the_page_is_not_run(opened: Opened) -> None:
    ran = opened.page.evaluate("""async () => {
        const script = document.createElement("script");
        script.textContent = "window.ran = 'inline'";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=\\"window.ran = 'handler'\\"><p id=odd style='color: red'>x</p>");
        await new Promise((done) => setTimeout(done, 300));
        const styled = document.getElementById("odd").style.color;
        const away = await fetch("http://127.0.0.2:9/").then(() => "sent", (e) => String(e));
        document.getElementById("odd").remove();
        return [window.ran ?? null, styled, away];
    }""")
    assert ran[:2] == [None, ""]
    assert any("127.0.0.2" in fault and "connect-src" in fault for fault in opened.faults)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.nip.example", "localhost.evil.example:{port}"])
def test_a_page_of_another_name_gets_neither_the_page_nor_its_line(opened: Opened, host: str) -> None:
    at = urlsplit(opened.server.url)
    host = host.format(port=at.port)
    line = f"/api/kernels/{read_kernel(opened.page)}/channels"
    websocket = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Origin": f"http://{host}",
                 "Sec-WebSocket-Key": "x" * 22 + "==", "Sec-WebSocket-Protocol": "v1.kernel.websocket.jupyter.org"}  # fmt: skip
    # as an extension Jupyter's own rule stands
    refused = 421 if opened.is_ours else 403
    assert ask(opened.server, at.path, host=host)[0] == refused
    assert ask(opened.server, line, host=host, **websocket)[0] == refused
    assert ask(opened.server, f"/api/kernels/{KERNEL}", host=f"localhost:{at.port}")[0] == 404


# bytes in the page's own framing, with one thing in it that no page sends
FORGE = """async ([path, kind]) => {
    const socket = await openSocket(path);
    const over = new Promise((done) => { socket.onclose = () => done("ended"); });
    const number = (at, value) => {
        const bytes = pack(makeMessage("s", "comm_info_request", {}));
        new DataView(bytes.buffer).setBigUint64(8 * at, value, true);
        return bytes;
    };
    const kinds = {
        count: () => number(0, 2n ** 40n),
        place: () => number(2, 2n ** 62n),
        text: () => "words",
        large: () => pack(makeMessage("s", "comm_msg", {}, {}, [new Uint8Array(22 * 2 ** 20)])),
        id: () => {
            const message = makeMessage("s", "comm_info_request", {});
            message.header.msg_id = "x".repeat(65);
            return pack(message);
        },
        content: () => pack(makeMessage("s", "comm_msg", {words: "x".repeat(2 ** 21)})),
        widget: () => pack(makeMessage("s", "comm_open", {comm_id: "a", target_name: "jupyter.widget", data: {}})),
    };
    socket.send(kinds[kind]());
    return await Promise.race([over, new Promise((done) => setTimeout(done, 20_000, "open"))]);
}"""


@pytest.mark.parametrize("kind", ["count", "place", "text", "large", "id", "content", "widget"])
def test_a_message_that_no_page_sends_ends_its_line_and_the_page_goes_on(opened: Opened, kind: str) -> None:
    if kind in ("content", "widget") and not opened.is_ours:
        pytest.skip("a page of a Jupyter server may run code")
    page = opened.page
    found = page.evaluate(on_the_wire(FORGE), [f"/api/kernels/{read_kernel(page)}/channels", kind])
    assert found == "ended"
    before = page.locator(".fastclf-card").count()
    page.locator(".fastclf-example").first.click()
    expect(page.locator(".fastclf-card")).to_have_count(before + 1)


def test_a_server_ends_with_whoever_started_it(launch: Launch, toy_model: Path) -> None:
    server = launch("serve", model=toy_model)
    wait_until(lambda: server.find_kernels())
    family = server.process.children(recursive=True)
    assert len(family) >= 2
    server.process.send_signal(signal.SIGHUP)
    _, left = psutil.wait_procs([server.process, *family], timeout=30)
    assert left == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(server.url).port)) != 0
