"""A kernel's websocket: no message is larger than one photo, none is taken that the page cannot have sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.ioloop import IOLoop
from tornado.iostream import StreamBufferFullError
from tornado.websocket import WebSocketClosedError

from ..model import trim_heap
from .limits import (
    LONGEST_ID,
    MOST_COMMS,
    MOST_CONTENT,
    MOST_HEADER,
    MOST_LINES,
    MOST_UNHEARD,
    MOST_UNREAD,
    MOST_WAITING,
    MOST_WAITING_BYTES,
    PROTOCOL,
    WAITING_SECONDS,
)

_CONTROL = "jupyter.widget.control"
_MOST_BUFFERS = 256
# after the end of a line, when what waited for it is gone, too
_TRIM_SECONDS = 2.0
# before it stand those to whom a kernel's message goes, behind it its signature, header, parent and so on
_DELIMITER = b"<IDS|MSG>"
# what a message, or an answer that waits to be sent, takes beside its bytes
_ENVELOPE = 4000


class ForeignMessageError(ValueError):
    """A message that the page cannot have sent."""


class Line(ZMQChannelsWebsocketConnection):
    """Jupyter's connection between a websocket and a kernel, for strangers at its other end.

    - A message is read only if its parts are where it says, and small enough.
    - What a kernel has not done yet is counted over all its lines, and more waits on the line, not in memory.
    - A page that does not take its answers is let go.
    - Types that are not allowed are refused by the header alone, and comms are counted.
    """

    _comms: ClassVar[WeakKeyDictionary[Any, int]] = WeakKeyDictionary()

    async def prepare(self) -> None:
        """Come before the websocket's messages."""
        self._backlog, self._unread = find_backlog(self.kernel_manager), Unread()
        self.websocket_handler.on_message = self.receive  # type: ignore[method-assign]
        await super().prepare()  # type: ignore[no-untyped-call]

    def connect(self) -> Any:
        """Begin to listen to the kernel."""
        self._stream.max_write_buffer_size = MOST_UNREAD
        connected = super().connect()
        if self._allowed and self.multi_kernel_manager.count_lines(self.kernel_id) > MOST_LINES:
            self._hang_up()
        return connected

    def disconnect(self) -> None:  # type: ignore[override]
        """Stop, let go of what waits, and hand back what it took."""
        super().disconnect()  # type: ignore[no-untyped-call]
        self._backlog.ease()
        IOLoop.current().call_later(_TRIM_SECONDS, trim_heap)

    async def receive(self, data: str | bytes) -> None:
        """Take a message, once the kernel has done most of those before; a foreign one ends the line."""
        try:
            header, content = read_message(data, whole=not self._allowed)
            await self._unread.wait()
            # nothing may come between its end and the count
            await self._backlog.wait(lambda: self._is_over)
            if self._is_over or (self._allowed and not self._is_allowed(header["msg_type"], content)):
                return
            self._backlog.add(header["msg_id"], len(data))
            self.handle_incoming_message(data)  # type: ignore[arg-type]
        except ForeignMessageError as e:
            self.log.warning("A message that is none of the page ended its line: %s", e)
            self._hang_up()

    def on_kernel_restarted(self) -> None:
        """Forget what a kernel that died had not done, and tell the page."""
        self._backlog.clear()
        super().on_kernel_restarted()  # type: ignore[no-untyped-call]

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Pass on what the kernel says, to a page that listens."""
        super().handle_outgoing_message(stream, outgoing_msg)
        self._backlog.hear(outgoing_msg)

    @property
    def subprotocol(self) -> str:
        """The framing the gate has asked for; Jupyter would read by the older one once a line is over."""
        return PROTOCOL

    @property
    def _is_over(self) -> bool:
        return self.websocket_handler.ws_connection is None or not self.channels

    @property
    def write_message(self) -> Any:
        """What sends an answer to the page."""
        return self._write

    def _write(self, message: Any, binary: bool = False) -> Any:
        try:
            sent = self.websocket_handler.write_message(message, binary)
        except (StreamBufferFullError, WebSocketClosedError):
            self._hang_up()
            return None  # the page is gone, or takes nothing: nobody has to be told
        if sent is not None:
            self._unread.add(sent, len(message))
        return sent

    @property
    def _stream(self) -> Any:
        connection: Any = self.websocket_handler.ws_connection
        return connection.stream

    @property
    def _allowed(self) -> list[str]:
        """The types of messages that a page may send; none where a Jupyter server's may do anything."""
        found: list[str] = self.multi_kernel_manager.allowed_message_types
        return found

    def _is_allowed(self, kind: str, content: bytes) -> bool:
        if kind == "comm_open":
            self._count_comm(content)
        return kind in self._allowed

    def _count_comm(self, content: bytes) -> None:
        """Let the page open the one comm that it asks for its widgets with; no widget comes from a page."""
        target = read_object(content).get("target_name")
        n = self._comms[self.kernel_manager] = self._comms.get(self.kernel_manager, 0) + 1
        if target != _CONTROL or n > MOST_COMMS:
            raise ForeignMessageError(f"comm {n} for {str(target)[:80]!r}")

    def _hang_up(self) -> None:
        if self.websocket_handler.ws_connection is not None:
            self._stream.close()


