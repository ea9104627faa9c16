"""Fetching from the public web: bounded in bytes, time and redirects, and never from our own network."""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpcore2

from .addresses import AddressRule, RefusedAddressError, UnknownHostError
from .timed import Clock, StoppedError, TimedBackend, TimeIsUpError

__all__ = ["Answer", "FetchError", "Fetcher", "StoppedError"]

MAX_REDIRECTS = 5
USER_AGENT = "fastclf (+https://github.com/fastclf/fastclf)"
PHOTOS = "image/jpeg,image/png,image/webp;q=0.9,image/*;q=0.8,*/*;q=0.5"
# Seconds between the tries of a file that breaks off.
_PAUSES = (1.0, 2.0, 4.0, 8.0)
_MAX_REST = 24 * 3600.0
# Statuses after which another try may go well.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Answer:
    """What a server sent.

    Attributes
    ----------
    url
        The address that answered, after redirects.
    status
        200 to 299.
    headers
        With names in lower case.
    body
        The bytes.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class FetchError(Exception):
    """An address could not be fetched.

    Parameters
    ----------
    reason
        A clause without the address ("answered 404 (not found)").
    lasting
        Whether another try is pointless.
    soon
        Whether another try may go well within a minute.
    status
        What the server answered, if it did.
    retry_after
        Seconds after which it wants to be asked again, if it said so.
    """

    def __init__(
        self,
        reason: str,
        *,
        lasting: bool,
        soon: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting
        self.soon = soon
        self.status = status
        self.retry_after = retry_after


class Fetcher:
    """A client for the public web; threads may share it.

    It follows redirects, checking each hop as it checks the first address, connects to no other address than
    the checked one, keeps no cookies, and takes no proxy from the environment.

    Parameters
    ----------
    rule
        What may be fetched.
    stop
        Ends what is being fetched when it is set.
    """

    def __init__(self, rule: AddressRule | None = None, *, stop: threading.Event | None = None) -> None:
        self._rule = rule or AddressRule()
        self._clock = Clock(stop or threading.Event())
        # one for all connections; a pool would make one for each
        self._ssl_context = httpcore2.default_ssl_context()
        # a pool a thread: threads that share one spend a third of their time waiting for its lock
        self._of_thread = threading.local()
        self._pools: list[httpcore2.ConnectionPool] = []

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools:
            pool.close()

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
        self.close()

    def get(self, url: str, *, max_bytes: int, seconds: float, accept: str = "*/*") -> Answer:
        """Fetch an address into memory.

        Parameters
        ----------
        url
            http or https.
        max_bytes
            Largest body.
        seconds
            Longest time from the look-up of the host to the last byte, redirects included.
        accept
            The header of that name.

        Raises
        ------
        FetchError
            If it is refused, cannot be reached, or does not answer with 200 to 299.
        StoppedError
            If the stop event is set.
        """
        with (
            self._clock.run(seconds),
            _told(seconds),
            self._open(url, {"Accept": accept}) as (final, response),
        ):
            body = bytearray()
            for chunk in _read(response, max_bytes):
                body += chunk
            return Answer(final, response.status, _fold(response), bytes(body))

    def save(
        self,
        url: str,
        path: Path,
        *,
        max_bytes: int,
        seconds: float = 12 * 3600,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        """Fetch an address into a file, which appears when it is complete.

        What an earlier call left in ``NAME.part`` is continued where the server allows it and the file there
        did not change.

        Parameters
        ----------
        url, max_bytes, seconds
            As for `get`.
        path
            The file.
        progress
            Called with (bytes so far, all bytes or None).

        Raises
        ------
        FetchError, StoppedError
            As `get`.
        OSError
            If the file cannot be written.
        """
        part = _Part(path)
        for pause in (*_PAUSES, None):
            try:
                with self._limited(seconds):
                    self._continue(url, part, max_bytes, progress)
                return part.finish()
            except FetchError as e:
                if e.lasting or e.status is not None or pause is None:
                    raise
                self._clock.stop.wait(pause)

    def _continue(
        self, url: str, part: _Part, max_bytes: int, progress: Callable[[int, int | None], None] | None
    ) -> None:
        with contextlib.ExitStack() as stack:
            try:
                _, response = stack.enter_context(self._open(url, part.ask()))
            except FetchError as e:
                if e.status == 416:  # the file is shorter now
                    part.forget()
                    raise FetchError(e.reason, lasting=False, soon=True) from None
                raise
            found = _fold(response)
            have, total = part.begin(response.status, found)
            with part.file.open("ab" if have else "wb") as f:
                for chunk in _read(response, max_bytes, have):
                    f.write(chunk)
                    have += len(chunk)
                    if progress:
                        progress(have, total)
            if total is not None and have < total:  # a server may send less than it was asked for
                raise FetchError("was cut off on its way", lasting=False, soon=True)

    @contextlib.contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        with _told(seconds), self._clock.run(seconds):
            yield

    @contextlib.contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator[tuple[str, httpcore2.Response]]:
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
                    raise _describe_status(response.status, found)
                yield address, response
                return
        raise FetchError(f"is redirected more than {MAX_REDIRECTS} times", lasting=True)


class _Part:
    """The beginning of a file that is being fetched, and the validator of what it is the beginning of."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = path.with_name(f"{path.name}.part")
        self._stamp = path.with_name(f"{path.name}.part.stamp")

    def ask(self) -> dict[str, str]:
        """Return the headers that ask for the rest."""
        self._known = self._stamp.read_text(encoding="ascii") if self._stamp.exists() else ""
        self._have = self.file.stat().st_size if self.file.exists() and self._known else 0
        return {"Range": f"bytes={self._have}-", "If-Range": self._known} if self._have else {}

    def begin(self, status: int, found: Mapping[str, str]) -> tuple[int, int | None]:
        """Return how many bytes are there already, and how many the file has; note its validator."""
        etag, length = found.get("etag", ""), found.get("content-length", "")
        if status == 206:
            asked, _, whole = found.get("content-range", "").partition("/")
            if not self._have or not asked.startswith(f"bytes {self._have}-") or etag != self._known:
                self.forget()
                raise FetchError("answered with a part that does not fit what is there", lasting=False)
            return self._have, int(whole) if _is_number(whole) else None
        # a weak validator does not promise equal bytes
        self._stamp.write_text(etag if etag.startswith('"') and etag.isascii() else "", encoding="ascii")
        return 0, int(length) if _is_number(length) else None

    def forget(self) -> None:
        """Let the next try begin anew."""
        self._stamp.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the complete file its name."""
        with self.file.open("r+b") as f:
            os.fsync(f.fileno())
        self.file.replace(self._path)
        self.forget()


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


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _read(response: httpcore2.Response, max_bytes: int, have: int = 0) -> Iterator[bytes]:
    """Yield the body; with the `have` bytes that came before it may be so long."""
    headers = _fold(response)
    length = headers.get("content-length", "")
    if _is_number(length) and have + int(length) > max_bytes:
        raise FetchError(_describe_size(have + int(length), max_bytes), lasting=True)
    if headers.get("content-encoding", "identity") not in ("", "identity"):
        raise FetchError(f"came compressed ({headers['content-encoding'][:20]}) unasked", lasting=True)
    got = have
    for chunk in response.iter_stream():
        got += len(chunk)
        if _is_number(length) and got - have == int(length):
            response.extensions["network_stream"].end_after(int(length))
        if got > max_bytes:
            raise FetchError(_describe_size(None, max_bytes), lasting=True)
        yield chunk


def _describe_size(size: int | None, most: int) -> str:
    what = "is larger than" if size is None else f"has {size / 2**20:.1f} MB, more than"
    return f"{what} the {most / 2**20:.0f} MB that are fetched"


def _describe_status(status: int, headers: Mapping[str, str]) -> FetchError:
    try:
        phrase = f" ({HTTPStatus(status).phrase.lower()})"
    except ValueError:
        phrase = ""
    return FetchError(
        f"answered {status}{phrase}",
        lasting=status not in _PASSING and status < 500,
        soon=status in _PASSING,
        status=status,
        retry_after=_read_wait(headers.get("retry-after", "")),
    )


def _read_wait(value: str) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date."""
    if _is_number(value):
        return min(float(value), _MAX_REST)
    try:
        wait = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(wait, 0.0), _MAX_REST)


