"""Passwords: files that hold them, few tries, cookies that nobody else can write, and who is let through the gate."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import requests
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

import fastclf.server
from fastclf.errors import ServingError
from fastclf.server.entrance import Entrance, open_entrance
from fastclf.server.gate import Gate, Place
from fastclf.server.passwords import (
    COOKIE_SECONDS,
    OWNER,
    VISITOR,
    Keeper,
    Password,
    TooManyTriesError,
    current_role,
    read_password,
)

TEMPLATE = Path(fastclf.server.__file__).parent / "voila" / "fastclf"
KERNEL, OWNED = "0ee8019e-386a-427d-9164-21d3642401ff", "1ee8019e-386a-427d-9164-21d3642401ff"
FOR_ALL, FOR_OWNERS = "visitors please", "owner of it all"


class Role(RequestHandler):
    """Says as whom it is asked."""

    def prepare(self) -> None:
        self.finish(f"as {current_role.get()}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords in no time: what a third of a second is good for is no matter here."""
    monkeypatch.setattr("fastclf.server.passwords._COST", 2**6)


@pytest.fixture
def passwords() -> tuple[Password, Password]:
    return Password.make(FOR_ALL), Password.make(FOR_OWNERS)


@pytest.fixture
def start(passwords: tuple[Password, Password]) -> Iterator[Any]:
    ends: list[Any] = []

    def go(*, closed: bool = True, base: str = "/") -> str:
        [sock] = bind_sockets(0, "127.0.0.1")
        ready = threading.Event()

        async def run() -> None:
            environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True)
            manager = SimpleNamespace(owned={OWNED})
            app = Application([(".*", Role)], voila_jinja2_env=environment, kernel_manager=manager)
            keeper = Keeper(passwords[0] if closed else None, passwords[1])
            entrance = Entrance(keeper, base, "<Bears>")
            Gate(app, Place(base), entrance=entrance, embed=["https://school.example"])
            HTTPServer(app).add_socket(sock)
            end, loop = asyncio.Event(), asyncio.get_running_loop()
            ends.append(lambda: loop.call_soon_threadsafe(end.set))
            ready.set()
            await end.wait()

        threading.Thread(target=asyncio.run, args=[run()], daemon=True).start()
        assert ready.wait(10)
        return f"http://127.0.0.1:{sock.getsockname()[1]}{base}"

    yield go
    for end in ends:
        end()


def sign_in(url: str, password: str, **headers: str) -> tuple[requests.Session, requests.Response]:
    session = requests.Session()
    answer = session.post(
        f"{url}login", {"password": password}, headers=headers, timeout=20, allow_redirects=False
    )
    return session, answer


def test_a_file_holds_a_password_in_words_or_what_was_made_of_one(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for text in (f"{FOR_ALL}\n", f"\ufeff{FOR_ALL}\r\nand more", Password.make(FOR_ALL).to_line() + "\n"):
        file.write_text(text, encoding="utf-8", newline="")
        assert read_password(file).fits(FOR_ALL)
    assert FOR_ALL not in Password.make(FOR_ALL).to_line()
    assert Password.make(FOR_ALL) != Password.make(FOR_ALL)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "has 0 characters"),
        (b"short\n", "has 5 characters; 8 to 1024"),
        (b"x" * 2000, "characters; 8 to 1024"),
        (b"\xff\xfe\x00 password", "it is no text"),
        (b"scrypt$1$1$1$AAAA$AAAA", "is damaged"),
        (b"scrypt$64$8$3$AAAA$AAAA", "is damaged"),
        (b"scrypt$", "is damaged"),
    ],
)
def test_a_file_that_holds_none_is_refused_with_what_to_do(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ServingError, match=re.escape(words)):
        read_password(file)
    with pytest.raises(ServingError, match="it is no file"):
        read_password(tmp_path)


@pytest.mark.slow
def test_a_try_takes_so_long_that_guessing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    began = time.process_time()
    assert not Password.make(FOR_ALL).fits("another one")
    assert time.process_time() - began > 0.1


def test_where_a_file_cannot_be_read_nobody_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FASTCLF_PASSWORD_FILE", str(tmp_path / "gone"))
    entrance = open_entrance("/", "", is_ours=True)
    assert entrance is not None
    assert entrance._keeper.is_closed
    assert "Until then nobody is let in" in caplog.text
    monkeypatch.delenv("FASTCLF_PASSWORD_FILE")
    assert open_entrance("/", "", is_ours=True) is None
    monkeypatch.setenv("FASTCLF_OWNER_PASSWORD_FILE", str(tmp_path / "gone"))
    extension = open_entrance("/", "", is_ours=False)
    assert extension is not None
    assert extension._keeper.is_closed
    # a password that makes an owner is none where everybody is one
    (tmp_path / "owners").write_text(FOR_OWNERS)
    monkeypatch.setenv("FASTCLF_OWNER_PASSWORD_FILE", str(tmp_path / "owners"))
    opened = open_entrance("/", "", is_ours=True)
    assert opened is not None
    assert not opened._keeper.is_closed
    monkeypatch.setenv("FASTCLF_OWNER", "1")
    for_all = open_entrance("/", "", is_ours=True)
    assert for_all is not None
    assert for_all._keeper.is_closed


