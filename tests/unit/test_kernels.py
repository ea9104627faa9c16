from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

from jupyter_server._tz import utcnow

from fastclf.kernels import GraceKernelManager


def look(manager: GraceKernelManager) -> None:
    """What the culler does with kernel "a", in a thread: the browser tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, manager.cull_kernel_if_idle("a")).result()


def test_a_kernel_that_waited_long_is_ended_only_after_its_own_idle_time() -> None:
    manager = GraceKernelManager(cull_idle_timeout=600, cull_connected=False)
    ended: list[str] = []

    async def shutdown(kernel_id: str, **_: object) -> None:
        ended.append(kernel_id)

    manager.shutdown_kernel = shutdown
    kernel = SimpleNamespace(
        last_activity=utcnow() - timedelta(hours=5),
        execution_state="idle",
        kernel_name="python3",
        kernel_spec=SimpleNamespace(metadata={}),
    )
    manager._kernels["a"] = kernel
    manager._kernel_connections["a"] = 0
    look(manager)
    assert ended == []
    look(manager)
    assert ended == []
    kernel.last_activity = utcnow() - timedelta(seconds=601)
    look(manager)
    assert ended == ["a"]
