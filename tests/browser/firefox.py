"""A real Firefox, driven over its own WebDriver BiDi: Playwright drives only a Firefox of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket

_SECONDS = 60.0


def find_firefox() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One tab, and what can be asked of it."""

    def __init__(self, port: int) -> None:
        address = f"ws://127.0.0.1:{port}/session"
        self._line = websocket.create_connection(address, suppress_origin=True, timeout=2 * _SECONDS)
        self._number = 0
        self.call("session.new", capabilities={})
        self._tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._line.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            heard = json.loads(self._line.recv())
            if heard.get("id") == self._number:
                assert heard["type"] == "success", heard
                return heard["result"]

    def open(self, address: str) -> None:
        self.call("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def ask(self, expression: str) -> Any:
        """Return what an expression is, by way of JSON; a promise is waited for."""
        found = self.call(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then(JSON.stringify)",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert found["type"] == "success", found
        return json.loads(found["result"].get("value", "null"))

    def wait(self, expression: str) -> Any:
        """Ask until there is something."""
        until = time.monotonic() + _SECONDS
        while not (found := self.ask(expression)):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.05)
        return found

    def choose(self, files: list[Path]) -> None:
        """Choose files, as if in the browser's own window."""
        locator = {"type": "css", "value": "input[type=file]"}
        [node, *_] = self.call("browsingContext.locateNodes", context=self._tab, locator=locator)["nodes"]
        element, names = {"sharedId": node["sharedId"]}, [str(file) for file in files]
        self.call("input.setFiles", context=self._tab, element=element, files=names)

    def close(self) -> None:
        self._line.close()


@contextlib.contextmanager
def running(program: str, folder: Path) -> Iterator[Firefox]:
    """Run a Firefox with an empty profile in this folder until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir()
    command = [program, "--headless", "--no-remote", "--profile", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--remote-debugging-port={port}", "about:blank"], stdout=log, stderr=log
        )
    try:
        _wait_for(folder / "log", process)
        firefox = Firefox(port)
        yield firefox
        firefox.close()
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(log: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _SECONDS
    while "BiDi listening" not in log.read_text("utf-8", "replace"):
        assert process.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < until, log.read_text("utf-8", "replace")
        time.sleep(0.1)
