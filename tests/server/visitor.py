"""A visitor without a browser: opens the page, and speaks the page's framing on its line."""

from __future__ import annotations

import json
import re
import struct
import urllib.request
import uuid
from itertools import pairwise
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from fastclf.server.limits import PROTOCOL


def open_page(url: str) -> str:
    """Return the id of the kernel behind a page that is opened."""
    with urllib.request.urlopen(url, timeout=120) as response:
        found = re.search(r'"kernelId": "([^"]+)"', response.read().decode())
    assert found
    return found[1]


def pack(header: dict[str, Any], content: dict[str, Any], *buffers: bytes, channel: str = "shell") -> bytes:
    """Put a message into the page's framing."""
    parts = [
        channel.encode(),
        *(json.dumps(part).encode() for part in (header, {}, {"version": "1.0.0"}, content)),
        *buffers,
    ]
    places = [8 * (len(parts) + 2)]
    for part in parts:
        places.append(places[-1] + len(part))
    return struct.pack(f"<{len(places) + 1}Q", len(places), *places) + b"".join(parts)


class Visitor:
    """One line to a kernel."""

    def __init__(self, root: str, kernel: str, session: str = "") -> None:
        self._session = session or uuid.uuid4().hex
        line = f"{root.replace('http', 'ws', 1)}api/kernels/{kernel}/channels?session_id={self._session}"
        self._request = HTTPRequest(line, request_timeout=120, connect_timeout=120)
        self._line: WebSocketClientConnection

    async def connect(self) -> Visitor:
        """Open the line."""
        self._line = await websocket_connect(
            self._request, subprotocols=[PROTOCOL], max_message_size=2**28, ping_interval=0
        )
        return self

    async def send(self, kind: str, content: dict[str, Any], *buffers: bytes, **header: Any) -> str:
        """Send a message and return its id."""
        name = str(header.pop("msg_id", uuid.uuid4().hex))
        whole = {
            "msg_id": name, "msg_type": kind, "session": self._session, "username": "", "date": "2026-01-01T00:00:00Z", "version": "5.3",
            **header,
        }  # fmt: skip
        await self._line.write_message(pack(whole, content, *buffers), binary=True)
        return name

    async def read(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]] | None:
        """Return header, header of what it answers, and content of the next message; None once the line is over."""
        data = await self._line.read_message()
        if not isinstance(data, bytes):
            return None
        (n,) = struct.unpack("<Q", data[:8])
        at = struct.unpack(f"<{n}Q", data[8 : 8 + 8 * n])
        header, parent, _, content = (json.loads(data[a:b]) for a, b in pairwise(at[1:6]))
        return header, parent, content

    async def find_widget(self, name: str) -> str:
        """Return the comm of the widget whose module has a name."""
        comm = uuid.uuid4().hex
        await self.send("comm_open", {"comm_id": comm, "target_name": "jupyter.widget.control", "data": {}})
        await self.send("comm_msg", {"comm_id": comm, "data": {"method": "request_states"}})
        while found := await self.read():
            header, _, content = found
            if header["msg_type"] == "comm_msg" and content["data"].get("method") == "update_states":
                states: dict[str, Any] = content["data"]["states"]
                return next(
                    i
                    for i, one in states.items()
                    if str(one["state"].get("_anywidget_id", "")).endswith(name)
                )
        raise AssertionError("the line was ended")

    def close(self) -> None:
        """Break the line off as a browser that is closed does."""
        stream: Any = self._line.protocol.stream  # type: ignore[union-attr]
        stream.close()
