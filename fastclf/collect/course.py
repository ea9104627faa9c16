"""The course's three calls, under its names, for notebooks: search, download, verify."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from ..errors import MissingExtraError, SearchError, UnreadablePhotoError, UsageError
from ..photos import MAX_FOLDER_BYTES, decode_photo
from .labelling import is_class_name
from .run import collect_urls
from .services import SERVICES, Found, LimitedError, SearchService, UnreachableError, UrlList, build_service
from .summary import CollectSummary
from .web import AddressRule, Fetcher

# The most pages of one search, as in a recipe's run.
_PAGES = 20


class FoundUrl(str):
    """The address of a photo, which is a text, with what is known of the photo in `found`."""

    __slots__ = ("found",)
    found: Found

    def __new__(cls, found: Found) -> Self:
        """Make a text of what was found."""
        text = super().__new__(cls, found.url)
        text.found = found
        return text

    def __reduce__(self) -> tuple[type[FoundUrl], tuple[Found]]:
        """Copy and pickle with what is known."""
        return FoundUrl, (self.found,)


class Failures(list[Path]):
    """Files that are no usable photos; `reasons` says why, and `map` calls a function with each."""

    def __init__(self, found: Iterable[tuple[Path, str]]) -> None:
        pairs = list(found)
        super().__init__(path for path, _ in pairs)
        self.reasons = dict(pairs)

    def map(self, function: Callable[[Path], Any]) -> list[Any]:
        """Call a function with each file."""
        return [function(path) for path in self]


def search_images(
    term: str,
    max_images: int = 200,
    *,
    services: Sequence[SearchService] | None = None,
    rule: AddressRule | None = None,
) -> list[FoundUrl]:
    """Return the addresses of photos that a search finds; the next service is asked where one has no more.

    Parameters
    ----------
    term
        What to search for.
    max_images
        The most addresses.
    services
        The services, the preferred first; by default DuckDuckGo, Openverse and Wikimedia Commons.
    rule
        What may be fetched.

    Returns
    -------
    list of FoundUrl
        Texts; what is known of each photo, its licence for example, is in its `found`.

    Raises
    ------
    SearchError
        If no service could be used.

    Examples
    --------
    >>> urls = search_images("grizzly bear", max_images=50)  # doctest: +SKIP
    >>> urls[0].found.licence  # doctest: +SKIP
    'CC BY 2.0'
    """
    with Fetcher(rule) as fetcher:
        if services is None:
            services = [build_service(name, fetcher) for name in SERVICES]
        found, lost = _search_in_turn(services, term, max_images)
    if not found and lost:
        raise SearchError(
            "No search service could be used ({lost}). Wait a little, check the network, or take "
            "addresses from a file: download_images(dest, url_file=...).",
            lost="; ".join(lost),
        )
    return [FoundUrl(one) for one in found[:max_images]]


def _search_in_turn(services: Sequence[SearchService], term: str, most: int) -> tuple[list[Found], list[str]]:
    """Return what services find, each of them what those before lack, and why some could not be used."""
    found: dict[str, Found] = {}
    lost = []
    for service in services:
        try:
            _read_pages(service, term, most, found)
        except (LimitedError, UnreachableError, MissingExtraError) as e:
            lost.append(str(e).rstrip("."))
        if len(found) >= most:
            break
    return list(found.values()), lost


def _read_pages(service: SearchService, term: str, most: int, found: dict[str, Found]) -> None:
    for page in range(1, _PAGES + 1):
        results = service.search(term, page)
        new = [one for one in results if one.url not in found]
        found.update({one.url: one for one in new})
        if not new or len(found) >= most:
            return


def download_images(
    dest: str | Path,
    url_file: str | Path | None = None,
    urls: Iterable[str] | None = None,
    max_pics: int = 1000,
    n_workers: int = 16,
    timeout: float = 30.0,
    preserve_filename: bool = False,
    *,
    max_size: int = 640,
    rule: AddressRule | None = None,
    bars: bool | None = None,
) -> CollectSummary:
    """Download photos into a class folder; each address ends in a row of the report.

    Its class is the folder's name, and the catalog lies in the folder above, as if ``fastclf collect`` had
    done it: calling it again continues, and no picture is stored twice.

    Parameters
    ----------
    dest
        The class folder, ``photos/bears/grizzly`` for example.
    url_file
        A text file with an address a line, or a CSV table with the column ``url``; or:
    urls
        The addresses; those of `search_images` bring their licences along.
    max_pics
        The most addresses to take.
    n_workers
        Requests at once.
    timeout
        The longest time for one photo, in seconds.
    preserve_filename
        Taken for the course's sake; names are always made of content hashes, so that none collide.
    max_size
        The longer side of what is stored, in pixels.
    rule
        What may be fetched.
    bars
        Whether to show a progress bar; None shows it on a terminal and in a notebook.

    Returns
    -------
    CollectSummary
        What became of every address.

    Raises
    ------
    UsageError
        If neither addresses nor a file are given, the file is not usable, or `dest` is no class folder.

    Examples
    --------
    >>> download_images("photos/bears/grizzly", urls=search_images("grizzly bear"))  # doctest: +SKIP
    """
    folder = Path(dest).absolute()
    if not is_class_name(folder.name) or folder.parent.resolve() in (Path.cwd(), Path.home(), Path("/")):
        raise UsageError(
            "{dest} is no class folder in a folder of photos. Name one like photos/bears/grizzly.", dest=dest
        )
    found = _read_addresses(url_file, urls, folder.name)[:max_pics]
    changes = {"parallel": max(1, n_workers), "seconds": timeout, "largest_side": max_size}
    return collect_urls(folder, [asdict(one) for one in found], rule=rule, bars=bars, **changes)


def _read_addresses(url_file: str | Path | None, urls: Iterable[str] | None, label: str) -> list[Found]:
    if urls is not None:
        urls = [urls] if isinstance(urls, str) else urls
        return [u.found if isinstance(u, FoundUrl) else Found(str(u), source="list") for u in urls]
    if url_file is not None:
        return UrlList(url_file, label).search("", 1)
    raise UsageError("download_images needs urls=... or url_file=...; search_images returns addresses.")


def verify_images(fns: Iterable[str | Path]) -> Failures:
    """Return the files that are no usable photos; nothing is deleted.

    Parameters
    ----------
    fns
        The files.

    Returns
    -------
    Failures
        A list of paths; its `reasons` says of each why, and `map` calls a function with each.

    Examples
    --------
    >>> failed = verify_images(["photos/bears/teddy/000.png", "labels.csv"])
    >>> [str(file) for file in failed]
    ['labels.csv']
    >>> failed.reasons[failed[0]]
    'is text, not a photo'
    """
    files = [Path(fn) for fn in fns]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        reasons = list(pool.map(_find_fault, files))
    return Failures((file, reason) for file, reason in zip(files, reasons, strict=True) if reason)


def _find_fault(file: Path) -> str:
    try:
        decode_photo(file, max_bytes=MAX_FOLDER_BYTES)
    except UnreadablePhotoError as e:
        return e.reason
    return ""
