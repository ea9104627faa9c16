"""One photo from its web address: fetched by the rules, or a sentence that says what to do instead."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time

import pytest

from fastclf.collect import fetch_photo
from fastclf.collect.web import AddressRule
from fastclf.errors import AddressError
from fastclf.photos import MAX_BYTES, decode_photo

from ..drawing import draw_scene, encode
from . import web as bad
from .web import Behaviour, Web, redirect, status

PHOTO = encode(draw_scene("one"), "JPEG")
PNG = encode(draw_scene("two", (60, 40)), "PNG")


def refuse(url: str, rule: AddressRule | None = None, seconds: float = 5.0) -> str:
    with pytest.raises(AddressError) as caught:
        fetch_photo(url, rule=rule, seconds=seconds)
    text = str(caught.value)
    # sentences for people: no address of a network, no class, no number of a system's error
    assert text.endswith(".")
    assert not any(word in text for word in ("127.0.0.1, which", "Error", "Errno", "Traceback", "httpcore"))
    assert len(text) < 300
    return text


def test_a_photo_comes_with_its_bytes_and_a_short_name(web: Web, rule: AddressRule) -> None:
    url = web.photo("/albums/1/gr%C3%BC%C3%9Fe%20b%C3%A4r.jpg", PHOTO)
    assert fetch_photo(f"  {url}?size=large#top\n", rule=rule) == ("grüße bär.jpg", PHOTO)
    assert fetch_photo(web.photo("/" + "x" * 400, PNG, "text/plain"), rule=rule) == ("x" * 100, PNG)
    assert fetch_photo(web.photo("/", PHOTO), rule=rule)[0] == "photo"
    assert fetch_photo(web.add("/moved", redirect("/")), rule=rule) == ("moved", PHOTO)
    assert fetch_photo(web.photo("/a/..%2F..%2Fetc%2Fpasswd", PHOTO), rule=rule)[0] == "passwd"


def test_an_address_without_a_scheme_is_taken_as_https(web: Web, rule: AddressRule) -> None:
    web.photo("/a.jpg", PHOTO)
    host = f"a.example:{web.address[1]}/a.jpg"
    assert fetch_photo(f"http://{host}", rule=rule)[1] == PHOTO
    # the server speaks plain http: a handshake reached it, so it was asked by https
    for address in (host, f"//{host}"):
        assert refuse(address, rule, seconds=0.2).startswith("https://a.example")


BAD: dict[str, tuple[Behaviour, str]] = {
    "page": (bad.HTML, "is a web page, not a photo. Copy the address of the picture itself"),
    "drawing": (bad.SVG, "no photo that can be read"),
    "empty": (status(200, {}, b""), "no photo that can be read"),
    "missing": (status(404), r"answered 404 (not found). Save the photo"),
    "busy": (status(503), "Try again in a minute"),
    "reset": (bad.reset(), "was cut off on its way. Try again"),
    "too long": (bad.wrong_length(PHOTO, MAX_BYTES + 2**20), "21.0 MB, more than the 20 MB"),
    "inside": (redirect("http://10.0.0.1/secret.jpg"), "leads to no public address"),
    "file": (redirect("file:///etc/passwd"), "does not begin with http"),
    "silent": (bad.SILENT, "took longer than 0.3 s"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_server_that_misbehaves_is_a_sentence(web: Web, rule: AddressRule, name: str) -> None:
    behaviour, words = BAD[name]
    assert words in refuse(web.add("/a.jpg", behaviour), rule, seconds=0.3)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        *((url, "There is no address") for url in ("", "   ")),
        *((url, f"{url} is no web address") for url in ("bear", "my photo.jpg of a bear", "javascript:alert(1)")),
        ("C:\\photos\\bear.jpg", "is no web address"),
        *((url, "does not begin with http") for url in ("file:///etc/passwd", "ftp://a.example/a.jpg")),
        *((f"{url}/a.jpg", "leads to no public address")
          for url in ("http://127.0.0.1", "10.0.0.1", "http://[::1]", "https://169.254.169.254/latest")),
        ("https://1.1.1.1:8080/a.jpg", "names port 8080"),
        ("https://me:secret@1.1.1.1/a.jpg", "holds a user name or a password"),
        ("https://1.1.1.1/" + "a" * 3000, "longer than 2,048"),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_addresses_that_nobody_may_fetch_are_refused_in_words(url: str, words: str) -> None:
    text = refuse(url)
    assert words in text
    assert "secret" not in text


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_NONAME])
def test_a_server_without_a_network_does_not_blame_the_address_alone(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "no name server")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert refuse("https://a.example/a.jpg").startswith(
        "This page could not reach https://a.example/a.jpg: it may"
    )


def as_data(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_a_picture_in_the_address_itself_is_taken() -> None:
    name, data = fetch_photo(as_data(PNG))
    assert (name, decode_photo(data).image.size) == ("photo.png", (60, 40))
    jpeg = as_data(PHOTO, "image/JPEG;name=a.jpg").replace("data:", "DATA:")
    assert fetch_photo(jpeg) == ("photo.jpeg", PHOTO)
    assert fetch_photo(as_data(PNG).replace("+", "%2B").replace("=", "%3D"))[1] == PNG


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data:,hello", "holds no picture in base64"),
        ("data:text/html;base64,PGI+", "holds no picture in base64"),
        ("data:image/svg+xml,<svg/>", "holds no picture in base64"),
        (as_data(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "no photo that can be read"),
        ("data:image/png;base64,@@@", "is damaged"),
        ("data:image/png;base64,", "no photo that can be read"),
        (as_data(b"\xff\xd8\xff" + bytes(MAX_BYTES)), "more than 20 MB"),
        ("data:image/png;base64," + "A" * (5 * MAX_BYTES), "more than 20 MB"),
        ("data:image/png" + ";a=b" * 10**6 + ";base64,AAAA", "holds no picture in base64"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_picture_in_the_address_is_refused_at_once(url: str, words: str) -> None:
    began = time.monotonic()
    assert words in refuse(url)
    assert time.monotonic() - began < 3


def test_importing_it_loads_no_service_and_no_catalog() -> None:
    code = (
        "import sys, fastclf.collect.one_photo\n"
        "heavy = {'ddgs', 'fastdownload', 'tqdm', 'fsspec', 'filelock', 'onnxruntime', 'fastclf.catalog'}\n"
        "print(*heavy & set(sys.modules), '|', 'httpcore2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["|", "True"]