@contextlib.contextmanager
def _told(seconds: float) -> Iterator[None]:
    """Turn what a connection may meet into one clause."""
    try:
        yield
    except RefusedAddressError as e:
        raise FetchError(str(e), lasting=True) from None
    except UnknownHostError as e:
        raise FetchError(str(e), lasting=False) from None
    except TimeIsUpError:
        raise FetchError(f"took longer than {seconds:g} s", lasting=False) from None
    except httpcore2.TimeoutException:
        raise FetchError("did not answer in time", lasting=False) from None
    except httpcore2.RemoteProtocolError as e:
        if "closed connection" in str(e) or "disconnected" in str(e):
            raise FetchError("was cut off on its way", lasting=False, soon=True) from None
        raise FetchError("answered with something that is no HTTP", lasting=True) from None
    except (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol, UnicodeError):
        raise FetchError("is no address that can be fetched", lasting=True) from None
    except httpcore2.NetworkError as e:
        if isinstance(e.__cause__ or e.__context__, ssl.SSLError):
            raise FetchError("has no certificate that can be trusted", lasting=True) from None
        reached = not isinstance(e, httpcore2.ConnectError)
        what = "was cut off on its way" if reached else "could not be connected to"
        raise FetchError(what, lasting=False, soon=reached) from None
