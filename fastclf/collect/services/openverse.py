"""Openverse: openly licensed photos of Flickr, museums and Wikimedia, with their licences."""

from __future__ import annotations

from typing import Any

from ..web import Fetcher
from .json_api import NO_LIST, ask_json, read_text
from .service import Found, UnreachableError

ADDRESS = "https://api.openverse.org/v1/images/"
# The most that those get who did not register.
_PAGE_SIZE = 20
# What it answers to a page beyond the last one that it shows.
_BEYOND = (400, 401, 404)
_MARKS = {"cc0": "CC0", "pdm": "Public Domain Mark"}


class Openverse:
    """Openly licensed photos, without those marked as mature.

    Who did not register may ask 20 times a minute and 200 times a day, and sees some 240 photos of a query.
    """

    name = "openverse"

    def __init__(self, fetcher: Fetcher, *, address: str = ADDRESS) -> None:
        self._fetcher = fetcher
        self._address = address
        self._last_page: dict[str, int] = {}

    def search(self, query: str, page: int) -> list[Found]:
        """Return one page of results, up to 20; see `SearchService`."""
        if page > self._last_page.get(query, page):
            return []
        answer = ask_json(
            self._fetcher,
            self.name,
            self._address,
            {"q": query, "page": page, "page_size": _PAGE_SIZE, "mature": "false"},
            _BEYOND if page > 1 else (),
        )
        if answer is None:
            return []
        rows = answer.get("results")
        if not isinstance(rows, list):
            raise UnreachableError(self.name, NO_LIST)
        if isinstance(answer.get("page_count"), int):
            self._last_page[query] = answer["page_count"]
        return [found for row in rows if isinstance(row, dict) and (found := self._read(row, query))]

    def _read(self, row: dict[str, Any], query: str) -> Found | None:
        url = read_text(row.get("url"))
        if not url or row.get("mature"):
            return None
        return Found(
            url=url,
            page=read_text(row.get("foreign_landing_url")),
            licence=_name_licence(row),
            creator=read_text(row.get("creator")),
            title=read_text(row.get("title")),
            query=query,
            source=self.name,
        )


def _name_licence(row: dict[str, Any]) -> str:
    """Return a licence as people write it: "CC BY-SA 2.0" for ("by-sa", "2.0")."""
    code = read_text(row.get("license")).lower()
    if not code:
        return read_text(row.get("license_url"))
    name = _MARKS.get(code, f"CC {code.upper()}")
    return f"{name} {read_text(row.get('license_version'))}".rstrip()
