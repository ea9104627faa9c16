"""Visitors who open lines to a kernel and go away at once, on a real server that says all it has to say."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tornado.websocket import WebSocketClosedError

from ..server.visitor import Visitor, open_page
from .conftest import Launch
from .servers import wait_until

pytestmark = pytest.mark.slow


def run(work: Any) -> Any:
    """Run it where no loop is: a browser test before this one leaves its own in the main thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_pages_that_go_away_fill_no_log_and_a_killed_kernel_is_told(launch: Launch, toy_model: Path) -> None:
    server = launch("voila", model=toy_model)
    kernel = open_page(server.url)

    async def leave(times: int) -> None:
        for n in range(times):
            line = await Visitor(server.root, kernel, session=f"page{n % 2}").connect()
            with suppress(WebSocketClosedError):  # the server ends a line that asks for what no page does
                for _ in range(3):
                    await line.send("kernel_info_request", {})
                    await line.send(
                        "comm_open", {"comm_id": f"c{n}", "target_name": "jupyter.widget", "data": {}}
                    )
            line.close()

    async def stay() -> str:
        line = await Visitor(server.root, kernel).connect()
        await line.send("kernel_info_request", {})
        while found := await asyncio.wait_for(line.read(), 60):
            state = str(found[2].get("execution_state", ""))
            if state == "restarting":
                return state
            if found[0]["msg_type"] == "kernel_info_reply":
                server.find_kernels(kernel)[0].kill()
        # lines that were broken off a moment ago still count
        await asyncio.sleep(0.5)
        return ""

    run(leave(40))
    assert any(run(stay()) for _ in range(40))
    log = (server.folder / "server.log").read_text()
    assert "Traceback" not in log
    assert "WebSocketClosedError" not in log
    assert len(log.splitlines()) < 80


@pytest.mark.skipif(sys.platform != "linux", reason="another system keeps no such score")
def test_a_visitors_kernel_is_ended_before_the_server_where_memory_runs_out(
    launch: Launch, toy_model: Path
) -> None:
    server = launch("serve", model=toy_model)
    wait_until(server.find_kernels)

    def read_score(process: psutil.Process) -> int:
        return int(Path(f"/proc/{process.pid}/oom_score_adj").read_text())

    kernel = server.find_kernels()[0]
    parent = kernel.parent()
    assert parent
    wait_until(lambda: read_score(kernel) >= read_score(parent) + 500 - max(0, read_score(parent)))
    assert read_score(parent) == read_score(psutil.Process())
