"""An API with a toy model, in a server that runs in this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import requests
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

import fastclf.server
from fastclf.api import Api, ApiSettings
from fastclf.server.besides import Besides
from fastclf.server.gate import Gate, Place, find_names
from fastclf.server.watch import Watch, build_watch_routes

from ..drawing import draw_photo, encode
from ..toy import write_toy_bundle

TEMPLATE = Path(fastclf.server.__file__).parent / "voila" / "fastclf"
TOKEN = "a-token-that-nobody-guesses"


@dataclass
class Served:
    """A running API."""

    port: int
    api: Api
    watch: Watch
    model: Path
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", **given: Any) -> requests.Response:
        return requests.request(method, f"{self.url}{path}", timeout=30, **given)

    def predict(self, *photos: tuple[str, bytes], query: str = "", **given: Any) -> requests.Response:
        files = [("files", photo) for photo in photos]
        return self.ask(f"/api/v1/predict{query}", "POST", files=files, **given)

    def run(self, work: Any) -> Any:
        """Run a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def open(self, path: str, headers: Mapping[str, object], method: str = "POST") -> socket.socket:
        """Begin a request by hand; its body is the caller's."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        said = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
        line.sendall(f"{method} {path} HTTP/1.1\r\n{said}\r\n".encode())
        return line


Start = Callable[..., Served]


def photo(label: str, number: int = 50) -> tuple[str, bytes]:
    """A photo of a class, and its name."""
    return f"{label}.png", encode(draw_photo(label, number), "PNG")


def read_all(line: socket.socket) -> bytes:
    found = b""
    while chunk := line.recv(2**16):
        found += chunk
    return found


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a server; `inbox` gives it one, `token` asks for one."""
    ends: list[Callable[[], None]] = []
    model = tmp_path / "model"

    def go(*, token: bool = False, inbox: bool = False, base: str = "/", **given: Any) -> Served:
        if not model.exists():
            write_toy_bundle(model, judged=True)
        if inbox:
            monkeypatch.setenv("FASTCLF_INBOX", str(tmp_path / "inbox.sqlite"))
        if token:
            (tmp_path / "token").write_text(f"{TOKEN}\n")
            given["token_file"] = tmp_path / "token"
        watch = Watch(wants_metrics=True, log=str(tmp_path / "access.log"))
        manager = SimpleNamespace(model=model, visitors=3, places=20)
        [sock] = bind_sockets(0, "127.0.0.1")
        ready, made = threading.Event(), []

        async def run() -> None:
            loader = jinja2.FileSystemLoader(TEMPLATE)
            app = Application([], voila_jinja2_env=jinja2.Environment(loader=loader, autoescape=True))
            api = Api(ApiSettings(**given), model, base, watch.counts)
            app.settings |= {"fastclf_api": api, "log_function": watch.note}
            besides = Besides(api, build_watch_routes(base, watch, manager, api.token))
            Gate(app, Place(base, names=find_names("127.0.0.1", ""), has_metrics=True), besides)
            HTTPServer(app).add_socket(sock)
            end, loop = asyncio.Event(), asyncio.get_running_loop()
            ends.append(lambda: loop.call_soon_threadsafe(end.set))
            made.append(Served(int(sock.getsockname()[1]), api, watch, model, loop))
            ready.set()
            await end.wait()

        threading.Thread(target=asyncio.run, args=[run()], daemon=True).start()
        assert ready.wait(20)
        return made[0]

    yield go
    for end in ends:
        end()


@pytest.fixture
def served(start: Start) -> Served:
    return start(inbox=True)
