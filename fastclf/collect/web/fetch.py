"""Fetching from the public web: bounded in bytes, time and redirects, and never from our own network."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpcore2

from .addresses import AddressRule
from .failures import FetchError, describe_size, describe_status, explained, is_number
from .part_file import PartFile
from .timed import Clock, TimedBackend

# Chosen, not measured: each is checked, and takes of the photo's time.
MAX_REDIRECTS = 5
USER_AGENT = "fastclf (+https://github.com/fastclf/fastclf)"
PHOTOS = "image/jpeg,image/png,image/webp;q=0.9,image/*;q=0.8,*/*;q=0.5"
# The longest time for one try of a file.
_FILE_SECONDS = 12 * 3600.0
# Seconds between the tries of a file that breaks off, and the most that a server may ask for: a person waits.
_PAUSES = (1.0, 2.0, 4.0, 8.0)
_MOST_PAUSE = 60.0


class Fetcher:
    """A client for the public web; threads may share it.

    It follows redirects, checking each hop as it checks the first address, connects to no other address than
    the checked one, keeps no cookies, and takes no proxy from the environment.

    Parameters
    ----------
    rule
        What may be fetched.

    Attributes
    ----------
    stop
        Ends what is being fetched when it is set.
    """

    def __init__(self, rule: AddressRule | None = None) -> None:
        self.stop = threading.Event()
        self._rule = rule or AddressRule()
        self._clock = Clock(self.stop)
        # one for all connections; a pool would make one for each
        self._ssl_context = httpcore2.default_ssl_context()
        # a pool a thread: threads that share one spend a third of their time waiting for its lock
        self._of_thread = threading.local()
        self._pools: list[httpcore2.ConnectionPool] = []

    def _pool(self) -> httpcore2.ConnectionPool:
        if not hasattr(self._of_thread, "pool"):
            self._of_thread.pool = httpcore2.ConnectionPool(
                max_connections=None,
                max_keepalive_connections=4,
                keepalive_expiry=10.0,
                network_backend=TimedBackend(self._clock, self._rule.resolve),
                ssl_context=self._ssl_context,
            )
            self._pools.append(self._of_thread.pool)
        pool: httpcore2.ConnectionPool = self._of_thread.pool
        return pool

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools:
            pool.close()

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        seconds: float,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Fetch an address into memory; `headers` go along to every hop.

        The time limit is for all from the look-up of the host to the last byte, redirects included.

        Raises
        ------
        FetchError
            If it is refused, cannot be reached, or does not answer with 200 to 299.
        StoppedError
            If the stop event is set.
        """
        with self._limited(seconds), self._open(url, {"Accept": accept, **(headers or {})}) as response:
            return b"".join(_read(response, max_bytes))

    def save(
        self,
        url: str,
        path: Path,
        *,
        max_bytes: int,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        """Fetch an address into a file, which appears when it is complete.

        What an earlier call left in ``NAME.part`` is continued where the server allows it and the file there
        did not change. `progress` is called with (bytes so far, all bytes or None).

        Raises
        ------
        FetchError, StoppedError
            As `get`.
        OSError
            If the file cannot be written.
        """
        part = PartFile(path)
        for pause in (*_PAUSES, None):
            try:
                with self._limited(_FILE_SECONDS):
                    self._continue(url, part, max_bytes, progress)
                return part.finish()
            except FetchError as e:
                if not e.soon or pause is None:
                    raise
                self.stop.wait(max(pause, min(e.retry_after or 0.0, _MOST_PAUSE)))

    def _continue(
        self, url: str, part: PartFile, max_bytes: int, progress: Callable[[int, int | None], None] | None
    ) -> None:
        with contextlib.ExitStack() as stack:
            try:
                response = stack.enter_context(self._open(url, part.ask()))
            except FetchError as e:
                if e.status == 416:  # the file is shorter now
                    part.forget()
                    raise FetchError(e.reason, lasting=False, soon=True) from None
                raise
            found = _fold(response)
            have, total = part.begin(response.status, found)
            with part.open(have) as write:
                for chunk in _read(response, max_bytes, have):
                    write(chunk)
                    have += len(chunk)
                    if progress:
                        progress(have, total)
            if total is not None and have < total:  # a server may send less than it was asked for
                raise FetchError("was cut off on its way", lasting=False, soon=True)

    @contextlib.contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        with explained(seconds), self._clock.run(seconds):
            yield

    @contextlib.contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator[httpcore2.Response]:
        """Yield the answer of an address after its redirects, with a status of 200 to 299."""
        for _ in range(MAX_REDIRECTS + 1):
            parts = self._rule.split(url)
            address = urlunsplit(parts)
            with self._pool().stream(
                "GET", address, headers=_build_headers(parts.netloc, headers)
            ) as response:
                found = _fold(response)
                if response.status in (301, 302, 303, 307, 308) and found.get("location"):
                    url = _follow(address, found["location"])
                    continue
                if not 200 <= response.status < 300:
                    raise describe_status(response.status, found)
                yield response
                return
        raise FetchError("is redirected more than {n} times", n=MAX_REDIRECTS, lasting=True)


def _build_headers(host: str, headers: Mapping[str, str]) -> list[tuple[bytes | str, bytes | str]]:
    usual = {"Host": host, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Accept": "*/*"}
    return list({**usual, **headers}.items())


def _follow(address: str, location: str) -> str:
    try:
        # headers are bytes; what is no ASCII in an address is UTF-8
        url = urljoin(address, location.encode("latin-1").decode("utf-8", "replace").strip())
        scheme = urlsplit(url).scheme
    except ValueError:
        raise FetchError("is redirected to what is no address", lasting=True) from None
    if address.startswith("https:") and scheme == "http":
        raise FetchError("is redirected from https to plain http", lasting=True)
    return url


def _fold(response: httpcore2.Response) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, value in response.headers
    }


def _read(response: httpcore2.Response, max_bytes: int, have: int = 0) -> Iterator[bytes]:
    """Yield the body; with the `have` bytes that came before it may be so long."""
    headers = _fold(response)
    length = headers.get("content-length", "")
    if is_number(length) and have + int(length) > max_bytes:
        raise FetchError(describe_size(have + int(length), max_bytes), lasting=True)
    if headers.get("content-encoding", "identity") not in ("", "identity"):
        encoding = headers["content-encoding"][:20]
        raise FetchError("came compressed ({encoding}) unasked", encoding=encoding, lasting=True)
    got = have
    for chunk in response.iter_stream():
        got += len(chunk)
        if is_number(length) and got - have == int(length):
            response.extensions["network_stream"].end_after(int(length))
        if got > max_bytes:
            raise FetchError(describe_size(None, max_bytes), lasting=True)
        yield chunk
