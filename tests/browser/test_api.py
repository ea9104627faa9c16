"""The API of a real server: pages of other origins, its page for people, the host's numbers, a gentle end."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from ..drawing import draw_photo, encode
from ..toy import write_toy_bundle
from .conftest import Visit, choose
from .pictures import PHONE, keep_light_and_dark
from .servers import Server, build_checkout, start, stop, wait_until

pytestmark = pytest.mark.slow

RED = encode(draw_photo("red", 50), "PNG")
# what a page of somebody else's does
ASK = """async ([url, data]) => {
    const form = new FormData();
    form.append("files", new Blob([new Uint8Array(data)], {type: "image/png"}), "red.png");
    try {
        const answer = await fetch(url + "api/v1/predict", {method: "POST", body: form});
        const model = await fetch(url + "api/v1/model", {headers: {"If-None-Match": answer.headers.get("ETag")}});
        const [first] = await answer.json();
        return [answer.status, first.label, model.status];
    } catch (fault) { return String(fault); }
}"""


class Blank(BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>blank</title>")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def origins() -> Iterator[list[str]]:
    """Two pages of other origins."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Blank) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_port}" for server in servers]
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="module")
def server(origins: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("api")
    build_checkout(folder / "checkout", model=write_toy_bundle(folder / "made", judged=True))
    options = [
        "--api",
        f"--api-cors={origins[0]}",
        "--metrics",
        "--access-log=access.log",
        "--inbox=inbox.sqlite",
    ]
    server = start("serve", folder / "checkout", options)
    wait_until(lambda: requests.get(f"{server.url}v2/health/ready", timeout=30).ok)
    yield server
    stop(server.process)


def test_the_host_is_told_where_the_api_is(server: Server) -> None:
    log = server.folder / "server.log"
    wait_until(lambda: "The API is at" in log.read_text())
    assert re.search(r"The API is at http://localhost:\d+/api/docs, without a token", log.read_text())


def test_a_page_of_a_named_origin_asks_and_one_of_another_does_not(
    server: Server, origins: list[str], visit: Visit
) -> None:
    named, other = (visit(origin) for origin in origins)
    given = [server.url, list(RED)]
    assert named.evaluate(ASK, given) == [200, "red", 304]
    assert "Failed to fetch" in other.evaluate(ASK, given)
    # a form that a browser sends without asking does nothing
    silent = """async ([url, data]) => {
        const form = new FormData();
        form.append("file", new Blob([new Uint8Array(data)]), "red.png");
        form.append("label", "blue");
        await fetch(url + "api/v1/report", {method: "POST", body: form, mode: "no-cors"});
    }"""
    other.evaluate(silent, given)
    assert not (server.folder / "inbox.sqlite").exists()


def test_the_page_for_people_is_in_our_look_and_loads_nothing(server: Server, visit: Visit) -> None:
    page = visit()
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(f"{server.url}api/docs")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    keep_light_and_dark(page, "api", (PHONE, 1000))
    assert [url for url in asked if not url.startswith("data:")] == [f"{server.url}api/docs"]
    assert faults == []


def test_what_a_visitor_does_is_counted_and_logged_without_the_visitor(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    page.locator(".fastclf-example").first.wait_for()
    choose(page, {"name": "anna-at-home.png", "mimeType": "image/png", "buffer": RED})
    expect(page.locator(".fastclf-card")).to_have_count(1)
    wait_until(lambda: 'fastclf_answers_total{way="page"} 1' in read_metrics(server))
    found = read_metrics(server)
    assert "fastclf_visitors 1" in found
    assert re.search(r"fastclf_pages_total [1-9]", found)
    assert re.search(r'fastclf_answer_seconds_count\{way="page"\} 1', found)
    log = (server.folder / "access.log").read_text()
    assert "GET / 200" in log
    assert not re.search(r"anna|127\.0\.0\.1|[0-9a-f]{8}-[0-9a-f]{4}-", log)


def read_metrics(server: Server) -> str:
    return requests.get(f"{server.url}metrics", timeout=30).text


def test_a_server_that_is_asked_to_end_answers_first(tmp_path: Path) -> None:
    model = write_toy_bundle(tmp_path / "made")
    server = start("serve", build_checkout(tmp_path / "checkout", model=model), ["--api"])
    wait_until(lambda: requests.get(f"{server.url}v2/health/ready", timeout=30).ok)
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        head = f"POST /api/v1/predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/png\r\nContent-Length: {len(RED)}\r\n\r\n"
        line.sendall(head.encode() + RED[:100])
        wait_until(lambda: is_refused_later(server) is None)
        server.process.terminate()
        wait_until(lambda: is_refused_later(server))
        line.sendall(RED[100:])
        assert b'"label": "red"' in line.recv(2**16)
    server.process.wait(20)


def is_refused_later(server: Server) -> Any:
    """Return the status of a photo that comes now: None for an answer."""
    answer = requests.post(f"{server.url}api/hf", data=RED, timeout=30)
    return None if answer.ok else json.loads(answer.text)["status"]


def test_a_server_without_the_option_has_no_api(server: Server, tmp_path: Path) -> None:
    plain = start("serve", build_checkout(tmp_path / "checkout", model=server.folder / "model"))
    try:
        for path in ("api/v1/model", "v2/health/live", "openapi.json", "api/docs", "metrics"):
            assert requests.get(f"{plain.url}{path}", timeout=30).status_code == 404
        assert requests.get(f"{plain.url}healthz", timeout=30).json() == {"status": "ok"}
    finally:
        stop(plain.process)
