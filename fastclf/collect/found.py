"""What a search finds, and what a search service is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# The search services, the preferred first.
SERVICES = ("duckduckgo", "openverse", "wikimedia")


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
        """Return one page of results; an empty one means that there are no more.

        Parameters
        ----------
        query
            The words.
        page
            Counted from 1.

        Raises
        ------
        LimitedError
            If the service wants to be left in peace for a while.
        UnreachableError
            If it cannot be reached, or answers with what is no answer.
        """
        ...


class LimitedError(Exception):
    """A search service wants to be left in peace for a while.

    Parameters
    ----------
    service
        Its name.
    retry_after
        Seconds, where it said how long.
    """

    def __init__(self, service: str, retry_after: float | None = None) -> None:
        super().__init__(f"{service} asks for patience")
        self.service = service
        self.retry_after = retry_after


class UnreachableError(Exception):
    """A search service cannot be reached, or does not answer as it should.

    Parameters
    ----------
    service
        Its name.
    reason
        A clause ("answered 503 (service unavailable)").
    """

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service} {reason}")
        self.service = service
        self.reason = reason
