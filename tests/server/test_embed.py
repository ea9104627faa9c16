"""Who may show the page in a frame: the sites that the host names, none by default, and never an owner's page."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from fastclf.errors import ServingError
from fastclf.server import check_serving, read_embed
from fastclf.server.answer_headers import AnswerHeaders
from fastclf.server.embed import is_framed

SCHOOL = "https://school.example"


def ask(uri: str) -> HTTPServerRequest:
    line = RequestStartLine("GET", uri, "HTTP/1.1")
    return HTTPServerRequest(
        start_line=line, headers=HTTPHeaders({"Host": "localhost"}), connection=SimpleNamespace(context=None)
    )


def find_headers(embed: tuple[str, ...] = (), said: str = "", **whose: bool) -> tuple[str, str | None]:
    """Return (frame-ancestors, X-Frame-Options) of an answer."""
    headers = HTTPHeaders({"X-Frame-Options": "ALLOWALL"})
    if said:
        headers["Content-Security-Policy"] = said
    AnswerHeaders([], embed).complete(headers, ask("/"), {}, is_page=True, keeps_cookies=False, **whose)
    [found] = re.findall(r"frame-ancestors ([^;]*)", headers["Content-Security-Policy"])
    return found, headers.get("X-Frame-Options")


def test_by_default_no_other_site_shows_the_page() -> None:
    assert find_headers() == ("'self'", "SAMEORIGIN")


def test_the_sites_that_are_named_show_it_and_older_headers_do_not_gainsay() -> None:
    assert find_headers((SCHOOL, "http://a.example:81")) == (f"'self' {SCHOOL} http://a.example:81", None)
    assert find_headers(("*",)) == ("'self' *", None)
    # also where a Jupyter server says something of its own
    assert find_headers((SCHOOL,), "frame-ancestors 'self'; report-uri /x") == (f"'self' {SCHOOL}", None)
    assert find_headers((), f"frame-ancestors {SCHOOL}") == (SCHOOL, None)


@pytest.mark.parametrize("embed", [(), (SCHOOL,), ("*",)])
@pytest.mark.parametrize("said", ["", "frame-ancestors *"])
def test_an_owners_page_is_shown_by_no_other_site_whatever_is_named(
    embed: tuple[str, ...], said: str
) -> None:
    assert find_headers(embed, said, owned=True) == ("'self'", "SAMEORIGIN")
    # visitors of the same server see what is named
    assert find_headers((SCHOOL,), said, owned=False) == (f"'self' {SCHOOL}", None)


def test_a_page_that_asks_for_a_password_stands_in_no_frame() -> None:
    assert find_headers(("*",), "frame-ancestors *", has_form=True) == ("'none'", "DENY")


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        (" , ", ()),
        ("https://School.example/", (SCHOOL,)),
        (f"{SCHOOL},{SCHOOL}, http://localhost:8000", (SCHOOL, "http://localhost:8000")),
        ("https://*.school.example", ("https://*.school.example",)),
        ("http://[::1]:81", ("http://[::1]:81",)),
        (f"{SCHOOL},*", ("*",)),
    ],
)
def test_sites_are_named_by_their_origins(text: str, origins: tuple[str, ...]) -> None:
    assert read_embed({"FASTCLF_EMBED": text}) == origins


@pytest.mark.parametrize(
    "text",
    ["school.example", "https://school.example/page", "ftp://school.example", "https://a b", "https://*",
     "https://a.*.example", "https://a.example; script-src *", "'self'", "null", "https://schüle.example"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_in_a_sentence(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = re.escape(f"--embed is {text!r}, which is no origin. Write scheme and host alone")
    with pytest.raises(ServingError, match=words):
        read_embed({"FASTCLF_EMBED": text})


def test_a_server_does_not_start_with_one_that_is_none(toy_model: object) -> None:
    with pytest.raises(ServingError, match="which is no origin"):
        check_serving(toy_model, host="127.0.0.1", port=8866, more={"embed": "x.example"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "framed"), [("/?embed", True), ("/?a=b&embed=1", True), ("/", False), ("/?a=embed", False)]
)
def test_the_address_says_whether_the_page_stands_in_another_one(uri: str, framed: bool) -> None:
    assert is_framed(ask(uri)) is framed
