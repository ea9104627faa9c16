"""What a kernel's websocket takes from a page, and what it counts."""

from __future__ import annotations

import asyncio
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from jupyter_client.manager import KernelManager
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.iostream import StreamBufferFullError
from tornado.websocket import WebSocketClosedError

from fastclf.server import line
from fastclf.server.limits import MOST_CONTENT, MOST_WAITING, MOST_WAITING_BYTES
from fastclf.server.line import Backlog, ForeignMessageError, Line, Unread, find_backlog, read_message

HEADER = {"msg_id": "a" * 64, "msg_type": "comm_msg"}


def pack(header: Any = HEADER, content: bytes = b"{}", *buffers: bytes) -> bytes:
    parts = [b"shell", json.dumps(header).encode(), b"{}", b"{}", content, *buffers]
    places = [8 * (len(parts) + 2)]
    for part in parts:
        places.append(places[-1] + len(part))
    return struct.pack(f"<{len(places) + 1}Q", len(places), *places) + b"".join(parts)


def test_a_message_of_the_page_is_read() -> None:
    assert read_message(pack()) == (HEADER, b"{}")
    assert read_message(pack(HEADER, b'{"a": 1}', b"photo" * 10**6, b"")) == (HEADER, b'{"a": 1}')
    assert read_message(pack(HEADER, b"x" * (MOST_CONTENT + 1)), whole=True)[0] == HEADER


def forge(at: int, number: int) -> bytes:
    """A message in which one of the leading numbers is another."""
    data = bytearray(pack(HEADER, b"{}", b"photo"))
    data[8 * at : 8 * at + 8] = struct.pack("<Q", number)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        "text", b"", b"1234567", struct.pack("<3Q", 2**40, 8, 8), struct.pack("<Q", 2**64 - 1), struct.pack("<Q", 6),
        forge(0, 2**40), forge(0, 5), forge(0, 0), forge(1, 0), forge(2, 2**63), forge(3, 1), forge(7, 2**62), forge(7, 10**6), forge(5, len(pack(HEADER, b"{}", b"photo"))),
        pack(HEADER, b"x" * (MOST_CONTENT + 1)), pack({**HEADER, "msg_id": "a" * 65}), pack({**HEADER, "msg_id": 1}),
        pack({"msg_id": "a"}), pack([]), pack({**HEADER, "x": "y" * 10**4}), pack(HEADER, b"{}", *[b""] * 300),
        pack().replace(b'"msg_id"', b'\xff\xfe      '), pack().replace(b'{"msg_id', b"[" * 9),
    ],
)  # fmt: skip
def test_a_message_that_the_page_cannot_have_sent_is_told_at_once(data: Any) -> None:
    with pytest.raises(ForeignMessageError):
        read_message(data)


