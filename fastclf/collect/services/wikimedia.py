"""Wikimedia Commons: photos with their licences and their makers."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from ..web import Fetcher
from .json_api import NO_LIST, ask_json, read_text
from .service import Found, LimitedError, UnreachableError

ADDRESS = "https://commons.wikimedia.org/w/api.php"
# No more photos are scaled for one question.
_PAGE_SIZE = 50
# One of the widths that Wikimedia keeps; others are refused (https://www.mediawiki.org/wiki/Common_thumbnail_sizes).
_WIDTH = 1280
_PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/tiff", "image/bmp"})
_BUSY = frozenset({"ratelimited", "maxlag", "cirrussearch-too-busy-error"})
_VOID = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_BLOCKS = frozenset({"br", "p", "div", "li", "td", "tr"})


class Wikimedia:
    """Photos of Wikimedia Commons, scaled down on its side where they are wider than 1,280 pixels.

    It has no safe search: what Commons keeps for encyclopedias is found here, medical photos and nudes too.
    """

    name = "wikimedia"

    def __init__(self, fetcher: Fetcher, *, address: str = ADDRESS) -> None:
        self._fetcher = fetcher
        self._address = address

    def search(self, query: str, page: int) -> list[Found]:
        """Return one page of results, up to 50; see `SearchService`."""
        answer = ask_json(self._fetcher, self.name, self._address, _build_question(query, page)) or {}
        if "error" in answer:
            raise self._describe(answer["error"])
        if "query" not in answer and "batchcomplete" in answer:
            return []
        asked = answer.get("query")
        pages = asked.get("pages") if isinstance(asked, dict) else None
        if not isinstance(pages, list):
            raise UnreachableError(self.name, NO_LIST)
        rows = sorted((p for p in pages if isinstance(p, dict)), key=_get_index)
        return [found for row in rows if (found := self._read(row, query))]

    def _read(self, row: dict[str, Any], query: str) -> Found | None:
        infos = row.get("imageinfo")
        info = infos[0] if isinstance(infos, list) and infos else None
        if not isinstance(info, dict) or read_text(info.get("mime")) not in _PHOTOS:
            return None
        # equal to the address of the photo itself where that is no wider
        url = read_text(info.get("thumburl")) or read_text(info.get("url"))
        if not url:
            return None
        return Found(
            url=url,
            page=read_text(info.get("descriptionurl")),
            licence=_read_value(info, "LicenseShortName") or _read_value(info, "LicenseUrl"),
            creator=_read_value(info, "Artist"),
            title=read_text(row.get("title")).removeprefix("File:"),
            query=query,
            source=self.name,
        )

    def _describe(self, error: object) -> LimitedError | UnreachableError:
        code = read_text(error.get("code")) if isinstance(error, dict) else ""
        if code in _BUSY:
            return LimitedError(self.name)
        return UnreachableError(self.name, f"answered with the error {code[:60]!r}" if code else NO_LIST)


def strip_html(text: str) -> str:
    """Return the words that a piece of HTML shows.

    Examples
    --------
    >>> strip_html('<a href="//example.org">Ada &amp; Ben</a><span style="display: none">Ada</span>')
    'Ada & Ben'
    """
    reader = _Words()
    reader.feed(text)
    reader.close()
    return read_text("".join(reader.words))


class _Words(HTMLParser):
    """Collects what is shown; Commons hides words for machines in elements that are not displayed."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.words.append(" ")
        style = (dict(attrs).get("style") or "").replace(" ", "").lower()
        if tag not in _VOID and (self._hidden or tag in ("style", "script") or "display:none" in style):
            self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.words.append(" ")
        if tag not in _VOID and self._hidden:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _build_question(query: str, page: int) -> dict[str, str | int]:
    return {
        "action": "query",
        "format": "json",
        "formatversion": 2,
        "generator": "search",
        "gsrsearch": f"{query} filetype:bitmap",
        "gsrnamespace": 6,  # files
        "gsrlimit": _PAGE_SIZE,
        "gsroffset": (page - 1) * _PAGE_SIZE,
        "prop": "imageinfo",
        "iiprop": "url|size|mime|extmetadata",
        "iiextmetadatafilter": "LicenseShortName|LicenseUrl|Artist",
        "iiurlwidth": _WIDTH,
    }


def _get_index(row: dict[str, Any]) -> float:
    """Return the place among the results; the pages themselves come in the order of their numbers."""
    index = row.get("index")
    return index if isinstance(index, int) else float("inf")


def _read_value(info: dict[str, Any], key: str) -> str:
    values = info.get("extmetadata")
    entry = values.get(key) if isinstance(values, dict) else None
    value = entry.get("value") if isinstance(entry, dict) else None
    return strip_html(value) if isinstance(value, str) else ""
