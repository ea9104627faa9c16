"""The gate before a server that runs in this process: Hosts, addresses, methods, headers, time to ask."""

from __future__ import annotations

import asyncio
import errno
import http.client
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

import fastclf.server
from fastclf.server.answer_headers import AnswerHeaders, find_inline
from fastclf.server.gate import Gate, Place, find_names
from fastclf.server.overload import watch_overload
from fastclf.server.proxies import find_lost_headers, tell_of_proxy, tell_once

TEMPLATE = Path(fastclf.server.__file__).parent / "voila" / "fastclf"
KERNEL = "0ee8019e-386a-427d-9164-21d3642401ff"
WEBSOCKET = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "v1.kernel.websocket.jupyter.org"}  # fmt: skip
Ask = Callable[..., tuple[int, dict[str, str], bytes]]


class Anything(RequestHandler):
    """Answers whatever gets past the gate."""

    def prepare(self) -> None:
        self.set_cookie("_xsrf", "1")
        self.finish("let in")


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Start a server with a gate at a place, and ask it."""
    ends: list[Callable[[], None]] = []

    def start(place: Place, **settings: Any) -> int:
        [sock] = bind_sockets(0, "127.0.0.1")
        ready = threading.Event()

        async def run() -> None:
            loader = jinja2.FileSystemLoader(TEMPLATE)
            app = Application(
                [(".*", Anything)], voila_jinja2_env=jinja2.Environment(loader=loader), **settings
            )
            Gate(app, place)
            HTTPServer(app).add_socket(sock)
            end, loop = asyncio.Event(), asyncio.get_running_loop()
            ends.append(lambda: loop.call_soon_threadsafe(end.set))
            ready.set()
            await end.wait()

        threading.Thread(target=asyncio.run, args=[run()], daemon=True).start()
        assert ready.wait(10)
        return int(sock.getsockname()[1])

    ports: dict[str, int] = {}

    def go(
        path: str,
        method: str = "GET",
        host: str = "localhost",
        *,
        place: Place,
        headers: Any = (),
        **settings: Any,
    ) -> tuple[int, dict[str, str], bytes]:
        key = f"{place} {settings}"
        ports[key] = ports.get(key) or start(place, **settings)
        connection = http.client.HTTPConnection("127.0.0.1", ports[key], timeout=10)
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host, **dict(headers)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    go.start = start  # type: ignore[attr-defined]
    yield go
    for end in ends:
        end()


OWN = Place(names=find_names("127.0.0.1", "photos.example, Other.example"))
JUPYTER = Place("/hub/", is_ours=False, is_single=False, has_login=True)


@pytest.mark.parametrize(
    ("address", "named", "names"),
    [
        ("localhost", "", {"localhost", "127.0.0.1", "[::1]"}),
        ("127.0.0.1", "", {"localhost", "127.0.0.1", "[::1]"}),
        ("::1", "a.example", {"localhost", "127.0.0.1", "[::1]", "a.example"}),
        ("127.0.0.5", "", {"localhost", "127.0.0.1", "[::1]", "127.0.0.5"}),
        ("0.0.0.0", "", None),
        ("", "", None),
        ("0.0.0.0", " A.example ,", {"localhost", "127.0.0.1", "[::1]", "a.example"}),
    ],
)
def test_a_server_of_this_machine_alone_has_the_loopbacks_names_and_those_that_the_maker_gives(
    address: str, named: str, names: set[str] | None
) -> None:
    assert find_names(address, named) == names


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8866", "[::1]:80", "photos.example", "other.example:443"])  # fmt: skip
def test_known_names_are_answered(host: str, ask: Ask) -> None:
    assert ask("/", host=host, place=OWN)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.nip.example", "127.0.0.2", "0.0.0.0",
     "localhost:x", "", "[::1", "localhost localhost", "photos.example."],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/", f"/api/kernels/{KERNEL}/channels", "/voila/templates/fastclf/static/client.js"]
)
def test_a_name_that_is_not_known_gets_neither_page_nor_websocket(host: str, path: str, ask: Ask) -> None:
    status, _, body = ask(path, host=host, place=OWN, headers=WEBSOCKET)
    assert status in (400, 421)
    assert b"let in" not in body


def test_where_the_maker_names_nothing_and_others_reach_the_server_every_name_is_answered(ask: Ask) -> None:
    assert ask("/", host="photos.example", place=Place())[0] == 200


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 200),
        ("/?a=b", "GET", 200),
        (f"/api/kernels/{KERNEL}", "GET", 200),
        ("/voila/templates/fastclf/static/client.js?v=1", "HEAD", 200),
        (f"/voila/api/shutdown/{KERNEL}", "POST", 200),
        ("/", "POST", 405),
        (f"/api/kernels/{KERNEL}", "DELETE", 405),
        (f"/voila/api/shutdown/{KERNEL}", "GET", 405),
        ("/?" + "a" * 3000, "GET", 414),
        *(
            (path, "GET", 404)
            for path in (
                "/nowhere", "/logout", "/login", "/%00", "/%ff", "/%0d%0aX:1", "/voila/tree", "/voila", "/voila/files/x",
                "/voila/render/dashboard.ipynb", "/voila/templates/fastclf/static/head.html", "/api/kernels",
                "/voila/templates/fastclf/static/..%2findex.html.j2", "/voila%2ftree", "//", f"/voila/query/{KERNEL}",
                f"/api/kernels/{'x' * 65}", "/static/x", "/voila/static/voila.js", "/voila/templates/x/static/%00",
            )
        ),
    ],
)  # fmt: skip
def test_a_server_of_ours_has_five_doors(path: str, method: str, status: int, ask: Ask) -> None:
    found, _, body = ask(path, method, place=OWN)
    assert found == status
    if status == 404:
        assert b"There is no such page" in body


def test_a_page_that_asks_for_the_token_has_its_doors_and_its_cookie(ask: Ask) -> None:
    place = Place(has_login=True)
    for path in ("/login", "/logout", "/static/style.css"):
        status, headers, _ = ask(path, place=place)
        assert status == 200
        assert "Set-Cookie" in headers
        assert "Content-Security-Policy" not in headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/hub/lab", 200), ("/hub/api/contents", 200), ("/tree", 200), ("/hub/voila/render/a/b.ipynb", 200),
        ("/hub/voila/tree", 404), ("/hub/voila", 404), ("/hub/%76oila/tree", 404), ("/hub/lab%00", 404),
        ("/hub/voila/templates/fastclf/static", 404), ("/hub/voila/files/model/bundle.json", 404),
    ],
)  # fmt: skip
def test_of_a_jupyter_server_only_what_belongs_to_voila_is_the_gates(
    path: str, status: int, ask: Ask
) -> None:
    found, headers, _ = ask(path, host="anything.example", place=JUPYTER)
    assert found == status
    assert "Server" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ("Permissions-Policy" in headers) == ("oila" in path)
    if status == 200:
        assert "Set-Cookie" in headers


@pytest.mark.parametrize("place", [OWN, JUPYTER], ids=["ours", "jupyter"])
def test_a_websocket_of_another_framing_or_with_a_session_that_is_no_name_is_refused(
    place: Place, ask: Ask
) -> None:
    path = f"{place.base}api/kernels/{KERNEL}/channels"
    for offered in ("", "v0.other", "v1.kernel.websocket.jupyter.org.x", "V1.kernel.websocket.jupyter.org"):
        headers = {**WEBSOCKET, "Sec-WebSocket-Protocol": offered}
        assert ask(path, place=place, headers=headers)[0] == 400, offered
    for session in ("x" * 65, "a/b", "%00", "a b", "%C3%A9"):
        assert (
            ask(f"{path}?session_id={session.replace(' ', '+')}", place=place, headers=WEBSOCKET)[0] == 400
        ), session
    headers = {**WEBSOCKET, "Sec-WebSocket-Protocol": f"v0.other, {WEBSOCKET['Sec-WebSocket-Protocol']}"}
    assert ask(f"{path}?session_id={'x' * 64}", place=place, headers=headers)[0] == 200


def test_every_answer_says_what_a_page_may_do_and_nothing_of_the_server(ask: Ask) -> None:
    for path, method in (("/", "GET"), ("/nowhere", "GET"), ("/", "PUT"), ("/voila/templates/fastclf/static/client.js", "GET")):  # fmt: skip
        _, headers, _ = ask(path, method, place=OWN)
        assert {"Server", "Set-Cookie"} & set(headers) == set()
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "camera=(self)" in headers["Permissions-Policy"]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self' ws://localhost wss://localhost" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy


def test_who_may_embed_the_page_is_the_makers_word() -> None:
    found = AnswerHeaders([]).build_policy(
        "frame-ancestors https://school.example; report-uri /x", "a.example"
    )
    assert "frame-ancestors https://school.example" in found
    assert "report-uri" not in found
    assert found.count("frame-ancestors") == 1
    assert "script-src 'self' blob:" in found


def test_a_host_that_is_no_name_does_not_get_into_the_policy() -> None:
    assert ";evil" not in AnswerHeaders([]).build_policy("", "a;evil-src *")


def test_every_inline_script_and_style_of_the_page_is_one_whose_hash_is_known() -> None:
    for file in ("index.html.j2", "error.html", "static/head.html"):
        source = (TEMPLATE / file).read_text(encoding="utf-8")
        inline = re.findall(r"<script(?![^>]*(?:\bsrc=|application/))([^>]*)>", source)
        assert not any(inline), "a script with attributes is not found by its hash"
        for text in re.findall(r"<(?:script|style)>(.*?)</", source, re.DOTALL):
            assert "{{" not in text.replace("{% raw %}", "") or file == "static/head.html"
        assert not re.search(r"<[^>]*\son\w+=|<[^>]*\sstyle=", re.sub(r"<(script|style)>.*?</\1>", "", source, flags=re.DOTALL))  # fmt: skip
    assert len(find_inline("script", [(TEMPLATE / "index.html.j2").read_text()])) == 3


def test_half_a_request_is_let_go(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastclf.server.gate.HEADER_SECONDS", 0.2)
    port = ask.start(OWN)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-a: b")
        assert slow.recv(100) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        slow.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
        assert b"200" not in slow.recv(100)


@pytest.mark.parametrize(("place", "base"), [(OWN, b"/"), (JUPYTER, b"/hub/")], ids=["ours", "extension"])
def test_a_large_body_is_not_read(place: Place, base: bytes, ask: Any) -> None:
    path = base + b"voila/api/shutdown/0ee8019e-386a-427d-9164-21d3642401ff"
    with socket.create_connection(("127.0.0.1", ask.start(place)), timeout=10) as large:
        large.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        assert b"400" in large.recv(100)


def test_a_server_without_descriptors_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    heard: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: heard.append(context))
    watch_overload(loop)
    for _ in range(5):
        loop.call_exception_handler(
            {"message": "", "exception": OSError(errno.EMFILE, "Too many open files")}
        )
    assert len(caplog.records) == 1
    assert "ulimit -n" in caplog.text
    other = {"message": "", "exception": OSError(errno.EBADF, "Bad file descriptor")}
    loop.call_exception_handler(other)
    assert heard == [other]
    loop.close()


@pytest.mark.parametrize(
    ("headers", "lost"),
    [
        ({"Upgrade": "websocket", "Connection": "Upgrade"}, []),
        ({"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade", "Origin": "http://a:1", "Host": "a:1"}, []),
        ({"Connection": "close"}, ["Upgrade", "Connection"]),
        ({"Upgrade": "websocket", "Connection": "close"}, ["Connection"]),
        ({"Upgrade": "websocket", "Connection": "upgrade", "Origin": "https://a.example", "Host": "b"}, ["Host"]),
        ({"Origin": "https://a.example", "Host": "127.0.0.1:8866"}, ["Upgrade", "Connection", "Host"]),
        ({"Upgrade": "websocket", "Connection": "upgrade", "Origin": "https://ok.example", "Host": "b"}, []),
    ],
)  # fmt: skip
def test_what_a_proxy_did_not_pass_is_named(headers: dict[str, str], lost: list[str]) -> None:
    request: Any = SimpleNamespace(headers=HTTPHeaders(headers))
    assert find_lost_headers(request, ["https://ok.example"]) == lost


def test_a_proxy_that_spoils_websockets_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    request: Any = SimpleNamespace(headers=HTTPHeaders())
    tell_once.cache_clear()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            tell_of_proxy(request, {})
    assert len(caplog.records) == 1
    assert "Upgrade and Connection" in caplog.text


def test_without_memory_nothing_new_is_begun(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask("/", place=Place())[0] == 200
    monkeypatch.setattr("fastclf.server.gate.has_memory", lambda n_bytes: False)
    for path in ("/", f"/api/kernels/{KERNEL}/channels"):
        status, _, body = ask(path, place=Place())
        assert status == 503
        assert b"Please try again in a minute" in body
