"""The search services against answers in the form that each of them documents."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import primp
import pytest
from ddgs.engines import ENGINES
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException
from ddgs.http_client import HttpClient

from fastclf.collect import Found
from fastclf.collect.services import SERVICES, LimitedError, UnreachableError, UrlList, build_service
from fastclf.collect.services.duckduckgo import DuckDuckGo
from fastclf.collect.services.openverse import Openverse
from fastclf.collect.services.wikimedia import Wikimedia, strip_html
from fastclf.collect.web import AddressRule, Fetcher, FetchError
from fastclf.errors import MissingExtraError, UsageError

from .web import Web, limited, status

ANSWERS = Path(__file__).parent / "answers"
NO_LIST = "answered with something that is no list of photos"


class FakeFetcher:
    """Gives one answer, or one error, to every question, and remembers the questions."""

    def __init__(self, answer: object = None, *, error: FetchError | None = None) -> None:
        self.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.error = error
        self.asked: list[str] = []

    def get(self, url: str, *, max_bytes: int, seconds: float, accept: str = "*/*") -> bytes:
        self.asked.append(url)
        if self.error:
            raise self.error
        return self.body

    @property
    def values(self) -> dict[str, str]:
        """The parameters of the last question."""
        return {key: found[0] for key, found in parse_qs(urlsplit(self.asked[-1]).query).items()}


def recorded(name: str) -> Any:
    return json.loads((ANSWERS / f"{name}.json").read_bytes())


def refusal(status: int | None, retry_after: float | None = None) -> FetchError:
    return FetchError(f"answered {status}", lasting=True, status=status, retry_after=retry_after)


@pytest.fixture(params=[Openverse, Wikimedia])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_says_how_long_to_wait(kind: Any, status: int) -> None:
    assert how_long(kind(FakeFetcher(error=refusal(status, 41.0)))) == 41.0


def no_answer(service: Any) -> str:
    """Why a service is out of reach."""
    with pytest.raises(UnreachableError) as caught:
        service.search("bear", 1)
    assert caught.value.service == service.name
    return caught.value.reason


def how_long(service: Any) -> float | None:
    """How many seconds a service asks to wait."""
    with pytest.raises(LimitedError) as caught:
        service.search("bear", 1)
    assert caught.value.service == service.name
    return caught.value.retry_after


@pytest.mark.parametrize("status", [400, 403, 404, 500, None])
def test_a_service_that_fails_says_why(kind: Any, status: int | None) -> None:
    assert no_answer(kind(FakeFetcher(error=refusal(status)))) == f"answered {status}"


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Are you a robot?</html>", b"", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"null", b'"bears"', b"{}",
        b'{"results": null}', b'{"results": {"a": 1}}', b'{"query": null}', b'{"query": []}',
        b'{"query": {"pages": {"1": {}}}}', b'{"error": "no"}', b'{"error": {"code": 7}}',
    ],
)  # fmt: skip
def test_what_is_no_list_of_photos_is_said_to_be_none(kind: Any, answer: bytes) -> None:
    assert no_answer(kind(FakeFetcher(answer))) == NO_LIST


@pytest.mark.parametrize("odd", [None, 7, True, "", [], {}, [7], {"a": None}])
def test_a_field_of_another_type_spoils_nothing(kind: Any, odd: object) -> None:
    def rows(answer: Any) -> list[Any]:
        return answer["results"] if kind is Openverse else answer["query"]["pages"]

    for key in set().union(*rows(recorded(kind.name))) - {"url", "imageinfo"}:
        answer = recorded(kind.name)
        rows(answer)[0][key] = odd
        rows(answer).append(odd)
        found = kind(FakeFetcher(answer)).search("bear", 1)
        assert all(isinstance(value, str) for f in found for value in vars(f).values()), key
        assert len(found) >= 3, key


@pytest.mark.parametrize("odd", [None, 7, "", [], [7], [None], {}, {"value": 7}, [{"mime": "image/jpeg"}]])
def test_odd_image_information_loses_no_other_photo(odd: object) -> None:
    answer = recorded("wikimedia")
    answer["query"]["pages"][0]["imageinfo"] = odd
    assert len(Wikimedia(FakeFetcher(answer)).search("bear", 1)) == 2
    answer = recorded("wikimedia")
    known = answer["query"]["pages"][1]["imageinfo"][0]["extmetadata"]
    known.update(LicenseShortName=odd, Artist=odd)
    assert Wikimedia(FakeFetcher(answer)).search("bear", 1)[0].creator == ""


def test_openverse_is_asked_for_nothing_mature_and_names_maker_licence_and_page() -> None:
    fetcher = FakeFetcher(recorded("openverse"))
    found = Openverse(fetcher).search("grizzly & teddy", 2)
    assert fetcher.asked[0].startswith("https://api.openverse.org/v1/images/?")
    # as many as those may have who did not register
    assert fetcher.values == {"q": "grizzly & teddy", "page": "2", "page_size": "20", "mature": "false"}
    assert found[0] == Found(
        url="https://live.staticflickr.example/1/1_b.jpg",
        page="https://www.flickr.example/photos/ada/1",
        licence="CC BY-SA 2.0",
        creator="Ada Ferro",
        title="Bear by the river",
        query="grizzly & teddy",
        source="openverse",
    )
    # what is mature and what has no address is left out
    assert [(f.title, f.licence) for f in found] == [
        ("Bear by the river", "CC BY-SA 2.0"),
        ("", "CC0 1.0"),
        ("Old plate", "Public Domain Mark 1.0"),
        ("Unnamed licence", "https://archive.example/terms"),
    ]


def test_openverse_is_not_asked_beyond_the_last_page_it_named_nor_has_more_there() -> None:
    fetcher = FakeFetcher(recorded("openverse"))
    service = Openverse(fetcher)
    assert service.search("bear", 3)
    assert service.search("bear", 4) == []
    assert len(fetcher.asked) == 1
    service.search("black bear", 4)
    assert len(fetcher.asked) == 2
    for beyond in (400, 401, 404):
        assert Openverse(FakeFetcher(error=refusal(beyond))).search("bear", 13) == []


def test_wikimedia_is_asked_for_scaled_bitmaps_and_names_maker_licence_and_page() -> None:
    fetcher = FakeFetcher(recorded("wikimedia"))
    found = Wikimedia(fetcher).search("bear", 3)
    assert fetcher.asked[0].startswith("https://commons.wikimedia.org/w/api.php?")
    values = fetcher.values
    assert values["gsrsearch"] == "bear filetype:bitmap"
    assert (values["gsrnamespace"], values["gsrlimit"], values["gsroffset"]) == ("6", "50", "100")
    assert {"url", "mime", "extmetadata"} <= set(values["iiprop"].split("|"))
    # other widths are refused: https://www.mediawiki.org/wiki/Common_thumbnail_sizes
    assert int(values["iiurlwidth"]) in {960, 1280, 1920}
    assert found[0] == Found(
        url="https://upload.wikimedia.example/thumb/a/aa/Grizzly%2C_standing_%282019%29.jpg/"
        "1280px-Grizzly%2C_standing_%282019%29.jpg",
        page="https://commons.wikimedia.example/wiki/File:Grizzly,_standing_(2019).jpg",
        licence="CC BY-SA 4.0",
        creator="Cleo Dahl & friends",
        title="Grizzly, standing (2019).jpg",
        query="bear",
        source="wikimedia",
    )
    assert (found[1].url, found[1].licence, found[1].creator) == (
        "https://upload.wikimedia.example/b/bb/Small_bear.png", "", "",
    )  # fmt: skip
    assert (found[2].licence, found[2].creator) == ("Public domain", "Unknown author")
    # in the order of the search, and no drawings
    assert [f.title for f in found[1:]] == ["Small bear.png", "Ursus in the fog.tif"]


def test_a_photo_that_wikimedia_cannot_scale_is_taken_as_it_is() -> None:
    answer = recorded("wikimedia")
    answer["query"]["pages"][1]["imageinfo"][0].update(thumburl="", thumberror="too large")
    found = Wikimedia(FakeFetcher(answer)).search("bear", 1)
    assert found[0].url == "https://upload.wikimedia.example/a/aa/Grizzly%2C_standing_%282019%29.jpg"


def test_wikimedia_says_inside_a_good_answer_that_it_is_busy_has_no_more_or_failed() -> None:
    for code in ("ratelimited", "maxlag", "cirrussearch-too-busy-error"):
        assert how_long(Wikimedia(FakeFetcher({"error": {"code": code, "info": "Later."}}))) is None
    answer = {"error": {"code": "badvalue"}, "batchcomplete": True}
    assert no_answer(Wikimedia(FakeFetcher(answer))) == "answered with the error 'badvalue'"
    assert Wikimedia(FakeFetcher({"batchcomplete": True})).search("zzzz", 1) == []


def test_html_becomes_the_words_it_shows() -> None:
    words = {
        "": "",
        "Ada": "Ada",
        "<p>Ada</p><p>Ben</p>": "Ada Ben",
        "Ada &lt;ada@example.org&gt;": "Ada <ada@example.org>",
        '<span style="DISPLAY:none"><b>x<br>y</b></span>Ada': "Ada",
        "<script>steal()</script>Ada": "Ada",
        "I <3 bears": "I <3 bears",
    }
    assert {html: strip_html(html) for html in words} == words


# DuckDuckGo, through ddgs itself with its HTTP layer replaced


class FakeWeb:
    """duckduckgo.com: the page with the token that every question needs, and the answers in JSON."""

    def __init__(self) -> None:
        self.page: tuple[int, str] = (200, "<script>vqd='4-11112222';</script>")
        self.answer: tuple[int, str] = (200, (ANSWERS / "duckduckgo.json").read_text(encoding="utf-8"))
        self.error: Exception | None = None
        self.asked: list[tuple[str, dict[str, str]]] = []

    def request(self, method: str, url: str, **kwargs: Any) -> SimpleNamespace:
        self.asked.append((url, kwargs["params"]))
        if self.error:
            raise self.error
        status, text = self.answer if url.endswith("/i.js") else self.page
        return SimpleNamespace(status_code=status, text=text, content=text.encode())


@pytest.fixture
def duckduckgo(monkeypatch: pytest.MonkeyPatch) -> FakeWeb:
    web = FakeWeb()
    monkeypatch.setattr(HttpClient, "request", lambda _, *args, **kwargs: web.request(*args, **kwargs))
    return web


def test_duckduckgo_gives_safe_pages_of_100_and_addresses_as_they_are(duckduckgo: FakeWeb) -> None:
    found = DuckDuckGo().search("grizzly bear", 3)
    assert [url for url, _ in duckduckgo.asked] == ["https://duckduckgo.com", "https://duckduckgo.com/i.js"]
    asked = {"q": "grizzly bear", "vqd": "4-11112222", "p": "1", "s": "200"}
    assert asked.items() <= duckduckgo.asked[1][1].items()
    assert found[0] == Found(
        url="https://photos.example/bears/grizzly%20at%20dawn%2C%20north.jpg?w=1600&h=1200",
        page="https://photos.example/walks/grizzly",
        title="A grizzly & her cubs at dawn",
        query="grizzly bear",
        source="duckduckgo",
    )
    # what has no address is left out
    assert [f.url for f in found[1:]] == ["http://river.example/IMG_0042.JPG"]


BUSY: list[dict[str, Any]] = [
    *({"answer": (status, "")} for status in (202, 403, 418, 429)),
    *({"page": (status, "<html>"), "answer": (200, "")} for status in (202, 403, 418, 429)),
    {"page": (200, "<html>Select all squares containing a duck</html>")},
    {"error": DDGSException("202 Ratelimit")},
    {"error": RatelimitException("patience")},
]


@pytest.mark.parametrize("how", BUSY)
def test_duckduckgo_being_busy_is_no_end_of_the_results(duckduckgo: FakeWeb, how: dict[str, Any]) -> None:
    vars(duckduckgo).update(how)
    assert how_long(DuckDuckGo()) is None
    assert duckduckgo.asked[-1][0] == f"https://duckduckgo.com{'/i.js' if list(how) == ['answer'] else ''}"


@pytest.mark.parametrize("query", ["bear", "peugeot 403"])
def test_duckduckgo_out_of_reach_is_told_from_one_that_is_busy(duckduckgo: FakeWeb, query: str) -> None:
    text = f"error sending request for url (https://duckduckgo.com/?q={query.replace(' ', '+')}) of {query}"
    duckduckgo.answer = (500, "")
    for error, words in (
        (TimeoutException("operation timed out"), "did not answer in time"),
        (DDGSException(text), "could not be reached"),
        (None, "answered 500"),
    ):
        duckduckgo.error = error
        with pytest.raises(UnreachableError, match=words):
            DuckDuckGo().search(query, 1)


def test_duckduckgo_without_results_has_no_more_and_odd_rows_spoil_nothing(duckduckgo: FakeWeb) -> None:
    duckduckgo.answer = (200, '{"results": [], "query": "zzzz"}')
    assert DuckDuckGo().search("zzzz", 1) == []
    rows = [None, 7, [], {"image": 7}, {"image": "https://a.example/1.jpg", "title": 7, "url": None}]
    duckduckgo.answer = (200, json.dumps({"results": rows}))
    [found] = DuckDuckGo().search("bear", 1)
    assert found == Found(url="https://a.example/1.jpg", query="bear", source="duckduckgo")
    duckduckgo.error = DDGSException("No results found.")
    assert DuckDuckGo().search("bear", 1) == []


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", "7", "{}", '{"results": null}', '{"results": {"a": 1}}', "[" * 100_000],
    ids=range(8),
)
def test_what_duckduckgo_answers_is_checked(duckduckgo: FakeWeb, body: str) -> None:
    duckduckgo.answer = (200, body)
    assert no_answer(DuckDuckGo()) == NO_LIST


def test_no_other_engine_stands_in_for_duckduckgo(
    duckduckgo: FakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ENGINES["images"], "duckduckgo")
    assert "not offered by this version of ddgs" in no_answer(DuckDuckGo())
    assert duckduckgo.asked == []


def test_no_proxy_is_taken_from_ddgs_s_variable(duckduckgo: FakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    proxies: list[str | None] = []
    client = primp.Client
    monkeypatch.setattr(primp, "Client", lambda **k: (proxies.append(k["proxy"]), client(**k))[1])
    monkeypatch.setenv("DDGS_PROXY", "http://127.0.0.1:9")
    DuckDuckGo().search("bear", 1)
    assert proxies == [None]


# The forerunner of ddgs; it is not installed here, so a package with its signature stands for it

OLD = """
import warnings
from .exceptions import *