class Unread:
    """The answers that a page has not taken yet: it is heard again once it has taken most of them."""

    def __init__(self) -> None:
        self._total = 0
        self._sent: asyncio.Future[None] | None = None

    def add(self, sent: asyncio.Future[None], size: int) -> None:
        """Count an answer until it is sent."""
        self._total += size + _ENVELOPE
        self._sent = sent
        sent.add_done_callback(lambda done: self._take(size + _ENVELOPE, done))

    async def wait(self) -> None:
        """Wait until the page has taken most of what is for it."""
        while self._sent is not None and self._total > MOST_UNHEARD:
            await asyncio.wait([self._sent])

    def _take(self, size: int, done: asyncio.Future[None]) -> None:
        self._total -= size
        if not done.cancelled():
            done.exception()  # of a page that is gone


class Backlog:
    """The messages that a kernel has been sent, on whichever line, and has not done yet."""

    def __init__(self) -> None:
        self._sizes: dict[str, list[int]] = {}
        self._n = self._total = 0
        self._eased = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether the next message has to wait."""
        return self._total > MOST_WAITING_BYTES or self._n >= MOST_WAITING

    def add(self, message_id: str, size: int) -> None:
        """Count a message; several may have one id."""
        self._sizes.setdefault(message_id, []).append(size + _ENVELOPE)
        self._n += 1
        self._total += size + _ENVELOPE

    async def wait(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Wait until there is room, or a line is over; a kernel silent for a minute may have lost it all."""
        while self.is_full and not is_over():
            self._eased.clear()
            try:
                await asyncio.wait_for(self._eased.wait(), WAITING_SECONDS)
            except TimeoutError:
                self.clear()

    def hear(self, parts: list[Any]) -> None:
        """Take note of what a kernel has done, by the parts of a message as they come."""
        at = parts.index(_DELIMITER) + 1 if self._sizes and _DELIMITER in parts else len(parts)
        if len(parts) < at + 5 or b'"idle"' not in bytes(parts[at + 4][:200]):
            return
        with suppress(ValueError, AttributeError):
            name = str(json.loads(bytes(parts[at + 2])).get("msg_id"))
            if sizes := self._sizes.get(name):
                self._n -= 1
                self._total -= sizes.pop(0)
                if not sizes:
                    del self._sizes[name]
                self.ease()

    def ease(self) -> None:
        """Let those who wait look again."""
        self._eased.set()

    def clear(self) -> None:
        """Forget all of it."""
        self._sizes.clear()
        self._n = self._total = 0
        self.ease()


_backlogs: WeakKeyDictionary[Any, Backlog] = WeakKeyDictionary()


def find_backlog(kernel: Any) -> Backlog:
    """Return what a kernel has not done yet, by its manager."""
    return _backlogs.setdefault(kernel, Backlog())


def read_message(data: str | bytes, *, whole: bool = False) -> tuple[dict[str, Any], bytes]:
    """Return the header and the content of a message; `whole` lets the content be as large as it is.

    Raises
    ------
    ForeignMessageError
        If its parts are not where it says, or larger than those of a page.
    """
    if not isinstance(data, bytes) or len(data) < 8:
        raise ForeignMessageError("it is not in the framing that was agreed on")
    n = int.from_bytes(data[:8], "little")
    if not 6 <= n <= 6 + _MOST_BUFFERS or len(data) < 8 * (n + 1):
        raise ForeignMessageError(f"it has {n - 1} parts")
    places = [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(1, n + 1)]
    if places != sorted(places) or places[0] < 8 * (n + 1) or places[-1] > len(data):
        raise ForeignMessageError("its parts are not where it says")
    if places[2] - places[0] > MOST_HEADER or (places[5] - places[0] > MOST_CONTENT and not whole):
        raise ForeignMessageError(f"{places[5] - places[0]} bytes stand before its buffers")
    header = read_object(data[places[1] : places[2]])
    if not all(isinstance(header.get(name), str) for name in ("msg_id", "msg_type")):
        raise ForeignMessageError("its header has no id or no type")
    if len(header["msg_id"]) > LONGEST_ID:
        raise ForeignMessageError(f"its id has {len(header['msg_id'])} characters")
    return header, data[places[4] : places[5]]


def read_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in some bytes; ForeignMessageError if there is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ForeignMessageError("a part of it is no JSON object")
    return found
