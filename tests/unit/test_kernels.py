from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

from jupyter_server._tz import utcnow

from fastclf.kernels import GraceKernelManager


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
    asyncio.run(manager.cull_kernel_if_idle("a"))
    assert ended == []
    asyncio.run(manager.cull_kernel_if_idle("a"))
    assert ended == []
    kernel.last_activity = utcnow() - timedelta(seconds=601)
    asyncio.run(manager.cull_kernel_if_idle("a"))
    assert ended == ["a"]
