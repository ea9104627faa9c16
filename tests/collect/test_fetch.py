"""Fetching from a server that misbehaves in every way, and from addresses that nobody may fetch."""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from fastclf.collect.web import AddressRule, Fetcher, FetchError
from fastclf.collect.web.addresses import is_public
from fastclf.collect.web.fetch import MAX_REDIRECTS
from fastclf.errors import StoppedError

from ..drawing import draw_scene, encode
from . import web as bad
from .conftest import real_ssl_context
from .web import Exchange, Web, compose, make_certificate, ranged, redirect, status

# thorough rather than quick
pytestmark = pytest.mark.slow

MB = 2**20
PHOTO = encode(draw_scene("fetch"), "JPEG")
NAMES = {"photos.example": "127.0.0.1", "other.example": "127.0.0.1"}
OLD = bytes(range(250)) * 1200
NEW = bytes(reversed(OLD))

# fmt: off
PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:c0a8:101::1", "2001:0:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1", "100::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%lo", "fec0::1", "ff02::1", "ff0e::1",
    "168.63.129.16", "::ffff:168.63.129.16", "::168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::1",
    "192.0.0.8", "192.0.0.9", "192.0.0.170", "192.88.99.1", "3fff::1", "3fff:fff::1", "5f00::1", "2001:20::1",
    "::ffff:0:a83f:8110",
]
PUBLIC = [
    "1.1.1.1", "93.184.216.34", "172.15.0.1", "172.32.0.1", "223.255.255.1", "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]
SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1",
    "0177.0.0.1", "017700000001", "127.0.0.01", "localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "10.1.2.3",
    "0xa9fea9fe", "2852039166", "169.254.169.254", "100.100.100.200", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[fc00::1]", "[fe80::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "[ff02::1]", "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "127\u30020\u30020\u30021",
]
# {address: words of the reason}
NO_ADDRESSES = {
    "ftp://1.1.1.1/a.jpg": "begin with http", "file:///etc/passwd": "begin with http",
    "gopher://1.1.1.1:80/": "begin with http", "data:image/png;base64,AAAA": "begin with http",
    "//1.1.1.1/a.jpg": "begin with http", "photos/a.jpg": "begin with http", "": "begin with http",
    "http://": "no host", "http:///a.jpg": "no host", "http://:80/a.jpg": "no host",
    "http://user:secret@1.1.1.1/a.jpg": "password", "http://user@1.1.1.1/": "user name",
    "http://@1.1.1.1/": "user name", "http://1.1.1.1\\@127.0.0.1/": "user name",
    "http://1.1.1.1:22/": "port 22", "http://1.1.1.1:8080/": "port 8080", "https://1.1.1.1:8443/": "port 8443",
    "http://1.1.1.1:0/": "port 0", "http://1.1.1.1:99999/": "no address", "http://1.1.1.1:http/": "no address",
    "http://[::1/": "no address", "http://[broken]/": "no address",
    "http://" + "a" * 70 + "\u00fc.example/": "no address",
}
NO_HOSTS = [
    "exa mple.com", "exa\0mple.com", "a" * 64 + ".example", "a." * 200 + "example", ".example.",
    "%31%32%37.0.0.1", "127.0.0.1%00.example", "[fe80::1%25lo]", "example\udc80.com", "xn--.example", "\u00ad",
]
FORBIDDEN = [
    "http://10.0.0.1/a.jpg", "http://169.254.169.254/latest/", "http://100.100.100.200/", "http://127.0.0.1/",
    "http://2130706433/", "http://[::1]:{port}/a.jpg", "http://[::ffff:127.0.0.1]:{port}/a.jpg", "//10.0.0.1/a.jpg",
    "http://192.168.0.1:{port}/a.jpg", "http://photos.example:22/", "http://user:secret@photos.example:{port}/a.jpg",
    "file:///etc/passwd", "FILE:///etc/passwd", "ftp://photos.example/a.jpg", "data:image/png;base64,AAAA",
    "javascript:alert(1)",
]
OK, CUT_OFF, NO_HTTP = b"HTTP/1.1 200 OK\r\n", ("was cut off on its way", False), ("no HTTP", True)
# {what comes: (behaviour, words of the reason, whether another try is pointless)}
NO_PHOTO = {
    "tls alert": (bad.garbage(), *NO_HTTP),
    "html": (bad.garbage(b"<html>no header at all</html>\r\n\r\n"), *NO_HTTP),
    "bytes": (bad.garbage(bytes(range(256)) * 1000), *NO_HTTP),
    "headers": (bad.huge_headers(), *NO_HTTP), "endless headers": (bad.huge_headers(None), *NO_HTTP),
    "length \u00b2": (bad.garbage(OK + b"Content-Length: \xb2\r\n\r\nx"), *NO_HTTP),
    "length -5": (bad.garbage(OK + b"Content-Length: -5\r\n\r\nx"), *NO_HTTP),
    "two lengths": (bad.garbage(OK + b"Content-Length: 1\r\nContent-Length: 7\r\n\r\nx"), *NO_HTTP),
    "no chunk": (bad.garbage(OK + b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n"), *NO_HTTP),
    "nothing": (bad.garbage(b""), *CUT_OFF), "half a header": (bad.garbage(OK + b"Content-Le"), *CUT_OFF),
    "short": (bad.wrong_length(PHOTO, len(PHOTO) + 1000), *CUT_OFF), "reset": (bad.reset(), *CUT_OFF),
    "reset after headers": (bad.reset(PHOTO, after=0), *CUT_OFF),
    "reset midway": (bad.reset(PHOTO, after=1000), *CUT_OFF),
    "half a chunk": (bad.garbage(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), *CUT_OFF),
    "endless chunks": (bad.endless(), "1 MB", True), "endless": (bad.endless(chunked=False), "1 MB", True),
    "announced": (bad.wrong_length(PHOTO, 10**9, hold=True), "953.7 MB", True),
    "compressed": (bad.called_jpeg(gzip.compress(PHOTO), **{"Content-Encoding": "gzip"}), "came compressed (gzip) unasked", True),
    **{f"to {to}": (redirect(to), "redirected to what is no address", True)
       for to in ("http://[broken/", "http://[1.2.3]/", "//[")},
    **{f"to {to}": (redirect(to), "no address that can be fetched", True)
       for to in ("http://a:b:c/", "http://a:99999/")},
    **{f"to {to}": (status(302, to), "answered 302", True) for to in ({}, {"Location": ""})},
}
# fmt: on


def build_fetcher(*servers: Web) -> Fetcher:
    return Fetcher(AddressRule(frozenset(server.address for server in servers), NAMES))


@pytest.fixture
def fetcher(web: Web) -> Iterator[Fetcher]:
    with build_fetcher(web) as client:
        yield client


@pytest.fixture
def plain() -> Iterator[Fetcher]:
    """A fetcher that may fetch from the public web alone, as makers have it."""
    with Fetcher() as client:
        yield client


def fetch(fetcher: Fetcher, url: str, max_bytes: int = MB, seconds: float = 5) -> bytes:
    return fetcher.get(url, max_bytes=max_bytes, seconds=seconds)


def refusal(call: Callable[..., object], *args: Any, **options: Any) -> FetchError:
    """Return the error of a fetch, whose reason is one clause without the address."""
    with pytest.raises(FetchError) as caught:
        call(*args, **options)
    error = caught.value
    assert error.reason == str(error)
    assert error.reason[0].islower()
    assert not error.reason.endswith(".")
    assert error.reason.isprintable()
    assert "://" not in error.reason.replace("http:// or https://", "")
    assert "secret" not in error.reason
    assert len(error.reason) < 160
    return error


@contextlib.contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds


def answer_lookups(monkeypatch: pytest.MonkeyPatch, name: str, *answers: list[str] | Exception) -> list[str]:
    """Let a name have these addresses, one answer after the other; returns the list of its look-ups."""
    real, lookups = socket.getaddrinfo, []

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        if (host.decode() if isinstance(host, bytes) else host) != name:
            return real(host, port, *args, **options)
        lookups.append(name)
        answer = answers[min(len(lookups), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        kinds = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in answer]
        return [(k, socket.SOCK_STREAM, 6, "", (a, port)) for k, a in zip(kinds, answer, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return lookups


@pytest.mark.parametrize(
    ("address", "is_fetched"), [*((a, False) for a in PRIVATE), *((a, True) for a in PUBLIC)]
)
def test_an_address_of_no_public_network_is_not_fetched_from(address: str, is_fetched: bool) -> None:
    assert is_public(address) == is_fetched


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_private_address_reaches_it(host: str, web: Web, plain: Fetcher) -> None:
    web.photo("/a.jpg", PHOTO)
    port = web.address[1]
    with Fetcher(AddressRule(frozenset({("93.184.216.34", port)}))) as other_ports_too:
        refusal(fetch, other_ports_too, f"http://{host}:{port}/a.jpg")
    refusal(fetch, plain, f"http://{host}/a.jpg")
    assert not web.hits


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_plain_web_address_is_refused(url: str, plain: Fetcher) -> None:
    error = refusal(fetch, plain, url)
    assert NO_ADDRESSES[url] in error.reason
    assert error.lasting


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_host_is_a_sentence(host: str, plain: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(name: Any, *_: Any, **__: Any) -> list[Any]:
        if isinstance(name, str):
            name.encode("idna")  # as the real one does
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    refusal(fetch, plain, f"http://{host}/a.jpg")


def test_urls_and_redirects_are_sent_in_ascii_and_without_a_fragment(web: Web, fetcher: Fetcher) -> None:
    web.photo("/b%C3%A4r%20a.jpg", PHOTO)
    url = web.url("/b\u00e4r a.jpg?q=\u00e4&r=%20#part", "PHOTOS.example")
    assert fetch(fetcher, url) == PHOTO
    assert web.hits[0].query == "q=%C3%A4&r=%20"
    raw = web.add("/a.jpg", redirect("/b\u00e4r a.jpg".encode().decode("latin-1")))
    assert fetch(fetcher, raw) == PHOTO


@pytest.mark.parametrize(
    "path", ["/a\r\nX-Evil: 1", "/a HTTP/1.1\r\nX-Evil: 1\r\nX: y", "/a%0d%0aX-Evil: 1", "/a?\r\nX-Evil: 1"]
)
def test_a_line_end_in_a_url_makes_no_header(path: str, web: Web, fetcher: Fetcher) -> None:
    refusal(fetch, fetcher, web.url(path))
    assert not any("x-evil" in hit.headers for hit in web.hits)


def test_allowing_one_address_and_port_allows_no_other(web: Web) -> None:
    url, port = web.photo("/a.jpg", PHOTO), web.address[1]
    for allowed, words in ((("127.0.0.2", port), "127.0.0.1"), (("127.0.0.1", port + 1), f"port {port}")):
        with Fetcher(AddressRule(frozenset({allowed}))) as client:
            assert words in refusal(fetch, client, url).reason
    assert not web.hits


@pytest.mark.parametrize("private", ["10.0.0.1", "127.0.0.1", "::1", "::ffff:169.254.169.254"])
@pytest.mark.parametrize("first", [True, False])
def test_a_name_with_one_private_address_among_public_ones_is_refused(
    private: str, first: bool, plain: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = ["93.184.216.34", "2606:4700:4700::1111"]
    answer_lookups(monkeypatch, "mixed.example", [private, *public] if first else [*public, private])
    error = refusal(fetch, plain, "http://mixed.example/a.jpg")
    assert error.lasting
    assert private in error.reason


def test_the_checked_address_is_the_one_connected_to_and_the_next_connection_is_checked_again(
    web: Web, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.add("/a.jpg", bad.last(bad.called_jpeg(PHOTO)))
    lookups = answer_lookups(monkeypatch, "changing.example", ["127.0.0.1"], ["10.0.0.1"])
    url = web.url("/a.jpg", "changing.example")
    assert fetch(fetcher, url) == PHOTO
    assert len(lookups) == 1
    time.sleep(0.02)
    assert "10.0.0.1" in refusal(fetch, fetcher, url).reason
    assert web.count("/a.jpg") == 1


@pytest.mark.parametrize(
    ("code", "words"), [(socket.EAI_NONAME, "is not known"), (socket.EAI_AGAIN, "could not be looked up")]
)
def test_a_name_that_cannot_be_looked_up_is_a_sentence(
    code: int, words: str, plain: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_lookups(monkeypatch, "nowhere.example", socket.gaierror(code, "no"))
    error = refusal(fetch, plain, "http://nowhere.example/a.jpg")
    assert (error.reason, error.lasting) == (f"names the host nowhere.example, which {words}", False)


def test_a_photo_arrives_whole_and_its_request_holds_only_what_it_needs(web: Web, fetcher: Fetcher) -> None:
    web.photo("/a.jpg", PHOTO)
    url = web.url("/a.jpg", "photos.example")
    assert fetcher.get(url, max_bytes=len(PHOTO), seconds=5, accept="image/*") == PHOTO
    headers = web.hits[0].headers
    assert headers["host"] == f"photos.example:{web.address[1]}"
    assert (headers["accept"], headers["accept-encoding"]) == ("image/*", "identity")
    assert set(headers) <= {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert refusal(fetch, fetcher, url, max_bytes=len(PHOTO) - 1).lasting


def test_no_proxy_password_or_cookie_that_lies_around_is_used(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    cookies = {"Set-Cookie": "session=1; Path=/\r\nSet-Cookie: track=2; Domain=example"}
    web.add("/a.jpg", bad.called_jpeg(PHOTO, **cookies))
    web.add("/go", redirect("/a.jpg", headers={"Set-Cookie": "hop=1"}))
    web.add("/closed", status(401, {"WWW-Authenticate": 'Basic realm="x"'}))
    with Web() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name.upper(), proxy.url(""))
            monkeypatch.setenv(name, proxy.url(""))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with build_fetcher(web) as client:
            for path in ("/go", "/a.jpg", "/a.jpg"):
                assert fetch(client, web.url(path, "photos.example")) == PHOTO
            assert refusal(fetch, client, web.url("/closed", "photos.example")).status == 401
            for scheme in ("http", "https"):
                refusal(fetch, client, f"{scheme}://10.0.0.1/a.jpg")
        assert (len(web.hits), proxy.hits) == (5, [])
    assert not any({"cookie", "referer", "authorization"} & hit.headers.keys() for hit in web.hits)


def test_threads_that_share_a_fetcher_get_their_own_photos(web: Web, fetcher: Fetcher) -> None:
    photos = {f"/{i}.jpg": bytes([i]) * (1000 + i) for i in range(60)}
    for path, data in photos.items():
        web.photo(path, data)
    urls = [web.url(path, host) for path in photos for host in NAMES]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda url: fetch(fetcher, url), urls))
    assert answers == [data for data in photos.values() for _ in NAMES]


@pytest.mark.parametrize(
    ("code", "lasting"),
    [
        *((code, True) for code in (400, 401, 403, 404, 405, 410, 413, 418, 451, 306, 399, 499)),
        *((code, False) for code in (408, 425, 429, 500, 502, 503, 504, 507, 520, 522, 599, 799)),
    ],
)
def test_what_a_server_will_not_give_is_not_asked_for_again_and_what_it_cannot_give_now_is(
    code: int, lasting: bool, web: Web, fetcher: Fetcher
) -> None:
    error = refusal(fetch, fetcher, web.add("/a.jpg", status(code, {}, b"<html>no</html>")))
    assert (error.status, error.lasting, error.retry_after) == (code, lasting, None)
    assert f"answered {code}" in error.reason


SENSELESS = ["", "soon", "-5", "\u00b2", "1e9", "nan", "Fri, 31 Dec 9999 23:59:59 +99999999999999999"]
SENSELESS += [f"Mon, {day} 23:59:59 GMT" for day in ("99 Foo 2024", "01 Jan 99999")]
WAITS: dict[str, Any] = {
    **dict.fromkeys(SENSELESS), "3": 3, "0": 0, "120": 120, "9" * 5000: 86400,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": 86400,
    # the tests may begin long after this is read
    formatdate(time.time() + 50_000, usegmt=True): pytest.approx(45_000, abs=5_001),
}  # fmt: skip


@pytest.mark.parametrize("value", WAITS, ids=range(len(WAITS)))
def test_retry_after_is_read_as_seconds_or_date_or_not_at_all(value: str, web: Web, fetcher: Fetcher) -> None:
    url = web.add("/a.jpg", bad.limited(1, value, PHOTO))
    assert refusal(fetch, fetcher, url).retry_after == WAITS[value]
    assert fetch(fetcher, url) == PHOTO


@pytest.mark.parametrize("what", NO_PHOTO)
def test_what_comes_instead_of_a_photo_is_a_sentence(what: str, web: Web, fetcher: Fetcher) -> None:
    behaviour, words, lasting = NO_PHOTO[what]
    with no_longer_than(2):
        error = refusal(fetch, fetcher, web.add("/a.jpg", behaviour))
    assert (words in error.reason, error.lasting) == (True, lasting), error.reason


@pytest.mark.parametrize("code", [None, 503])
def test_the_next_try_is_as_good_as_the_first(code: int | None, web: Web, fetcher: Fetcher) -> None:
    url = web.add("/a.jpg", bad.flaky(2, bad.last(bad.called_jpeg(PHOTO)), code))
    for _ in range(2):
        assert not refusal(fetch, fetcher, url).lasting
    for _ in range(3):  # the connection is closed in between
        assert fetch(fetcher, url) == PHOTO
        time.sleep(0.02)


def test_a_server_that_is_not_there_is_a_sentence() -> None:
    with Web() as gone:
        pass
    with build_fetcher(gone) as client:
        error = refusal(fetch, client, gone.url("/a.jpg"))
    assert (error.reason, error.lasting) == ("could not be connected to", False)


def test_bytes_after_a_body_do_not_spoil_the_next_photo(web: Web, fetcher: Fetcher) -> None:
    forged = compose(200, {}, b"forged")
    good = web.photo("/good.jpg", PHOTO)
    for path, rest in {"/long.jpg": PHOTO, "/forged.jpg": forged}.items():
        url = web.add(path, bad.wrong_length(PHOTO + rest, len(PHOTO)))
        for _ in range(3):
            assert fetch(fetcher, url) == PHOTO
            assert fetch(fetcher, good) == PHOTO


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_to_its_end(code: int, web: Web, fetcher: Fetcher) -> None:
    web.photo("/deep/b.jpg", PHOTO)
    web.add("/deep/a.jpg", redirect("b.jpg?x=1", code))
    web.add("/start", redirect(web.url("/deep/a.jpg", "other.example"), code))
    assert fetch(fetcher, web.url("/start", "photos.example")) == PHOTO
    last = web.hits[-1]
    assert (last.path, last.query, last.host.partition(":")[0]) == ("/deep/b.jpg", "x=1", "other.example")


def test_a_chain_of_redirects_is_followed_only_so_far_and_a_loop_ends(web: Web, fetcher: Fetcher) -> None:
    web.photo("/0", PHOTO)
    for i in range(1, MAX_REDIRECTS + 2):
        web.add(f"/{i}", redirect(f"/{i - 1}"))
    assert 3 <= MAX_REDIRECTS <= 10
    assert fetch(fetcher, web.url(f"/{MAX_REDIRECTS}")) == PHOTO
    web.forget()
    error = refusal(fetch, fetcher, web.url(f"/{MAX_REDIRECTS + 1}"))
    assert ("redirected" in error.reason, error.lasting, web.count("/0")) == (True, True, 0)
    assert refusal(fetch, fetcher, web.add("/self", redirect("/self"))).lasting
    assert web.count("/self") == MAX_REDIRECTS + 1


@pytest.mark.parametrize("to", FORBIDDEN)
def test_every_hop_is_checked_as_the_first_address_is(to: str, web: Web, fetcher: Fetcher) -> None:
    web.photo("/a.jpg", PHOTO)
    web.add("/hop", redirect(to.format(port=web.address[1])))
    url = web.add("/start", redirect(web.url("/hop", "other.example")))
    assert refusal(fetch, fetcher, url).lasting
    assert [hit.path for hit in web.hits] == ["/start", "/hop"]


def test_the_body_of_a_redirect_is_not_waited_for(web: Web, fetcher: Fetcher) -> None:
    web.photo("/b.jpg", PHOTO)

    def behave(exchange: Exchange) -> None:
        exchange.send(compose(302, {"Location": "/b.jpg", "Content-Length": "1000000000"}, bytes(1000)))
        exchange.wait_for_client()

    with no_longer_than(1):
        assert fetch(fetcher, web.add("/a.jpg", behave)) == PHOTO


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """An https server whose certificate is trusted for photos.example."""
    made = make_certificate(tmp_path, "photos.example")
    if made is None:
        pytest.skip("there is no openssl to make a certificate with")
    certificate, context = made
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(httpcore2, "default_ssl_context", real_ssl_context)
    with Web(tls=context) as server:
        yield server


def test_a_certificate_is_checked_for_name_and_issuer(secure: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(host: str) -> bytes:
        with build_fetcher(secure) as client:
            return fetch(client, secure.url("/a.jpg", host))

    secure.photo("/a.jpg", PHOTO)
    assert ask("photos.example") == PHOTO
    errors = [refusal(ask, host) for host in ("other.example", "127.0.0.1")]
    monkeypatch.delenv("SSL_CERT_FILE")
    errors.append(refusal(ask, "photos.example"))
    assert {(error.reason, error.lasting) for error in errors} == {
        ("has no certificate that can be trusted", True)
    }
    assert len(secure.hits) == 1


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http", "ht\ttp"])
def test_https_is_not_left_for_plain_http(scheme: str, secure: Web, web: Web) -> None:
    web.photo("/a.jpg", PHOTO)
    secure.add("/a.jpg", redirect(web.url("/a.jpg", "photos.example").replace("http", scheme, 1)))
    with build_fetcher(secure, web) as client:
        assert refusal(fetch, client, secure.url("/a.jpg", "photos.example")).lasting
    assert not web.hits


def test_http_may_lead_to_https_and_https_further(secure: Web, web: Web) -> None:
    secure.photo("/b.jpg", PHOTO)
    secure.add("/a.jpg", redirect("/b.jpg"))
    url = web.add("/a.jpg", redirect(secure.url("/a.jpg", "photos.example")))
    with build_fetcher(secure, web) as client:
        assert fetch(client, url) == PHOTO


def test_a_server_that_speaks_no_tls_is_a_sentence(web: Web, fetcher: Fetcher) -> None:
    with no_longer_than(1):
        refusal(fetch, fetcher, web.add("/a.jpg", bad.garbage()).replace("http:", "https:"), seconds=0.2)


def send_hints(exchange: Exchange) -> None:
    """Say "go on" for ever, as HTTP allows."""
    while True:
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
        exchange.sleep(0.01)


def send_on(exchange: Exchange) -> None:
    """Take a while to send the client in a circle."""
    exchange.sleep(0.06)
    exchange.answer(302, {"Location": "/a.jpg"})


SLOW = {
    "silence": bad.SILENT,
    "body": bad.slow_drip(PHOTO, 0.02),
    "headers": bad.slow_drip(b"", 0.02, headers_too=True),
    "last byte": bad.wrong_length(PHOTO, len(PHOTO) + 1, hold=True),
    "chunks": bad.endless(chunk=b"x", head=b"y", pause=0.001),
    "hints": send_hints,
    "redirects": send_on,
}


@contextlib.contextmanager
def mute_port(backlog: int = 5) -> Iterator[tuple[str, int]]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        yield ("127.0.0.1", listener.getsockname()[1])


@contextlib.contextmanager
def full_port() -> Iterator[tuple[str, int]]:
    """A port whose queue is full, so that a further connection waits."""
    with mute_port(backlog=0) as address, contextlib.ExitStack() as stack:
        for _ in range(3):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(address)
        yield address


@contextlib.contextmanager
def slow_server(how: str, web: Web) -> Iterator[tuple[str, Fetcher]]:
    """An address that takes its time, and who may fetch it."""
    with contextlib.ExitStack() as stack:
        scheme, address = "http", web.address
        if how in PORTS:
            scheme, port = PORTS[how]
            address = stack.enter_context(port())
        client = stack.enter_context(Fetcher(AddressRule(frozenset({address}))))
        web.add("/a.jpg", SLOW.get(how, bad.SILENT))
        yield f"{scheme}://127.0.0.1:{address[1]}/a.jpg", client


PORTS = {"connection": ("http", full_port), "tls": ("https", mute_port)}
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a port's queue is filled as Linux counts it")
WAYS = [*SLOW, "tls", pytest.param("connection", marks=LINUX)]


@pytest.mark.parametrize("how", WAYS)
def test_no_server_stretches_the_time_limit_nor_holds_up_a_stop(how: str, web: Web) -> None:
    with slow_server(how, web) as (url, client):
        with no_longer_than(0.7):
            error = refusal(fetch, client, url, seconds=0.2)
        assert ("0.2 s" in error.reason, error.lasting) == (True, False)
        threading.Timer(0.1, client.stop.set).start()
        with no_longer_than(1.2), pytest.raises(StoppedError):
            fetch(client, url, seconds=3)


def test_the_time_limit_holds_for_a_slow_look_up(plain: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5))
    with no_longer_than(0.8):
        assert not refusal(fetch, plain, "http://slow.example/a.jpg", seconds=0.2).lasting


def test_one_fetch_does_not_shorten_the_time_of_another(web: Web, fetcher: Fetcher) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.sleep(0.25)
        exchange.answer(200, {}, PHOTO)

    slow, late = web.add("/slow.jpg", bad.SILENT), web.add("/late.jpg", behave)
    with ThreadPoolExecutor(2) as threads:
        patient = threads.submit(fetch, fetcher, late)
        refusal(fetch, fetcher, slow, seconds=0.1)
        assert patient.result() == PHOTO
    assert fetch(fetcher, late) == PHOTO


def test_nothing_is_asked_for_after_the_stop_event(web: Web, tmp_path: Path) -> None:
    url = web.photo("/a.jpg", PHOTO)
    with build_fetcher(web) as client:
        assert fetch(client, url) == PHOTO
        client.stop.set()
        with pytest.raises(StoppedError):
            fetch(client, url)
        with pytest.raises(StoppedError):
            client.save(url, tmp_path / "a", max_bytes=MB)
    assert len(web.hits) == 1
    assert not (tmp_path / "a").exists()


def save(fetcher: Fetcher, url: str, path: Path, max_bytes: int = MB, **options: Any) -> bytes:
    """Return the bytes of a file that was saved; nothing lies beside it."""
    fetcher.save(url, path, max_bytes=max_bytes, **options)
    assert [beside.name for beside in path.parent.iterdir()] == [path.name]
    return path.read_bytes()


def begin_download(web: Web, path: Path, at_least: int = 50_000) -> str:
    """Stop the download of OLD on its way, so that a part is left behind; returns its address."""

    def behave(exchange: Exchange) -> None:
        headers = {"ETag": ranged(OLD).etag, "Content-Length": str(len(OLD) + (at_least == len(OLD)))}
        exchange.send(compose(200, headers, OLD[: at_least + 50_000]))
        exchange.wait_for_client()

    def progress(done: int, _: int | None) -> None:
        if done >= at_least:
            client.stop.set()

    url = web.add("/file", behave)
    with build_fetcher(web) as client, pytest.raises(StoppedError):
        client.save(url, path, max_bytes=MB, progress=progress)
    assert not path.exists()
    web.forget()
    return url


# {what the server does: (how, what comes of it)} once a part of OLD has been fetched
PARTS = {
    "changed": (ranged(NEW), NEW),
    "shorter": (ranged(NEW[:10]), NEW[:10]),
    "no ranges": (ranged(OLD, honour=False), OLD),
    "changed, no ranges": (ranged(NEW, honour=False), NEW),
    "no validator": (ranged(NEW, validator=None), NEW),
    "changed unheeded": (ranged(NEW, heed_if_range=False), None),
    "grown unheeded": (ranged(NEW + NEW, heed_if_range=False), None),
    "shorter unheeded": (ranged(NEW[:10], heed_if_range=False), None),
    "later part": (ranged(OLD, shift=7), None),
    "earlier part": (ranged(OLD, shift=-7), None),
    "small parts": (ranged(OLD, most=50_000), None),
}
FAILING = {
    "404": status(404),
    "503": status(503),
    "reset": bad.reset(),
    "short": bad.wrong_length(OLD, len(OLD) + 1),
    "endless": bad.endless(),
    "private": redirect("http://10.0.0.1/"),
    "unasked": status(206, {"Content-Range": f"bytes 0-999/{len(OLD)}", "ETag": '"1"'}, OLD[:1000]),
}


def test_a_broken_download_goes_on_where_it_broke(web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    server = ranged(OLD, break_after=100_000, breaks=2)
    web.add("/file", server)
    url = web.add("/go", redirect("/file"))
    assert save(fetcher, url, tmp_path / "file", progress=lambda *at: told.append(at)) == OLD
    asked = [(h.headers.get("range"), h.headers.get("if-range")) for h in web.hits if h.path == "/file"]
    assert asked == [(None, None), ("bytes=100000-", server.etag), ("bytes=200000-", server.etag)]
    assert (told[-1], told) == ((len(OLD), len(OLD)), sorted(told))


@pytest.mark.parametrize("at_least", [50_000, len(OLD)])
def test_a_stopped_download_goes_on_later(at_least: int, web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    url = begin_download(web, tmp_path / "file", at_least)
    web.add("/file", ranged(OLD))
    told: list[tuple[int, int | None]] = []
    assert save(fetcher, url, tmp_path / "file", progress=lambda *at: told.append(at)) == OLD
    begin = int(web.hits[0].headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert begin >= at_least
    if at_least < len(OLD):  # of what is complete already, the server says that there is no more
        assert len(web.hits) == 1
        assert told[0][0] > begin
        assert {total for _, total in told} == {len(OLD)}


@pytest.mark.parametrize("how", PARTS)
def test_a_download_begins_anew_where_it_cannot_go_on_and_what_does_not_fit_never_makes_a_file(
    how: str, web: Web, fetcher: Fetcher, tmp_path: Path
) -> None:
    server, whole = PARTS[how]
    url = begin_download(web, tmp_path / "file")
    web.add("/file", server)
    with contextlib.nullcontext() if whole else contextlib.suppress(FetchError):
        assert save(fetcher, url, tmp_path / "file") == (whole or server.data)
    web.add("/file", ranged(OLD))
    assert save(fetcher, url, tmp_path / "file") == OLD


@pytest.mark.parametrize("validator", ["etag", "weak", "date", None])
@pytest.mark.parametrize("heed_if_range", [True, False])
def test_a_file_that_changes_while_it_comes_is_never_mixed(
    validator: str | None, heed_if_range: bool, web: Web, fetcher: Fetcher, tmp_path: Path
) -> None:
    server = ranged(OLD, change_to=NEW, break_after=100_000, validator=validator, heed_if_range=heed_if_range)
    with contextlib.suppress(FetchError):
        assert save(fetcher, web.add("/file", server), tmp_path / "file") == NEW
    assert server.answers > 1
    assert not any(hit.headers.get("if-range", "").startswith("W/") for hit in web.hits)


@pytest.mark.parametrize("how", FAILING)
def test_a_failing_download_leaves_the_old_file(how: str, web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with no_longer_than(3):
        refusal(save, fetcher, web.add("/file", FAILING[how]), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(web.hits) <= 10


def test_the_size_limit_counts_what_was_there_before(web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    url = begin_download(web, tmp_path / "file")
    web.add("/file", ranged(OLD))
    assert refusal(save, fetcher, url, tmp_path / "file", max_bytes=len(OLD) - 1).lasting
    assert save(fetcher, url, tmp_path / "file", max_bytes=len(OLD)) == OLD
