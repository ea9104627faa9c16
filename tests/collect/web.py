"""A web server on loopback that serves photos well, and everything else as badly as it is told to."""

from __future__ import annotations

import contextlib
import functools
import itertools
import select
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from ..drawing import png_with_size

_HEAD_LIMIT = 2**16


class Hit(NamedTuple):
    """A request as it came; `path` is without its query, names of `headers` are in lower case."""

    path: str
    host: str
    headers: dict[str, str]
    query: str


class _OverError(Exception):
    """The conversation is over."""


class Exchange:
    """One request, and the connection to answer it on; what breaks the protocol clears `keep`."""

    def __init__(
        self, connection: socket.socket, hit: Hit, stopping: threading.Event, leave: Callable[[], None]
    ) -> None:
        self.hit = hit
        self.keep = True
        self._connection = connection
        self._stopping = stopping
        self._leave = leave

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(self, code: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        # after the last bytes the client may be quicker with its next request than we are
        self._leave()
        self.send(compose(code, headers, body))

    def drip(self, data: bytes, seconds_per_byte: float) -> None:
        for i in range(len(data)):
            self.sleep(seconds_per_byte)
            self.send(data[i : i + 1])

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the server runs."""
        if self._stopping.wait(seconds):
            raise _OverError

    def wait_for_client(self) -> None:
        """Wait until the client has enough and goes away."""
        while not self._stopping.is_set():
            if select.select([self._connection], [], [], 0.1)[0] and not self._connection.recv(_HEAD_LIMIT):
                raise _OverError

    def break_off(self) -> None:
        """End the connection with a reset instead of a good-bye."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()
        raise _OverError


Behaviour = Callable[[Exchange], None]


class Web:
    """The server; a context manager. With `tls`, which `make_certificate` returns, it speaks https.

    `hits` are the requests in the order in which they came, `delay` are the seconds before each answer.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.delay = 0.0
        self.hits: list[Hit] = []
        self._tls = tls
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._behaviours: dict[str, Behaviour] = {}
        self._connections: set[socket.socket] = set()
        self._now: Counter[str | None] = Counter()
        self._most: Counter[str | None] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address: tuple[str, int] = ("127.0.0.1", self._listener.getsockname()[1])

    def __enter__(self) -> Web:
        threading.Thread(target=self._accept, name="web", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError), socket.create_connection(self.address, 1):
            pass  # wakes the thread that accepts
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def url(self, path: str, host: str | None = None) -> str:
        return f"{'https' if self._tls else 'http'}://{host or self.address[0]}:{self.address[1]}{path}"

    def photo(self, path: str, data: bytes, content_type: str = "image/jpeg") -> str:
        """Serve bytes well."""
        return self.add(path, status(200, {"Content-Type": content_type}, data))

    def add(self, path: str, behaviour: Behaviour) -> str:
        """Answer a path, whatever its query, as the behaviour does."""
        self._behaviours[path] = behaviour
        return self.url(path)

    def count(self, path: str) -> int:
        """Return how often a path was asked for, whatever the query."""
        with self._lock:
            return sum(hit.path == path for hit in self.hits)

    def most_at_once(self, host: str | None = None) -> int:
        """Return how many requests were being answered at once at most, in all or for one host name."""
        return self._most[host]

    def forget(self) -> None:
        """Forget all requests so far."""
        with self._lock:
            self.hits.clear()
            self._most.clear()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._stopping.is_set():
                connection.close()
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            if self._tls:
                plain, connection = connection, self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._connections ^= {plain, connection}
            rest = b""
            while True:
                head, rest = _read_head(connection, rest)
                if not head or not self._answer(connection, head):
                    return
        except (OSError, ValueError, _OverError):
            return
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _answer(self, connection: socket.socket, head: bytes) -> bool:
        hit = _parse(head)
        host = hit.host.partition(":")[0]
        with self._lock:
            self.hits.append(hit)
            for name in (None, host):
                self._now[name] += 1
                self._most[name] = max(self._most[name], self._now[name])
        leave = functools.partial(self._leave, {None, host})
        exchange = Exchange(connection, hit, self._stopping, leave)
        try:
            if self.delay:
                exchange.sleep(self.delay)
            self._behaviours.get(hit.path, status(404))(exchange)
        finally:
            leave()
        return exchange.keep and hit.headers.get("connection", "").lower() != "close"

    def _leave(self, names: set[str | None]) -> None:
        with self._lock:
            for name in names:
                self._now[name] -= 1
            names.clear()


def _read_head(connection: socket.socket, rest: bytes) -> tuple[bytes, bytes]:
    while b"\r\n\r\n" not in rest:
        more = connection.recv(_HEAD_LIMIT)
        if not more or len(rest) > _HEAD_LIMIT:
            return b"", b""
        rest += more
    head, _, rest = rest.partition(b"\r\n\r\n")
    return head, rest


def _parse(head: bytes) -> Hit:
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    path, _, query = first.split(" ", 2)[1].partition("?")
    return Hit(path, headers.get("host", ""), headers, query)


def compose(code: int, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return an answer's bytes; the length of the body is added unless the headers name one."""
    phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "Something Else"
    all_headers = {"Content-Type": "text/plain", **headers}
    if not {"Content-Length", "Transfer-Encoding", "Connection"} & headers.keys():
        all_headers["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    return f"HTTP/1.1 {code} {phrase}\r\n{lines}\r\n".encode("latin-1") + body


def make_certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext] | None:
    """Return a certificate's file and what a server of this name needs, or None without openssl."""
    if not shutil.which("openssl"):
        return None
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    )
    more = ["-keyout", key, "-out", certificate, "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Behaviour:
    """Answer with a status."""
    return lambda exchange: exchange.answer(code, headers or {}, body)


def called_jpeg(data: bytes, **headers: str) -> Behaviour:
    """Send whatever it is as a JPEG."""
    return status(200, {"Content-Type": "image/jpeg", **headers}, data)


HTML = called_jpeg(b"<!DOCTYPE html><html><body>Please log in</body></html>")
SVG = called_jpeg(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')
# a small PNG that promises billions of pixels
HUGE = status(200, {"Content-Type": "image/png"}, png_with_size(60_000, 60_000))
# takes the request and never answers
SILENT = Exchange.wait_for_client


def redirect(to: str, code: int = 302, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Send the client elsewhere: to a whole address or a relative one."""
    return status(code, {"Location": to, **(headers or {})})


def slow_drip(data: bytes, seconds_per_byte: float, headers_too: bool = False) -> Behaviour:
    """Send the body one byte at a time, or all of the answer."""
    head = compose(200, {"Content-Type": "image/jpeg", "Content-Length": str(len(data))})

    def behave(exchange: Exchange) -> None:
        if headers_too:
            exchange.drip(head, seconds_per_byte)
        else:
            exchange.send(head)
        exchange.drip(data, seconds_per_byte)

    return behave


def garbage(data: bytes = b"\x16\x03\x01 220 smtp.example ESMTP ready\r\n\r\n") -> Behaviour:
    """Send bytes that are no HTTP, and close."""
    return last(lambda exchange: exchange.send(data))


def endless(
    chunk: bytes = bytes(2**16), chunked: bool = True, head: bytes = b"\xff\xd8\xff", pause: float = 0
) -> Behaviour:
    """Send a body without an end, in HTTP's chunks or simply on and on."""
    how = {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
    whole = compose(200, {"Content-Type": "image/jpeg", **how})

    def behave(exchange: Exchange) -> None:
        exchange.send(whole)
        for piece in itertools.chain([head], itertools.repeat(chunk)):
            exchange.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if chunked else piece)
            exchange.sleep(pause)

    return last(behave)


def huge_headers(lines: int | None = 20_000) -> Behaviour:
    """Send more headers than anybody needs; without an end where `lines` is None."""

    def behave(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\n")
        for _ in itertools.count() if lines is None else range(lines // 100):
            exchange.send(b"X-Padding: " + b"x" * 40 + b"\r\n" + b"X-More: y\r\n" * 99)
            exchange.sleep(0)
        exchange.send(b"\r\n")

    return last(behave)


def wrong_length(data: bytes, declared: int, hold: bool = False) -> Behaviour:
    """Declare another length than what comes; `hold` leaves the client waiting for the rest."""

    def behave(exchange: Exchange) -> None:
        exchange.send(compose(200, {"Content-Type": "image/jpeg", "Content-Length": str(declared)}, data))
        exchange.keep = declared < len(data)
        if hold:
            exchange.wait_for_client()

    return behave


def reset(data: bytes = b"", after: int | None = None) -> Behaviour:
    """Reset the connection before the answer, or after that many bytes of the photo."""

    def behave(exchange: Exchange) -> None:
        if after is not None:
            exchange.send(compose(200, {"Content-Type": "image/jpeg"}, data)[: after - len(data) or None])
            exchange.sleep(0.05)  # a reset overtakes what has not been read yet
        exchange.break_off()

    return behave


def limited(times: int, retry_after: float | str | None, then: bytes | Behaviour) -> Behaviour:
    """Answer 429 to the first requests; `retry_after` in seconds, or as it shall stand."""
    return _at_first(
        times, status(429, {} if retry_after is None else {"Retry-After": str(retry_after)}), then
    )


def flaky(times: int, then: bytes | Behaviour, code: int | None = None) -> Behaviour:
    """Reset the first connections, or answer them with a status."""
    return _at_first(times, reset() if code is None else status(code), then)


@dataclass
class ranged:
    """Serves a file in parts, well or badly.

    The first `breaks` answers end after `break_after` bytes; the file becomes `change_to` after the first
    one; parts have `most` bytes at most and begin `shift` bytes from where they were asked for. `validator`
    is "etag", "weak", "date" or None.
    """

    data: bytes
    honour: bool = True
    break_after: int | None = None
    breaks: int = 1
    change_to: bytes | None = None
    heed_if_range: bool = True
    validator: str | None = "etag"
    most: int | None = None
    shift: int = 0
    answers: int = field(default=0, init=False)

    @property
    def etag(self) -> str:
        """What marks these bytes."""
        return f'"{zlib.crc32(self.data):x}"'

    def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        self.answers += 1
        code, headers, body = self._choose(exchange.hit.headers)
        cut = self.break_after if self.answers <= self.breaks else None
        if self.answers == 1 and self.change_to is not None:
            self.data = self.change_to
        if cut is None or cut >= len(body):
            exchange.answer(code, headers, body)
        else:
            exchange.send(compose(code, headers, body)[: cut - len(body)])
            exchange.keep = False

    def _choose(self, asked: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": "application/octet-stream", **self._describe()}
        begin, end = _read_range(asked.get("range", ""))
        known = {""} if self.validator == "weak" else {"", *headers.values()}
        changed = self.heed_if_range and asked.get("if-range", "") not in known
        if not self.honour or begin is None or changed:
            return 200, headers, self.data
        begin, size = begin + self.shift, len(self.data)
        if begin >= size:
            return 416, {**headers, "Content-Range": f"bytes */{size}"}, b""
        body = self.data[begin:end][: self.most]
        where = f"bytes {begin}-{begin + len(body) - 1}/{size}"
        return 206, {**headers, "Content-Range": where}, body

    def _describe(self) -> dict[str, str]:
        day = zlib.crc32(self.data) % 10**9
        return {
            "etag": {"ETag": self.etag},
            "weak": {"ETag": f"W/{self.etag}"},
            "date": {"Last-Modified": formatdate(day, usegmt=True)},
            None: {},
        }[self.validator]


def _read_range(value: str) -> tuple[int | None, int | None]:
    kind, _, span = value.partition("=")
    first, _, last = span.partition("-")
    if kind != "bytes" or not first.isdigit():
        return None, None
    return int(first), int(last) + 1 if last.isdigit() else None


def last(behaviour: Behaviour) -> Behaviour:
    """Close the connection after a behaviour."""

    def behave(exchange: Exchange) -> None:
        exchange.keep = False
        behaviour(exchange)

    return behave


def _at_first(times: int, first: Behaviour, then: bytes | Behaviour) -> Behaviour:
    later = called_jpeg(then) if isinstance(then, bytes) else then
    numbers = itertools.count()
    return lambda exchange: (first if next(numbers) < times else later)(exchange)
