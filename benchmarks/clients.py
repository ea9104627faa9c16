"""Visitors without a browser: they speak the page's own protocol, and that of Gradio's page."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from fastclf.server.limits import PROTOCOL

PARTS = ("header", "parent_header", "metadata", "content")
SECONDS = 120.0


@dataclass
class Visit:
    """What became of one visitor: seconds until the page could be used, and of each answer."""

    page: float = 0.0
    answers: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    fault: str = ""


def pack(kind: str, content: dict[str, Any], session: str, buffers: tuple[bytes, ...] = ()) -> bytes:
    """Return a message to the kernel as the page writes it."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": session, "username": "",
              "date": "2026-01-01T00:00:00Z", "version": "5.3"}  # fmt: skip
    dicts = (header, {}, {"version": "1.0.0"}, content)
    parts = [b"shell", *(json.dumps(part).encode() for part in dicts), *buffers]
    places = [8 * (len(parts) + 2)]
    for part in parts:
        places.append(places[-1] + len(part))
    numbers = [len(parts) + 1, *places]
    return b"".join(n.to_bytes(8, "little") for n in numbers) + b"".join(parts)


def unpack(data: bytes) -> dict[str, Any]:
    """Return a kernel's message without its buffers."""
    count = int.from_bytes(data[:8], "little")
    places = [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(1, count + 1)]
    texts = [data[a:b] for a, b in pairwise(places[1:6])]
    return {name: json.loads(text) for name, text in zip(PARTS, texts, strict=True)}


class PageClient:
    """One visitor of fastclf's page: what the page's scripts send until it can be used, then photos."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, uuid.uuid4().hex
        self._line: WebSocketClientConnection | None = None
        self._widgets: dict[str, str] = {}

    async def open(self) -> None:
        """Load the page, open the line, ask for all widgets, and choose the language."""
        answer = await AsyncHTTPClient().fetch(self.url, request_timeout=SECONDS)
        found = re.search(r'"kernelId": ?"([0-9a-f-]+)"', answer.body.decode())
        if found is None or "widget-view" not in answer.body.decode():
            raise RuntimeError("the page has no widgets")
        line = f"{self.url.replace('http', 'ws', 1)}api/kernels/{found[1]}/channels?session_id={self.session}"
        request = HTTPRequest(line, connect_timeout=SECONDS)
        self._line = await websocket_connect(request, subprotocols=[PROTOCOL], max_message_size=2**26)
        control = uuid.uuid4().hex
        await self._send(
            "comm_open", {"comm_id": control, "target_name": "jupyter.widget.control", "data": {}}
        )
        await self._send("comm_msg", {"comm_id": control, "data": {"method": "request_states"}})
        states = (await self._hear(lambda m: m["content"].get("comm_id") == control))["content"]["data"][
            "states"
        ]
        self._widgets = {_find_name(one["state"]): key for key, one in states.items()}
        data = {"method": "update", "state": {"wanted": "es"}, "buffer_paths": []}
        await self._send("comm_msg", {"comm_id": self._widgets["PageFrame"], "data": data})
        await self._hear(lambda m: "spoken" in m["content"].get("data", {}).get("state", {}))

    async def ask(self, number: int, name: str, photo: bytes) -> str:
        """Send a photo and wait for its card; returns the label on it."""
        content = {"type": "photo", "batch": f"b{number}", "id": number, "name": name}
        message = {"comm_id": self._widgets["PhotoDrop"], "data": {"method": "custom", "content": content}}
        await self._send("comm_msg", message, (photo,))
        card = await self._hear(lambda m: _read_custom(m).get("type") == "add")
        return str(_read_custom(card)["cards"][0]["label"])

    def close(self) -> None:
        """Leave the page as a closed tab does."""
        if self._line is not None:
            self._line.close()

    async def _send(self, kind: str, content: dict[str, Any], buffers: tuple[bytes, ...] = ()) -> None:
        assert self._line is not None  # noqa: S101
        await self._line.write_message(pack(kind, content, self.session, buffers), binary=True)

    async def _hear(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self._line is not None  # noqa: S101
        async with asyncio.timeout(SECONDS):
            while isinstance(data := await self._line.read_message(), bytes):
                message = unpack(data)
                if is_wanted(message):
                    return message
        raise RuntimeError("the line was ended")


def _find_name(state: dict[str, Any]) -> str:
    return str(state.get("_anywidget_id", "")).rpartition(".")[2]


def _read_custom(message: dict[str, Any]) -> dict[str, Any]:
    data = message["content"].get("data", {})
    found: dict[str, Any] = data.get("content", {}) if data.get("method") == "custom" else {}
    return found


class GradioClient:
    """One visitor of a Gradio page with one function: its page, an upload, a place in its queue."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, uuid.uuid4().hex[:10]

    async def open(self) -> None:
        """Load the page and its settings."""
        for path in ("", "config"):
            await AsyncHTTPClient().fetch(f"{self.url}{path}", request_timeout=SECONDS)

    async def ask(self, number: int, name: str, photo: bytes) -> str:
        """Send a photo, wait in the queue and for the answer; returns its label."""
        path = await self._upload(name, photo)
        data = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        body = {"data": [data], "fn_index": 0, "session_hash": f"{self.session}{number}"}
        await self._post("gradio_api/queue/join", json.dumps(body).encode(), "application/json")
        heard = bytearray()
        await AsyncHTTPClient().fetch(
            f"{self.url}gradio_api/queue/data?session_hash={self.session}{number}",
            request_timeout=SECONDS, streaming_callback=heard.extend,
        )  # fmt: skip
        events = [json.loads(line[6:]) for line in heard.decode().splitlines() if line.startswith("data: ")]
        done = next(event for event in events if event.get("msg") == "process_completed")
        return str(done["output"]["data"][0]["label"])

    def close(self) -> None:
        """Nothing is open."""

    async def _upload(self, name: str, photo: bytes) -> str:
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        body = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + photo + f"\r\n--{edge}--\r\n".encode()
        answer = await self._post("gradio_api/upload", body, f"multipart/form-data; boundary={edge}")
        return str(json.loads(answer)[0])

    async def _post(self, path: str, body: bytes, kind: str) -> bytes:
        request = HTTPRequest(
            f"{self.url}{path}", "POST", {"Content-Type": kind}, body, request_timeout=SECONDS
        )
        return bytes((await AsyncHTTPClient().fetch(request)).body)


async def visit(client: PageClient | GradioClient, photos: list[tuple[str, bytes]], think: float) -> Visit:
    """Open a page and ask about photos, one after the other, with pauses."""
    found, began = Visit(), time.perf_counter()
    try:
        await client.open()
        found.page = time.perf_counter() - began
        for number, (name, photo) in enumerate(photos, 1):
            await asyncio.sleep(think)
            began = time.perf_counter()
            found.labels.append(await client.ask(number, name, photo))
            found.answers.append(time.perf_counter() - began)
    except Exception as e:  # noqa: BLE001 - whatever it is, it is what became of this visitor
        found.fault = f"{type(e).__name__}: {e}"[:200]
    return found