def run(work: Any) -> Any:
    """Run it where no loop is: a browser test before this one leaves its own in the main thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def say_idle(message_id: str) -> list[bytes]:
    parent, idle = json.dumps({"msg_id": message_id}).encode(), b'{"execution_state": "idle"}'
    return [b"topic", b"<IDS|MSG>", b"signature", b'{"msg_type": "status"}', parent, b"{}", idle]


@pytest.mark.parametrize("sizes", [[1] * MOST_WAITING, [MOST_WAITING_BYTES // 2] * 2], ids=["many", "large"])
def test_what_a_kernel_has_not_done_keeps_the_next_message_on_the_line(sizes: list[int]) -> None:
    async def fill() -> None:
        backlog = Backlog()
        for n, size in enumerate(sizes):
            await asyncio.wait_for(backlog.wait(), 1)
            backlog.add(str(n), size)
        assert backlog.is_full
        waiting = asyncio.ensure_future(backlog.wait())
        backlog.hear(say_idle("another page's"))
        backlog.hear([*say_idle("0")[:6], b'{"execution_state": "busy"}'])
        backlog.hear(say_idle("0")[:4])
        await asyncio.sleep(0)
        assert not waiting.done()
        for n in range(len(sizes)):
            backlog.hear(say_idle(str(n)))
        await asyncio.wait_for(waiting, 1)
        assert backlog._total == 0

    run(fill())


def test_all_lines_to_a_kernel_share_what_it_has_not_done() -> None:
    class Kernel:
        pass

    async def fill() -> int:
        kernel, sent = Kernel(), 0
        assert find_backlog(kernel) is not find_backlog(Kernel())

        async def send(line: int) -> None:
            nonlocal sent
            for _ in range(3):
                # one id for all: each counts
                await find_backlog(kernel).wait()
                find_backlog(kernel).add("same", 1)
                sent += 1

        lines = [asyncio.ensure_future(send(n)) for n in range(10)]
        await asyncio.sleep(0.05)
        assert sent == MOST_WAITING
        for n in range(30):
            find_backlog(kernel).hear(say_idle("same"))
            await asyncio.sleep(0.001)
            assert sent <= MOST_WAITING + n + 1
        await asyncio.wait_for(asyncio.gather(*lines), 1)
        assert find_backlog(kernel)._total == 0
        return sent

    assert run(fill()) == 30


def test_a_line_that_is_over_waits_no_longer() -> None:
    async def fill() -> None:
        backlog, over = Backlog(), asyncio.Event()
        backlog.add("0", MOST_WAITING_BYTES)
        waiting = asyncio.ensure_future(backlog.wait(over.is_set))
        await asyncio.sleep(0.01)
        over.set()
        backlog.ease()
        await asyncio.wait_for(waiting, 1)
        assert backlog.is_full

    run(fill())


def test_a_kernel_that_is_silent_for_long_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "WAITING_SECONDS", 0.01)

    async def fill() -> None:
        backlog = Backlog()
        backlog.add("0", MOST_WAITING_BYTES)
        await asyncio.wait_for(backlog.wait(), 10)
        assert not backlog.is_full

    run(fill())


def test_a_page_that_does_not_take_its_answers_is_not_listened_to() -> None:
    async def fill() -> None:
        unread, sent = Unread(), [asyncio.get_running_loop().create_future() for _ in range(3)]
        for answer in sent:
            unread.add(answer, 2**20)
        waiting = asyncio.ensure_future(unread.wait())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        sent[0].set_result(None)
        sent[1].set_exception(OSError("the page is gone"))
        sent[2].cancel()
        await asyncio.wait_for(waiting, 1)

    run(fill())


class Handler(KernelWebsocketHandler):
    """A page's websocket that is gone."""

    ws_connection = None

    def __init__(self, fault: Exception | None = None) -> None:
        self._fault = fault

    def write_message(self, message: Any, binary: bool = False) -> Any:
        if self._fault:
            raise self._fault


def build_line(kernel: KernelManager, handler: Handler) -> Line:
    made = Line(parent=kernel, websocket_handler=handler)
    run(made.prepare())
    return made


@pytest.fixture
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kernel nobody answers what Jupyter asks before a line begins."""

    async def prepare(self: Any) -> None:
        pass

    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "prepare", prepare)


@pytest.mark.usefixtures("unprepared")
def test_ten_sockets_to_a_kernel_wait_for_it_together() -> None:
    kernel, other = KernelManager(), KernelManager()
    lines = [build_line(kernel, Handler()) for _ in range(10)]
    assert {line._backlog for line in lines} == {find_backlog(kernel)}
    assert build_line(other, Handler())._backlog is not find_backlog(kernel)


@pytest.mark.usefixtures("unprepared")
@pytest.mark.parametrize("fault", [WebSocketClosedError(), StreamBufferFullError("full")])
def test_a_page_that_goes_away_while_answers_are_on_the_way_is_no_fault(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    gone = build_line(KernelManager(), Handler(fault))
    assert gone.write_message(b"answer", binary=True) is None
    assert caplog.text == ""
