"""What a search service is, what it finds, and the services that there are, by name.

A new service is a file beside this one, with a class that is built with a `Fetcher` and has the name and the
method of `SearchService`, and a line in `_CLASSES`. Recipes, the command and the page know it by then.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...errors import UsageError

if TYPE_CHECKING:
    from ..web import Fetcher

# {name: file and class}, the preferred first. They are texts, so that reading a recipe loads none of them.
_CLASSES = {
    "duckduckgo": "duckduckgo:DuckDuckGo",
    "openverse": "openverse:Openverse",
    "wikimedia": "wikimedia:Wikimedia",
}
SERVICES = tuple(_CLASSES)


@dataclass(frozen=True)
class Found:
    """A photo that a search found, or that a list names.

    Attributes
    ----------
    url
        The photo's address.
    page
        The page that shows it, or "".
    licence
        What its licence is called ("CC BY-SA 4.0"), or "" where nobody says.
    creator, title
        Who made it and what it is called, or "".
    query
        What was searched for.
    source
        The name of the service or list that it comes from.
    """

    url: str
    page: str = ""
    licence: str = ""
    creator: str = ""
    title: str = ""
    query: str = ""
    source: str = ""


class SearchService(Protocol):
    """A way to find photos by words."""

    name: str

    def search(self, query: str, page: int) -> list[Found]:
        """Return one page of results, counted from 1; an empty one means that there are no more.

        Raises
        ------
        LimitedError
            If the service wants to be left in peace for a while.
        UnreachableError
            If it cannot be reached, or answers with what is no answer.
        """
        ...


class LimitedError(Exception):
    """A search service wants to be left in peace: for `retry_after` seconds, where it said how long."""

    def __init__(self, service: str, retry_after: float | None = None) -> None:
        super().__init__(f"{service} asks for fewer requests")
        self.service = service
        self.retry_after = retry_after


class UnreachableError(Exception):
    """A search service cannot be reached or does not answer as it should; `reason` is a clause."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service} {reason}")
        self.service = service
        self.reason = reason


def build_service(name: str, fetcher: Fetcher) -> SearchService:
    """Return the service of that name, which asks with `fetcher`.

    Raises
    ------
    UsageError
        If there is no service of that name.
    """
    if name not in _CLASSES:
        known = ", ".join(SERVICES)
        raise UsageError("There is no search service {name!r}. There is: {known}.", name=name, known=known)
    service: SearchService = pkgutil.resolve_name(f"{__package__}.{_CLASSES[name]}")(fetcher)
    return service
