"""DuckDuckGo's search for pictures, through the package ddgs or its forerunner duckduckgo_search."""

from __future__ import annotations

import html
import importlib
import json
import re
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...errors import MissingExtraError
from ...system import advise_install
from ..web import Fetcher
from .json_api import NO_LIST, read_text
from .service import Found, LimitedError, UnreachableError

_NAME = "duckduckgo"
# Statuses that DuckDuckGo answers with when it was asked too often; 202 is its page with a puzzle for people.
_BUSY = frozenset({202, 403, 418, 429, 503})
_BUSY_TEXT = re.compile(r"\b(202|403|418|429)\b|ratelimit|could not extract vqd", re.IGNORECASE)
_ADDRESS = re.compile(r"\S+://\S+")
_SECONDS = 15
_PAGE_SIZE = 100
_OLD_PAGES = 5


class DuckDuckGo:
    """Photos from the whole web, with strict safe search; nobody says under which licence they are.

    Only DuckDuckGo is asked: ddgs would also ask Bing, whose safe search it does not switch on. Its client is
    ddgs's own, which looks like a browser's; the fetcher is not asked.
    """

    name = _NAME

    def __init__(self, fetcher: Fetcher | None = None) -> None:
        pass

    def search(self, query: str, page: int) -> list[Found]:
        """Return one page of results, up to 100; see `SearchService`.

        duckduckgo_search goes no further than page 5, and asks for the pages before once more.

        Raises
        ------
        MissingExtraError
            If neither ddgs nor duckduckgo_search is installed.
        """
        rows = _ask(query, page)
        if not isinstance(rows, list):
            raise UnreachableError(_NAME, NO_LIST)
        return [found for row in rows if isinstance(row, dict) and (found := _read(row, query)).url]


def _ask(query: str, page: int) -> object:
    for module, ask in (("ddgs.engines", _ask_ddgs), ("duckduckgo_search", _ask_old)):
        try:
            package = importlib.import_module(module)
        except ImportError:
            continue
        return ask(package, query, page)
    raise MissingExtraError(
        "Searching DuckDuckGo needs the package ddgs, which is not installed. Run `{install}`.",
        install=advise_install("search"),
    )


def _ask_ddgs(engines: ModuleType, query: str, page: int) -> object:
    """Ask ddgs's engine itself.

    ``DDGS().images`` says "No results found" also of a refusal and of a slow answer, takes a proxy from
    DDGS_PROXY, and asks Bing where the engine is switched off.
    """
    errors = importlib.import_module("ddgs.exceptions")
    try:
        engine = engines.ENGINES["images"]["duckduckgo"](timeout=_SECONDS)
        engine.http_client.request = _refuse_statuses(engine.http_client.request)
    except (AttributeError, KeyError, TypeError):
        reason = "is not offered by this version of ddgs; `pip install -U ddgs` may help"
        raise UnreachableError(_NAME, reason) from None
    # its own reading unquotes addresses ("%20" becomes "+"), and many of them then lead nowhere
    engine.extract_results = json.loads
    try:
        answer = engine.search(query, safesearch="on", page=page)
    except errors.DDGSException as e:
        return _read_error(e, query)
    except (ValueError, RecursionError):
        raise UnreachableError(_NAME, NO_LIST) from None
    return answer.get("results") if isinstance(answer, dict) else None


def _refuse_statuses(request: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **kwargs: Any) -> Any:
        response = request(*args, **kwargs)
        if response.status_code in _BUSY:
            raise LimitedError(_NAME)
        if response.status_code != 200:
            raise UnreachableError(_NAME, f"answered {response.status_code}")
        return response

    return checked


def _ask_old(package: ModuleType, query: str, page: int) -> object:
    if page > _OLD_PAGES:
        return []
    errors = importlib.import_module(f"{package.__name__}.exceptions")
    with warnings.catch_warnings(record=True):  # it announces its new name, whatever the filters say
        client = package.DDGS(timeout=_SECONDS)
    try:
        rows = client.images(query, safesearch="on", max_results=_PAGE_SIZE * page)
    except errors.DuckDuckGoSearchException as e:
        return _read_error(e, query)
    except (AttributeError, KeyError, TypeError, ValueError):  # it reads answers unchecked
        raise UnreachableError(_NAME, NO_LIST) from None
    return rows[_PAGE_SIZE * (page - 1) :] if isinstance(rows, list) else None


def _read_error(error: Exception, query: str) -> list[object]:
    """Return no results where an error says just that; raise what it means otherwise."""
    kind = type(error).__name__
    if kind == "TimeoutException":
        raise UnreachableError(_NAME, "did not answer in time") from None
    # addresses hold numbers, and the words searched for may be "peugeot 403"
    text = _ADDRESS.sub("", str(error)).replace(query, "")
    if kind == "RatelimitException" or _BUSY_TEXT.search(text):
        raise LimitedError(_NAME) from None
    if "no results" in text.lower():
        return []
    cause = type(error.__cause__ or error).__name__
    raise UnreachableError(_NAME, f"could not be reached ({cause})") from None


def _read(row: dict[str, Any], query: str) -> Found:
    return Found(
        url=read_text(row.get("image")),
        page=read_text(row.get("url")),
        title=read_text(html.unescape(read_text(row.get("title")))),
        query=query,
        source=_NAME,
    )