class DDGS:
    error = None
    calls = []

    def __init__(self, headers=None, proxy=None, proxies=None, timeout=10, verify=True):
        warnings.simplefilter("always")
        warnings.warn("has been renamed to `ddgs`", RuntimeWarning, stacklevel=2)

    def images(self, keywords, region="us-en", safesearch="moderate", timelimit=None, size=None, color=None,
               type_image=None, layout=None, license_image=None, max_results=None):
        self.calls.append((keywords, safesearch, max_results))
        if self.error:
            raise self.error
        return [{"title": f"Bear {n}", "image": f"https://a.example/{n}.jpg", "url": "https://a.example/"}
                for n in range(min(max_results, 250))]
"""
OLD_ERRORS = """
class DuckDuckGoSearchException(Exception): pass
class RatelimitException(DuckDuckGoSearchException): pass
class TimeoutException(DuckDuckGoSearchException): pass
"""


@pytest.fixture
def forerunner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    folder = tmp_path / "old" / "duckduckgo_search"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(OLD, encoding="utf-8")
    (folder / "exceptions.py").write_text(OLD_ERRORS, encoding="utf-8")
    for name in ("ddgs", "ddgs.engines"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.syspath_prepend(folder.parent)
    import duckduckgo_search

    yield duckduckgo_search
    for name in [n for n in sys.modules if n.startswith("duckduckgo_search")]:
        del sys.modules[name]


def test_the_old_package_serves_in_its_place(forerunner: Any, recwarn: pytest.WarningsRecorder) -> None:
    pages = [DuckDuckGo().search("bear", page) for page in (1, 2, 3, 4)]
    assert [len(p) for p in pages] == [100, 100, 50, 0]
    assert len({f.url for p in pages for f in p}) == 250
    assert forerunner.DDGS.calls[0] == ("bear", "on", 100)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("error", "text", "reason"),
    [
        ("RatelimitException", "https://duckduckgo.com/i.js 301 Ratelimit", None),
        ("DuckDuckGoSearchException", "https://duckduckgo.com/i.js 202 Ratelimit", None),
        ("TimeoutException", "https://duckduckgo.com timed out", "did not answer in time"),
        ("DuckDuckGoSearchException", "https://duckduckgo.com/?q=bear+429 return None.", "could not be reached"),
        ("KeyError", "title", NO_LIST),  # it trips over an answer
    ],
)  # fmt: skip
def test_errors_of_the_old_package_are_understood(
    forerunner: Any, monkeypatch: pytest.MonkeyPatch, error: str, text: str, reason: str | None
) -> None:
    kind = getattr(forerunner.exceptions, error, KeyError)
    monkeypatch.setattr(forerunner.DDGS, "error", kind(text))
    if reason is None:
        assert how_long(DuckDuckGo()) is None
    else:
        assert reason in no_answer(DuckDuckGo())


def test_without_either_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ddgs", "ddgs.engines", "duckduckgo_search"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[search\]"):
        DuckDuckGo().search("bear", 1)


def test_a_text_file_holds_one_url_a_line(tmp_path: Path) -> None:
    path = tmp_path / "bears.txt"
    urls = ["https://a.example/1.jpg#top", "http://b.example/2.jpg", "no address"]
    path.write_bytes(b"\xef\xbb\xbf# my bears\r\n%s\r\n\r\n  %s  \r\n%s\r\n" % tuple(map(str.encode, urls)))
    service = UrlList(path, "grizzly")
    assert service.search("ignored", 1) == [Found(url=url, source="bears.txt") for url in urls]
    assert service.search("ignored", 2) == []


@pytest.mark.parametrize(("mark", "end"), [(",", "\r\n"), (";", "\n"), ("\t", "\r")])
def test_a_table_gives_the_rows_of_the_class_with_what_is_known(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "bears.CSV"
    rows = [
        ["Title", " URL ", "label", "page", "license", "creator", "seen"],
        ["Big one", '"https://a.example/1,2;3.jpg"', "Grizzly", "https://a.example/", "CC BY 4.0", "Ada", "2020"],
        ["Other", "https://a.example/2.jpg", "black", "", "", "", ""],
        ["No address", "", "", "", "", "", ""],
        ["Short", "not a url", " grizzly "],
    ]  # fmt: skip
    path.write_bytes(b"\xef\xbb\xbf" + end.join(mark.join(row) for row in rows).encode())
    big, short = UrlList(path, "grizzly").search("", 1)
    assert big == Found(
        "https://a.example/1,2;3.jpg", "https://a.example/", "CC BY 4.0", "Ada", "Big one", source="bears.CSV"
    )
    assert short == Found("not a url", title="Short", source="bears.CSV")
    # without labels, all are of one class
    path.write_text("url,licence\nhttps://a.example/1.jpg,CC0 1.0\n")
    [found] = UrlList(path, "grizzly").search("", 1)
    assert found.licence == "CC0 1.0"


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("gone.txt", None, "gone.txt cannot be read"),
        ("bears.xlsx", b"PK", r"has to end in \.txt or \.csv"),
        ("bears.csv", b"", "line 1: there is no column url"),
        ("bears.csv", b"address,label\nhttps://a.example/1.jpg,x\n", "line 1.*no column url, but address, label"),
        ("bears.csv", b"url,label\nhttps://a.example/1.jpg,a\nhttps://a.example/2.jpg,\n", "line 3: the label is"),
        ("bears.csv", b'url\nhttps://a.example/1.jpg\n"https://a.example/2.jpg\nhttps://a.example/3.jpg\n', "no CSV"),
    ],
)  # fmt: skip
def test_a_useless_list_is_named_with_the_line(
    tmp_path: Path, name: str, data: bytes | None, told: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=told) as caught:
        UrlList(path, "a").search("", 1)
    assert str(path) in str(caught.value)


def test_every_service_is_built_by_its_name() -> None:
    assert SERVICES == ("duckduckgo", "openverse", "wikimedia")
    with Fetcher() as fetcher:
        assert tuple(build_service(name, fetcher).name for name in SERVICES) == SERVICES
        with pytest.raises(UsageError, match="duckduckgo, openverse, wikimedia"):
            build_service("bing", fetcher)


def test_services_ask_a_server_and_hear_what_it_says(web: Web, rule: AddressRule, kind: Any) -> None:
    answer = (ANSWERS / f"{kind.name}.json").read_bytes()
    with Fetcher(rule) as fetcher:
        service = kind(fetcher, address=web.add("/api", status(200, {}, answer)))
        assert len(service.search("grizzly & 50% ähnlich + teddy|#1", 1)) >= 3
        [asked] = [v[0] for k, v in parse_qs(web.hits[0].query).items() if k in ("q", "gsrsearch")]
        assert asked.startswith("grizzly & 50% ähnlich + teddy|#1")
        web.add("/api", limited(1, 41, b""))
        assert how_long(service) == 41.0
