"""Places for visitors, and the title on the starting page."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError

from fastclf.server.kernels import GraceKernelManager
from fastclf.server.limits import MOST_KEPT
from fastclf.server.line import find_backlog
from fastclf.server.title import find_title


def test_the_title_is_the_makers_then_the_models_then_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FASTCLF_TITLE", raising=False)
    assert find_title(tmp_path) == ""
    for text, title in ((json.dumps({"title": "Bears"}), "Bears"), ("[1", ""), ("[1]", ""), ("{}", "")):
        (tmp_path / "bundle.json").write_text(text)
        assert find_title(tmp_path) == title
    monkeypatch.setenv("FASTCLF_TITLE", "My own")
    assert find_title(tmp_path) == "My own"


@pytest.mark.parametrize("named", [True, False])
def test_a_model_that_a_kill_left_half_replaced_comes_back_at_the_servers_start_and_before_a_kernel(
    tmp_path: Path, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("other" if named else "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTCLF_MODEL", str(folder) if named else "model")
    replaced = folder.with_name(f".{folder.name}.old")
    replaced.mkdir()

    async def serve() -> None:
        manager = GraceKernelManager()
        assert folder.is_dir()
        folder.rename(replaced)
        monkeypatch.setattr(AsyncMappingKernelManager, "start_kernel", start_slowly)
        await manager.start_kernel()
        assert folder.is_dir()

    run_in_a_thread(serve())


async def start_slowly(self: GraceKernelManager, **kwargs: object) -> str:
    await asyncio.sleep(0.05)
    name = f"kernel-{len(self._kernels)}"
    self._kernels[name] = object()
    return name


def run_in_a_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it where no loop is: a browser test before this one leaves its own in the main thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.mark.skipif(os.name != "posix", reason="there are no such sockets")
def test_a_visitors_kernel_has_no_port_that_others_could_take(tmp_path: Path) -> None:
    async def prepare(**env: str) -> Any:
        return GraceKernelManager().pre_start_kernel(None, {"env": env})[0]

    kernel = run_in_a_thread(prepare(VOILA_PREHEAT="False"))
    place = Path(kernel.ip)
    assert kernel.transport == "ipc"
    assert len(f"{place}-5") <= 103
    assert place.parent.stat().st_mode & 0o777 == 0o700
    # whoever tidies up may remove it, and somebody may put a folder or a link there that others enter
    for put in (lambda path: None, lambda path: path.mkdir(0o755), lambda path: path.symlink_to(tmp_path)):
        place.parent.rmdir()
        put(place.parent)
        last, place = place, Path(run_in_a_thread(prepare(VOILA_PREHEAT="False")).ip)
        assert place.parent != last.parent
        assert place.parent.lstat().st_mode & 0o777 == 0o700
        last.parent.unlink() if last.parent.is_symlink() else shutil.rmtree(last.parent, ignore_errors=True)
    # Jupyter looks for ports before a kernel starts that listens on some
    assert not kernel.cache_ports
    # a notebook of a Jupyter server's owner
    assert run_in_a_thread(prepare()).transport == "tcp"


def test_visitors_on_the_way_take_places_and_waiting_kernels_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCLF_MAX_VISITORS", "2")

    monkeypatch.setattr(AsyncMappingKernelManager, "start_kernel", start_slowly)

    async def come() -> list[object]:
        manager = GraceKernelManager()
        await manager.start_kernel(env={"VOILA_PREHEAT": "True"})
        assert manager.visitors == 0
        visits = [manager.start_kernel(env={"VOILA_PREHEAT": "False"}) for _ in range(3)]
        found = await asyncio.gather(*visits, return_exceptions=True)
        assert manager.visitors == 2
        # a waiting kernel is started whoever is there
        await manager.start_kernel(env={"VOILA_PREHEAT": "True"})
        assert manager.visitors == 2
        manager._kernels.pop(str(found[0]))
        await manager.start_kernel()
        return list(found)

    *let_in, refused = run_in_a_thread(come())
    assert all(isinstance(name, str) for name in let_in)
    assert isinstance(refused, HTTPError)
    assert refused.status_code == 503


@pytest.mark.slow
@pytest.mark.parametrize(
    ("opens", "state", "stays"),
    [(False, "idle", False), (True, "idle", True), (False, "busy", True)],
    ids=["unused", "used", "still running its notebook"],
)
def test_a_kernel_whose_page_never_opens_its_line_gives_its_place_back(
    opens: bool, state: str, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastclf.server.kernels.UNUSED_SECONDS", 0.05)
    monkeypatch.setattr(AsyncMappingKernelManager, "start_kernel", start_slowly)
    monkeypatch.setattr(AsyncMappingKernelManager, "notify_connect", lambda *_: None)

    async def end(self: GraceKernelManager, kernel_id: str) -> None:
        del self._kernels[kernel_id]

    monkeypatch.setattr(GraceKernelManager, "shutdown_kernel", end)

    async def come() -> set[str]:
        manager = GraceKernelManager()
        # of a Jupyter server's own pages, and one that waits for its visitor
        others = {await manager.start_kernel(), await manager.start_kernel(env={"VOILA_PREHEAT": "True"})}
        visitor = await manager.start_kernel(env={"VOILA_PREHEAT": "False"})
        manager._kernels[visitor] = SimpleNamespace(execution_state=state)
        if opens:
            manager.notify_connect(visitor)
        await asyncio.sleep(0.3)
        assert others <= set(manager._kernels)
        return set(manager._kernels) - others

    assert bool(run_in_a_thread(come())) == stays


def test_a_kernel_outlives_its_visitor_no_longer_because_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[float] = []

    async def cull(self: Any, kernel_id: str) -> None:
        left.append((self._kernels[kernel_id].last_activity - utcnow()).total_seconds())

    monkeypatch.setattr(AsyncMappingKernelManager, "cull_kernel_if_idle", cull)

    async def wait() -> None:
        manager = GraceKernelManager()
        manager._kernels["a"] = SimpleNamespace(last_activity=utcnow() + timedelta(days=1))
        manager._seen.add("a")
        for _ in range(2):
            await manager.cull_kernel_if_idle("a")

    run_in_a_thread(wait())
    assert len(left) == 1
    assert left[0] <= 0


def test_what_a_kernel_says_to_a_page_that_is_away_is_kept_within_a_limit() -> None:
    class Stream:
        def on_recv(self, callback: Any) -> None:
            self.hear = callback

    class Kernel:
        pass

    async def leave(sizes: list[int]) -> int:
        manager, stream = GraceKernelManager(), Stream()
        manager._kernels["one"] = kernel = Kernel()
        backlog = find_backlog(kernel)
        backlog.add("asked", 1)
        manager.start_buffering("one", "one:page", {"iopub": stream})
        for size in sizes:
            stream.hear([b"signature", bytes(size)])
        assert backlog._n == 1
        parent, idle = b'{"msg_id": "asked"}', b'{"execution_state": "idle"}'
        stream.hear([b"topic", b"<IDS|MSG>", b"signature", b"{}", parent, b"{}", idle])
        assert backlog._n == 0
        kept = manager.get_buffer("one", "one:page")["buffer"]
        return sum(len(part) for _, parts in kept for part in parts)

    assert run_in_a_thread(leave([1000] * 10)) == 10_090 + 73
    assert run_in_a_thread(leave([MOST_KEPT // 2 + 1] * 3)) == 0
