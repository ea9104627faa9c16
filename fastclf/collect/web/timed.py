"""Connections that keep to one time limit, whatever the server does, and that end when they are told to."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

import httpcore2

from ...errors import StoppedError

T = TypeVar("T")

# How long one wait lasts before the stop event is looked at: Ctrl-C seems to be at once.
_GLANCE = 0.25
# The longest silence of a server, and the longest wait for a connection: many times what slow ones take.
_SILENCE = 20.0
_CONNECT = 10.0
_HEAD_END = b"\r\n\r\n"


class TimeIsUpError(Exception):
    """The time for one fetch is over."""


def start_call(call: Callable[[], T], drop: Callable[[T], object] = lambda _: None) -> Future[T]:
    """Call in a thread that nobody has to wait for; what comes after a cancel is given to `drop`."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            value = call()
        except BaseException as e:  # noqa: BLE001 - it is raised where the result is awaited
            if result.set_running_or_notify_cancel():
                result.set_exception(e)
            return
        if result.set_running_or_notify_cancel():
            result.set_result(value)
        else:
            drop(value)

    threading.Thread(target=run, daemon=True).start()
    return result


class Clock:
    """The time limit of what the calling thread fetches, and the event that ends it all."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self._of_thread = threading.local()

    @contextlib.contextmanager
    def run(self, seconds: float) -> Iterator[None]:
        """Let the block take no longer than that."""
        self._of_thread.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._of_thread.deadline = None

    def left(self) -> float:
        """Return the seconds that are left; raises if there are none, or if the stop event is set."""
        if self.stop.is_set():
            raise StoppedError("Fetching was stopped.")
        deadline = getattr(self._of_thread, "deadline", None)
        if deadline is None:
            return _SILENCE
        left = float(deadline) - time.monotonic()
        if left <= 0:
            raise TimeIsUpError
        return left

    def await_(self, call: Callable[[], T], drop: Callable[[T], object]) -> T:
        """Return what `call` returns, in time; what comes too late is given to `drop`.

        A name's look-up, a connection and a handshake are one long wait each, which nothing else ends.
        """
        result = start_call(call, drop)
        while True:
            try:
                return result.result(min(_GLANCE, self.left()))
            except FutureTimeoutError:
                if result.done():  # the call itself timed out
                    raise
            except (StoppedError, TimeIsUpError):
                if result.cancel():
                    raise
                return result.result()


class TimedBackend(httpcore2.NetworkBackend):
    """Connects to the addresses that `resolve` checked and returned for (host, port), and to no others."""

    def __init__(self, clock: Clock, resolve: Callable[[str, int], list[str]]) -> None:
        self._clock = clock
        self._resolve = resolve
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Resolve once, check, and connect to what was checked."""
        failed: Exception | None = None
        for address in self._clock.await_(lambda: self._resolve(host, port), drop=lambda _: None):
            try:
                stream = self._clock.await_(
                    lambda a=address: self._inner.connect_tcp(  # type: ignore[misc]
                        a, port, _CONNECT, local_address, socket_options
                    ),
                    drop=lambda late: late.close(),
                )
                return TimedStream(stream, self._clock)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as e:
                failed = e
        raise failed or httpcore2.ConnectError("no address")


class TimedStream(httpcore2.NetworkStream):
    """A stream whose every wait is short, and whose time is the clock's."""

    def __init__(self, inner: httpcore2.NetworkStream, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._head, self._received = b"", 0
        self._spoiled = False

    def end_after(self, length: int) -> None:
        """Let the connection not be used again if more came than an answer with a body of that length."""
        end = self._head.find(_HEAD_END)
        self._spoiled = self._spoiled or self._received > end + len(_HEAD_END) + length

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what came; a long silence is an error."""
        silent_since = time.monotonic()
        while True:
            try:
                data = self._inner.read(max_bytes, min(_GLANCE, self._clock.left()))
                break
            except httpcore2.ReadTimeout:
                if time.monotonic() - silent_since > _SILENCE:
                    raise
        self._received += len(data)
        if _HEAD_END not in self._head:
            self._head += data
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send."""
        self._head, self._received = b"", 0
        self._inner.write(buffer, min(_SILENCE, self._clock.left()))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Return the same, encrypted; the certificate is checked for the host's name, not its address."""
        stream = self._clock.await_(
            lambda: self._inner.start_tls(ssl_context, server_hostname, _CONNECT),
            drop=lambda late: late.close(),
        )
        return TimedStream(stream, self._clock)

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection; the pool drops one on which something waits unasked."""
        if info == "is_readable" and self._spoiled:
            return True
        return self._inner.get_extra_info(info)