def test_tries_are_few_from_one_address_and_from_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("fastclf.api.tries.time", SimpleNamespace(monotonic=lambda: now[0]))
    keeper = Keeper(None)
    for _ in range(5):
        keeper.count_try("a")
    with pytest.raises(TooManyTriesError) as refused:
        keeper.count_try("a")
    assert refused.value.seconds == 60
    for n in range(25):
        keeper.count_try(f"other {n}")
    with pytest.raises(TooManyTriesError):
        keeper.count_try("another")
    now[0] += 60
    keeper.count_try("a")


def test_a_cookie_is_good_for_a_week_at_the_server_that_wrote_it() -> None:
    now = [100.0]
    keeper = Keeper(None, clock=lambda: now[0])
    cookie = keeper.write_cookie(VISITOR)
    assert keeper.read_cookie(cookie) == VISITOR
    for forged in (
        cookie.replace(VISITOR, OWNER),
        cookie[:-1],
        cookie + "0",
        "",
        ".",
        "owner.9.x.y",
        f"{OWNER}.99999999.a.",
        "\udcff",
        "é",
    ):
        assert keeper.read_cookie(forged) == "", forged
    assert Keeper(None).read_cookie(cookie) == ""
    now[0] += COOKIE_SECONDS + 1
    assert keeper.read_cookie(cookie) == ""


@pytest.mark.parametrize("base", ["/", "/bears/"])
def test_nobody_gets_anything_before_the_password(base: str, start: Any) -> None:
    url = start(base=base)
    visit = requests.get(url, timeout=10)
    assert visit.url == f"{url}login"
    assert "&lt;Bears&gt;" in visit.text
    assert "form-action 'self'" in visit.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in visit.headers["Content-Security-Policy"]
    for path in (f"api/kernels/{KERNEL}", "voila/templates/fastclf/static/client.js"):
        answer = requests.get(url + path, timeout=10)
        assert (answer.status_code, answer.text.startswith("as ")) == (401, False)
    session, answer = sign_in(url, FOR_ALL)
    assert (answer.status_code, answer.headers["Location"]) == (303, base)
    assert session.get(url, timeout=10).text == "as visitor"


def test_a_wrong_password_and_one_from_another_site_are_refused(start: Any) -> None:
    url = start()
    for text in ("wrong one", "", "x" * 5000):
        session, answer = sign_in(url, text)
        assert answer.status_code == 401
        assert not session.cookies
    for origin in ("https://evil.example", "http://[", "null", "", url.removesuffix("/") + ".evil.example"):
        session, answer = sign_in(url, FOR_ALL, Origin=origin)
        assert answer.status_code == 403
        assert not session.cookies
    sign_in(url, "wrong two")
    sign_in(url, "wrong three")
    _, answer = sign_in(url, FOR_ALL)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert requests.put(f"{url}login", timeout=10).status_code == 405
    assert requests.head(f"{url}login", timeout=10).status_code == 405
    assert requests.get(f"{url}logout", timeout=10).status_code == 405


def test_the_cookie_is_no_scripts_business_and_is_taken_back(start: Any) -> None:
    url = start()
    session, answer = sign_in(url, FOR_ALL, **{"X-Forwarded-Proto": "https"})
    said = answer.headers["Set-Cookie"]
    assert all(word in said for word in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"))
    session, answer = sign_in(url, FOR_ALL)
    assert "Secure" not in answer.headers["Set-Cookie"]
    session.post(f"{url}logout", timeout=10)
    assert session.get(url, timeout=10).url == f"{url}login"


def test_an_owner_has_a_password_of_their_own_and_kernels_that_nobody_else_reaches(start: Any) -> None:
    url = start(closed=False)
    assert requests.get(url, timeout=10).text == "as "
    owner, _ = sign_in(url, FOR_OWNERS)
    assert owner.get(url, timeout=10).text == "as owner"
    for path in (f"api/kernels/{OWNED}", f"voila/api/shutdown/{OWNED}"):
        method = "POST" if "shutdown" in path else "GET"
        assert requests.request(method, url + path, timeout=10).status_code == 403
        assert owner.request(method, url + path, timeout=10).status_code != 403
    assert requests.get(f"{url}api/kernels/{KERNEL}", timeout=10).status_code == 200


def test_a_frame_asks_nobody_for_a_password_and_makes_nobody_an_owner(start: Any) -> None:
    url = start()
    answer = requests.get(f"{url}?embed", timeout=10, allow_redirects=False)
    assert answer.status_code == 401
    assert "<form" not in answer.text
    assert "This page asks for a password" in answer.text
    assert "frame-ancestors 'self' https://school.example;" in answer.headers["Content-Security-Policy"]
    owner, _ = sign_in(url, FOR_OWNERS)
    whole, framed = (owner.get(f"{url}{query}", timeout=10) for query in ("", "?embed"))
    assert (whole.text, framed.text) == ("as owner", "as visitor")
    assert "frame-ancestors 'self';" in whole.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self' https://school.example;" in framed.headers["Content-Security-Policy"]


def test_where_everybody_is_an_owner_no_other_site_shows_the_page(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = start(closed=False)
    for owner, ancestors in (("0", "'self' https://school.example"), ("1", "'self'")):
        monkeypatch.setenv("FASTCLF_OWNER", owner)
        for query in ("", "?embed"):
            answer = requests.get(f"{url}{query}", timeout=10)
            assert f"frame-ancestors {ancestors};" in answer.headers["Content-Security-Policy"]
            assert ("X-Frame-Options" in answer.headers) == (owner == "1")
